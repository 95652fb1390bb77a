"""Realism: portraits of a person that still look like that person up close.

The flow, and the file that owns each step:

    photos.py     open any picture safely: upright, sRGB, without metadata
    faces/        find the face: box, 68 landmarks, 468-point mesh, pose, unit embedding
    check.py      step 1  say which photos are good, and why the others are not
    base.py       a Stable Diffusion base: embedded, from a folder or from a hub
    finetune.py   step 2  LoRA in two stages: on real faces, then on the person
    portraits.py  step 3  prompt and seeds in, portraits out
    rank.py       step 3  largest cosine with any photo first
    marks/        step 4  find the marks of the skin and put them back
    person.py     a person's folder on disk

`python -m realism` has one verb for each step; `app.py` at the top is the page.
"""
