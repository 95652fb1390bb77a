"""What tests of teaching share."""

import pytest
from tiny_finders import click

from realism.faces.skin import skin_mask
from realism.marks.teach.dataset import AnnotatedFace, cut_out_face


@pytest.fixture(scope="session")
def faces(mei, engine) -> list[AnnotatedFace]:
    """Three small faces with two moles and a spot each."""
    result = []
    for photo in mei[:3]:
        face = engine.find(photo.pixels)[0]
        skin = skin_mask(photo.pixels, face)
        at = face.mesh[[205, 425, 151], :2]  # the cheeks and the forehead
        clicks = [click(k, *xy) for k, xy in zip(("mole", "spot", "mole"), at, strict=True)]
        result.append(cut_out_face(photo.name, photo.pixels, face, skin, clicks, max_span=120))
    return result
