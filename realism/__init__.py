"""Realism: portraits of a person that still look like that person up close.

The rooms, in the order in which data flows through them (`docs/architecture.md` has the picture):

    config       what a user may set
    images       open any picture safely: upright, sRGB, without metadata
    faces/       find the face: box, landmarks, mesh, pose, embedding; skin
    head/        the 3D head: carries places on the skin from picture to picture
    checks       step 1  say which photos are good, and why the others are not
    diffusion/   a Stable Diffusion base, and LoRA on it
    finetune/    step 2  LoRA in two stages: on real faces, then on the person
    portraits/   step 3  prompt and seeds in, portraits out, ranked by likeness
    marks/       step 4  find the marks of the skin and put them back; teach a finder
    person/      a person's folder on disk
    draw/        pictures of results: overview, card, passport
    cli/, page/  the command `realism`, and the page
"""

__version__ = "0.2.0"
