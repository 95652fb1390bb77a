"""Read and write whale-anno point annotations, both ways.

whale-anno keeps a project as `config.json`, `data/` (images) and `anno/<image>.json`, and
exports JSON Lines. Over its versions the same facts came as a JSON array, with `annoDetails` as
a string, and with `point` for `points`: all are read. A point is a share of the upright image's
width and height. Format facts only, from its sources of May 2024; none of its code.
"""

import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from pydantic import BaseModel, Field, ValidationError, field_validator, model_validator

from realism.disk import whole_file, write_bytes
from realism.errors import InputError
from realism.faults import describe_faults
from realism.images import SUFFIXES
from realism.marks.mark import KINDS, Mark, make_mark

CHINESE = {"mole": "痣", "spot": "斑", "acne": "痘", "wrinkle": "皱纹"}
LABELS = {
    **{kind: kind for kind in KINDS},
    **{word: kind for kind, word in CHINESE.items()},
    # Words that people write for the same thing.
    "moles": "mole", "nevus": "mole", "色斑": "spot", "斑点": "spot", "雀斑": "spot",
    "spots": "spot",
    "freckle": "spot", "痘痘": "acne", "痤疮": "acne", "pimple": "acne", "皱": "wrinkle",
    "wrinkles": "wrinkle",
}  # fmt: skip
COLOURS = {"mole": "#e12d2d", "spot": "#f5a314", "acne": "#72ca2b", "wrinkle": "#529dff"}
PROJECT_TYPE = "图片点标注"  # its name for point annotation of images
UNKNOWN_RADIUS = 3.0  # px; whale-anno knows none

Share = Annotated[float, Field(ge=0, le=1)]  # of the width or the height


class WhalePoint(BaseModel):
    """A labelled point as whale-anno stores it."""

    type: str
    points: Annotated[list[tuple[Share, Share]], Field(min_length=1)]

    @model_validator(mode="before")
    @classmethod
    def _single_point(cls, value: Any) -> Any:
        # The key was `point` for an evening in April 2022.
        if isinstance(value, dict) and not value.get("points") and "point" in value:
            return {**value, "points": [value["point"]]}
        return value


class WhaleEntry(BaseModel):
    """What whale-anno stores of an image."""

    fileName: Annotated[str, Field(min_length=1)]
    annoDetails: list[WhalePoint] = Field(default_factory=list)

    @field_validator("annoDetails", mode="before")
    @classmethod
    def _list_as_text(cls, value: Any) -> Any:
        # Until June 2021 the list was stored as text within the JSON.
        return json.loads(value or "[]") if isinstance(value, str) else value or []


@dataclass(frozen=True, eq=False)
class Annotation:
    """The points of one image.

    Attributes
    ----------
    file_name : str
        As whale-anno names it, without a folder.
    kinds : tuple of str
        n of KINDS.
    points : (n, 2) float32 ndarray, 0..1
        Shares of the upright image's width and height.
    """

    file_name: str
    kinds: tuple[str, ...]
    points: np.ndarray

    def marks(self, width: int, height: int, radius: float = UNKNOWN_RADIUS) -> list[Mark]:
        """The points as marks of an image of that size, px."""
        scale = np.array([width, height], np.float32)
        return [
            make_mark(kind, (point * scale - 0.5).astype(np.float32), radius)
            for kind, point in zip(self.kinds, self.points, strict=True)
        ]


@dataclass(frozen=True)
class Export:
    """What a whale-anno export or project holds.

    Attributes
    ----------
    annotations : tuple of Annotation
        One an image; an image without points was looked at and has none.
    unknown_labels : dict of str to int
        Labels that are none of the four kinds, with how often they occur.
    """

    annotations: tuple[Annotation, ...]
    unknown_labels: dict[str, int]


def read_whale(path: Path) -> Export:
    """Read an export file or a project folder.

    Raises
    ------
    InputError
        When nothing there can be read as whale-anno's; with the file and the line.
    """
    path = Path(path)
    if path.is_dir():
        entries = _read_project(path)
    elif path.is_file():
        entries = _read_export(path)
    else:
        raise InputError("whale_export_not_found", path=path)
    unknown: Counter[str] = Counter()
    annotations = [_annotation(where, entry, unknown) for where, entry in entries]
    if not annotations:
        raise InputError("whale_export_empty", path=path)
    return Export(tuple(annotations), dict(unknown))


