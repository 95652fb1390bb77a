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

import numpy as np

from realism.disk import whole_file, write_bytes
from realism.errors import InputError
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


@dataclass(frozen=True, eq=False)
class Annotation:
    """The points of one image.

    file_name    as whale-anno names it, without a folder
    kinds        n of KINDS
    points       (n, 2) float32, shares of width and height, 0..1, of the upright image
    """

    file_name: str
    kinds: tuple[str, ...]
    points: np.ndarray

    def marks(self, width: int, height: int, radius: float = 3.0) -> list[Mark]:
        """The points as Marks of an image of that size; whale-anno knows no radius."""
        scale = np.float32([width, height])
        return [
            make_mark(kind, (point * scale - 0.5).astype(np.float32), radius)
            for kind, point in zip(self.kinds, self.points, strict=True)
        ]


@dataclass(frozen=True)
class Export:
    """What a whale-anno export or project holds.

    annotations       one an image; an image without points was looked at and has none
    unknown_labels    labels that are none of the four kinds, with how often they occur
    """

    annotations: tuple[Annotation, ...]
    unknown_labels: dict[str, int]


def read_whale(path: Path) -> Export:
    """Read an export file or a project folder.

    Raises InputError when nothing there can be read as whale-anno's.
    """
    path = Path(path)
    if path.is_dir():
        values = _project_values(path)
    elif path.is_file():
        values = _file_values(path)
    else:
        raise InputError("whale_export_not_found", path=path)
    unknown: Counter[str] = Counter()
    annotations = [_annotation(value, path, unknown) for value in values]
    if not annotations:
        raise InputError("whale_export_empty", path=path)
    return Export(tuple(annotations), dict(unknown))


def _project_values(folder: Path) -> list[dict]:
    """One object an image from `anno/*.json`, or the older `anno.json` beside the images."""
    single = sorted((folder / "anno").glob("*.json"))
    if single:
        return [_object(_text(file), file) for file in single]
    for name in ("anno.json", "result.json"):
        if (folder / name).is_file():
            return _file_values(folder / name)
    raise InputError("not_a_whale_project", folder=folder)


def _file_values(file: Path) -> list[dict]:
    """The objects of an export: a JSON array, one object, or JSON Lines."""
    text = _text(file).strip()
    if text.startswith("["):
        try:
            values = json.loads(text)
        except json.JSONDecodeError as error:
            raise InputError("whale_export_not_json", name=file.name, detail=error) from error
        if not all(isinstance(value, dict) for value in values):
            raise InputError("not_a_whale_export", name=file.name)
        return values
    return [_object(line, file, n) for n, line in enumerate(text.splitlines(), 1) if line.strip()]


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError("whale_export_not_text", name=file.name) from error


def _object(text: str, file: Path, line: int = 1) -> dict:
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        raise InputError("whale_line_not_json", name=file.name, line=line, detail=error) from error
    if not isinstance(value, dict):
        raise InputError("whale_annotation_not_object", name=file.name, line=line)
    return value


def _annotation(value: dict, path: Path, unknown: Counter) -> Annotation:
    name, details = value.get("fileName"), value.get("annoDetails", [])
    if not isinstance(name, str) or not name:
        raise InputError("whale_annotation_unnamed", name=path.name)
    try:
        # Until June 2021 the list was stored as text within the JSON.
        details = json.loads(details or "[]") if isinstance(details, str) else details or []
        kinds, points = [], []
        for detail in details:
            kind = LABELS.get(str(detail["type"]).strip().lower())
            if kind is None:
                unknown[str(detail["type"])] += 1
                continue
            # The key was `point` for an evening in April 2022.
            given = detail.get("points") or [detail["point"]]
            kinds.append(kind)
            points.append(np.asarray(given[0], np.float32).reshape(2))
    except (json.JSONDecodeError, KeyError, TypeError, ValueError, IndexError) as error:
        raise InputError(
            "whale_points_not_readable", name=path.name, picture=name, detail=error
        ) from error
    array = np.array(points, np.float32).reshape(-1, 2)
    if not np.isfinite(array).all() or (array < 0).any() or (array > 1).any():
        raise InputError("whale_point_outside", name=path.name, picture=name)
    return Annotation(name, tuple(kinds), array)


def refuse_annotated(folder: Path) -> None:
    """Raises InputError where a project would write over a person's annotations."""
    if any((Path(folder) / name).exists() for name in ("anno", "anno.json", "config.json")):
        raise InputError("whale_project_exists", folder=folder)


def write_whale(
    folder: Path, project: str, images: list[tuple[Path, tuple[int, int], list[Mark]]]
) -> list[str]:
    """Write findings as a whale-anno project that it opens for correction.

    folder     the project's folder; made where missing
    project    the project's name
    images     (picture file, (width, height) px upright, its marks); JPEGs and PNGs are copied
               as they are, others are converted, since whale-anno opens .jpg and .png only
    ->         the names of the images in the project
    Raises InputError when two pictures would get one name.
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
    x, y = (mark.xy + 0.5) / np.float32([width, height])
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
