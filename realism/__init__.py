"""Realism: portraits of a person that still look like that person up close.

The flow, and the file that owns each step:

    photos.py       open any picture safely: upright, sRGB, without metadata
    faces/          find the face: box, landmarks, mesh, pose, embedding; skin; the 3D head
    check.py        step 1  say which photos are good, and why the others are not
    base.py         a Stable Diffusion base: read by family.py, fetched by hub.py, checked by
                    weights.py; lora.py puts a LoRA on it
    finetune.py     step 2  LoRA in two stages (stages.py): on real faces, then on the person;
                    shots.py makes the crops and captions, latents.py encodes them
    portraits.py    step 3  prompt and seeds in, portraits out; provenance.py labels them
    rank.py         step 3  largest cosine with any photo first
    marks/          step 4  find the marks of the skin and put them back
    person.py       a person's folder on disk
    demo.py         all four steps on an example person

`python -m realism` has one verb for each step; `app.py` at the top is the page.
"""