def _read_project(folder: Path) -> list[tuple[str, object]]:
    """One object an image from `anno/*.json`, or the older `anno.json` beside the images."""
    files = sorted((folder / "anno").glob("[!.]*.json"))
    if files:
        return [(file.name, _parse(_read_text(file), file.name)) for file in files]
    for name in ("anno.json", "result.json"):
        if (folder / name).is_file():
            return _read_export(folder / name)
    raise InputError("not_a_whale_project", folder=folder)


def _read_export(file: Path) -> list[tuple[str, object]]:
    """The objects of an export, a JSON array or JSON Lines, each with where it stands."""
    text = _read_text(file).strip()
    if text.startswith("["):
        entries = _parse(text, file.name)
        return [(f"{file.name}[{number}]", entry) for number, entry in enumerate(entries)]
    lines = ((f"{file.name}:{number}", line) for number, line in enumerate(text.splitlines(), 1))
    return [(where, _parse(line, where)) for where, line in lines if line.strip()]


def _read_text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError("whale_export_not_text", name=file.name) from error


def _parse(text: str, where: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise InputError("whale_export_not_json", name=where, detail=error) from error


def _annotation(where: str, value: object, unknown: Counter[str]) -> Annotation:
    """An entry as an annotation; labels that are none of the four kinds are counted."""
    try:
        entry = WhaleEntry.model_validate(value)
    except ValidationError as error:
        faults = describe_faults(error)
        raise InputError("whale_annotation_not_readable", name=where, faults=faults) from error
    kinds, points = [], []
    for detail in entry.annoDetails:
        kind = LABELS.get(detail.type.strip().lower())
        if kind is None:
            unknown[detail.type] += 1
            continue
        kinds.append(kind)
        points.append(detail.points[0])
    array = np.array(points, np.float32).reshape(-1, 2)
    return Annotation(entry.fileName, tuple(kinds), array)


def refuse_annotated(folder: Path) -> None:
    """Raise InputError where a project would write over a person's annotations."""
    if any((Path(folder) / name).exists() for name in ("anno", "anno.json", "config.json")):
        raise InputError("whale_project_exists", folder=folder)


def write_whale(
    folder: Path, project: str, images: list[tuple[Path, tuple[int, int], list[Mark]]]
) -> list[str]:
    """Write findings as a whale-anno project that it opens for correction.

    Parameters
    ----------
    folder : Path
        The project's; made where missing.
    project : str
        Its name.
    images : list of (Path, (int, int), list of Mark)
        Picture file, width and height upright, px, and its marks. JPEGs and PNGs are copied as
        they are, others are converted, since whale-anno opens .jpg and .png only.

    Returns
    -------
    list of str
        The names of the images in the project.

    Raises
    ------
    InputError
        When two pictures would get one name.
    """
    folder, names = Path(folder), []
    for file, (width, height), marks in images:
        name = _copy(Path(file), folder / "data")
        if name in names:
            raise InputError("whale_same_picture_name", name=name)
        names.append(name)
        details = [_detail(mark, width, height) for mark in marks]
        value = {"projectName": project, "fileName": name, "annoDetails": details}
        _write_line(folder / "anno" / f"{name}.json", value)
    kinds = [{"type": CHINESE[kind], "color": COLOURS[kind]} for kind in KINDS]
    # entityTypes is JSON within JSON: so whale-anno writes it.
    config = {
        "projectName": project,
        "projectType": PROJECT_TYPE,
        "entityTypes": json.dumps(kinds, ensure_ascii=False),
    }
    _write_line(folder / "config.json", config)
    return names


def _detail(mark: Mark, width: int, height: int) -> dict:
    x, y = (mark.xy + 0.5) / np.array([width, height], np.float32)
    at = [round(float(np.clip(x, 0, 1)), 6), round(float(np.clip(y, 0, 1)), 6)]
    return {"points": [at], "type": CHINESE[mark.kind]}


def _write_line(path: Path, value: dict) -> None:
    write_bytes(path, json.dumps(value, ensure_ascii=False).encode())


def _copy(file: Path, folder: Path) -> str:
    """Put a picture into `data/` under a name that whale-anno opens."""
    from PIL import Image

    from realism.images import open_photo

    if file.suffix.lower() not in SUFFIXES:
        raise InputError("whale_pictures_only", name=file.name)
    if file.suffix.lower() in (".jpg", ".jpeg", ".png"):
        name = file.stem + (".png" if file.suffix.lower() == ".png" else ".jpg")
        write_bytes(folder / name, file.read_bytes())
        return name
    name = f"{file.stem}.png"
    with whole_file(folder / name) as temporary:
        Image.fromarray(open_photo(file).pixels).save(temporary, "PNG")
    return name
