"""Turn a picture whose face lies on its side or stands on its head.

Messengers drop the EXIF tag that says how the camera was held; what is left lies as the sensor
saw it. A face tells which way up is: a quarter turn by its roll, half a turn by the detector,
which is surer of a face that stands upright.
"""

from dataclasses import replace

import numpy as np

from realism.checks.verdict import Reason
from realism.errors import Message
from realism.faces.engine import Engine
from realism.faces.face import Face
from realism.images import Photo

QUARTER = 90.0  # degrees
# Of the detector, 0..1: of upright faces most have over 0.9. Of 8 pictures on their heads in 2 a
# face was found all the same, with 0.54 and 0.70; of masked and cut faces a turned one, up to 0.7.
SURE = 0.8


def find_upright(photo: Photo, engine: Engine) -> tuple[Photo, list[Face], tuple[Reason, ...]]:
    """The picture with its largest face upright to within an eighth of a turn.

    Parameters
    ----------
    photo : Photo
    engine : Engine

    Returns
    -------
    photo : Photo
        As it was, or turned by 90, 180 or 270 degrees.
    faces : list of Face
        Of that picture, largest first.
    notes : tuple of Reason
        Says that it was turned, when it was.
    """
    faces = engine.find(photo.pixels)
    if not faces:
        ways = [1, 3, 2]
    elif abs(faces[0].pose.roll) > QUARTER / 2:
        # The head's top leans to the right by the roll: turned back, to the left.
        ways = [round(faces[0].pose.roll / QUARTER) % 4]
    elif faces[0].score < SURE:
        ways = [2]
    else:
        ways = []
    for quarters in ways:
        pixels = np.ascontiguousarray(np.rot90(photo.pixels, quarters))
        turned = engine.find(pixels)
        if turned and turned[0].score >= SURE and abs(turned[0].pose.roll) <= QUARTER / 2:
            degrees = QUARTER * quarters
            note = Reason("turned_upright", Message("turned_upright", degrees=degrees), degrees)
            return replace(photo, pixels=pixels), turned, (note,)
    return photo, faces, ()
