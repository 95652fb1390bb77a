"""Tab 4, Marks: find them on photos, put them back into a portrait of any generator."""

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path

import cv2
import gradio as gr
import numpy as np

from realism.disk import write_json
from realism.draw.card import fidelity_card
from realism.draw.passport import draw_passport
from realism.errors import InputError, Message
from realism.faces.engine import load_engine, primary_face
from realism.faces.face import Face
from realism.faces.skin import skin_mask
from realism.images import Photo, open_photo, read_info, save_png
from realism.marks.atlas import Atlas, atlas_to_json, build_atlas
from realism.marks.find.multiview import find_marks_multiview
from realism.marks.mark import Mark, Wrinkle, flipped, make_mark
from realism.marks.photo import MarkedPhoto, PhotoAnalysis, analyse_photo
from realism.marks.restore.blend import Sliders, blend
from realism.marks.restore.prepare import (
    LayeredPortrait,
    build_layers,
    locate_marks,
    seldom_seen,
)
from realism.marks.restore.report import (
    Likeness,
    find_person,
    measure_likeness,
    placements_to_json,
    reason_to_json,
)
from realism.marks.teach.whale_anno import write_whale
from realism.page import draw as drawn
from realism.page.i18n import text
from realism.page.marks import editor as marked
from realism.page.session import chosen, line, passing, passing_folder, told
from realism.person.person import Person, write_zip
from realism.person.photos import PhotoRecord
from realism.portraits.provenance import restored_entries
from realism.progress import reworded

LEAST = 0.2  # score from which a finding is kept at all; the slider shows those above its own
MOST_PHOTOS = 16  # whose pixels and masks one visit keeps in memory, about 30 bytes a pixel


@dataclass(frozen=True, eq=False)
class Laid:
    """A portrait with the marks laid on it, ready to blend.

    file        the portrait's file
    digest      of its pixels: portraits of several runs may have one name
    face        its Face
    skin        (H, W) float32 0..1
    prepared    for `blend`
    shown       a PNG of the portrait for the screen
    """

    file: Path
    digest: str
    face: Face
    skin: np.ndarray
    prepared: LayeredPortrait
    shown: str

    def off(self, keys: list[tuple]) -> frozenset[int]:
        """The placements whose marks are switched off."""
        return frozenset(
            index
            for index, one in enumerate(self.prepared.placements)
            if marked.key_of(one.photo, one.mark) in keys
        )


def on_show(name: str | None, root: Path | None, language: str) -> tuple:
    """What the tab can do now, and the portraits of the person's newest run."""
    if not name:
        return line(text(language, "marks.alone")), gr.update(choices=[], value=None)
    with told(language):
        person = chosen(name, root)
        needs = ""
        if not any(entry.accepted for entry in person.records()):
            needs = line(text(language, "marks.needs_photos", name=person.name))
        files = [file for run in person.runs()[:1] for file in sorted(run.glob("*.png"))]
        return needs, gr.update(choices=[(file.name, str(file)) for file in files])


def on_leave() -> tuple:
    """Other photos: what was found on the last ones, the passport too, is not theirs."""
    hidden = gr.update(visible=False)
    return {}, None, [], {}, None, None, None, None, "", hidden, hidden


def on_mine(file: str | None, name: str, root: Path | None, language: str) -> str | None:
    """Take a portrait of the person's newest run."""
    with told(language):
        ours = file and Path(file).parent in chosen(name, root).runs()
        return file if ours else None


def on_find(
    portrait: str | None, files: list[str] | None, sources: dict[str, MarkedPhoto],
    name: str | None, root: Path | None, language: str,
) -> Iterator[tuple]:  # fmt: skip
    """Find the marks on the photos dropped here, else on the person's accepted ones."""
    with told(language):
        if not portrait:
            raise InputError("portrait_not_given")
        if not files and not name:
            raise InputError("photos_not_given")
        person = None if files else chosen(name, root)
        # Of two copies of a file each would confirm the other.
        given = list({Path(file).name: Path(file) for file in files or ()}.values())
        given = (given or person.accepted())[:MOST_PHOTOS]
        known = person.marks() if person else {}

        def said(number: int, _name: str = "", key: str = "finding") -> tuple:
            words = text(language, f"marks.{key}", number=number, of=len(given))
            return gr.skip(), gr.skip(), gr.skip(), line(words)

        ready = []
        for number, one in enumerate(given, 1):
            yield said(number, key="opening")
            # What this visit holds goes before what was saved.
            ready.append(sources.get(one.name) or _source(one, known.get(one.name)))
        settled = person.reviewed(one.name for one in ready) if person else set(sources)
        looking = find_marks_multiview(ready, settled, threshold=LEAST)
        found = {one.name: one for one in (yield from reworded(looking, said))}
        if person:
            person.save_marks(known | {one.name: one.marks for one in found.values()})
        first = max(found.values(), key=lambda one: sum(mark.score for mark in one.marks)).name
        thumbs = [drawn.thumbnail(one.pixels, one.face) for one in found.values()]
        yield found, first, thumbs, line(text(language, "marks.placing"))


def on_prepare(
    portrait: str | None, sources: dict[str, MarkedPhoto], least: float, method: str,
    placement: str, moves: dict, language: str,
) -> tuple:  # fmt: skip
    """Place and measure the marks on the portrait: the slow half."""
    if not portrait or not sources:
        return gr.skip(), gr.skip(), None
    with told(language):
        laid = lay_on(Path(portrait), surest(sources, least), method, placement, moves)
        seen = sum(one.visible for one in laid.prepared.placements)
        counts = {"seen": seen, "of": len(laid.prepared.placements), "photos": len(sources)}
        return laid, line(text(language, "marks.laid", **counts)), None


def on_moved(laid: Laid | None, *given: object) -> tuple:
    """Lay the marks anew on the portrait on which one was moved."""
    return on_prepare(str(laid.file) if laid else None, *given)


def on_rare(laid: Laid | None, sources: dict[str, MarkedPhoto], seen: int) -> list[tuple]:
    """The marks to begin without: those that fewer than `seen` of the photos show."""
    if laid is None:
        return []
    placed = laid.prepared.placements
    return [
        marked.key_of(placed[index].photo, placed[index].mark)
        for index in seldom_seen(placed, len(sources), seen)
    ]


def on_blend(laid: Laid | None, off: list[tuple], *sliders: float) -> tuple | None:
    """Mix the marks in under the sliders: the quick half, before and after."""
    if laid is None:
        return None
    return laid.shown, _quick_png(blended(laid, off, sliders))


def on_measure(
    laid: Laid | None, sources: dict[str, MarkedPhoto], off: list[tuple], language: str,
    *sliders: float,
) -> str:  # fmt: skip
    """Similarity with the photos before and after, on the photos' own scale."""
    if laid is None:
        return ""
    with told(language):
        alike = likeness_of(laid, blended(laid, off, sliders), sources)
    if alike.after is None:
        said = text(language, "marks.no_face_after", before=alike.before)
    else:
        said = text(language, "marks.alike", before=alike.before, after=alike.after)
    if alike.photos:
        said += " " + text(language, "marks.scale", low=min(alike.photos), high=max(alike.photos))
    return line(said)


def on_view(
    sources: dict[str, MarkedPhoto], least: float, laid: Laid | None, off: list[tuple],
    view: str | None, language: str,
) -> tuple:  # fmt: skip
    """The photo and the portrait with their marks drawn on, and the list of them."""
    if laid is None or view not in sources:
        return None, None, "", gr.update(visible=False)
    source, prepared = of_score(sources[view], least), laid.prepared
    on = [marked.key_of(source.name, mark) not in off for mark in source.marks]
    photo = marked.picture(source.pixels, source.face, source.marks, on)
    portrait = marked.picture(
        prepared.portrait, laid.face, *marked.laid_marks(prepared.placements, laid.off(off))
    )
    table = marked.table(prepared.placements, laid.off(off), language)
    return photo, portrait, table, gr.update(visible=True)


def on_pick(sources: dict[str, MarkedPhoto], event: gr.SelectData) -> tuple:
    """Another photo into view."""
    return list(sources)[event.index], None


def on_photo(
    sources: dict[str, MarkedPhoto], least: float, laid: Laid | None, off: list[tuple], view: str,
    click: str, begun: tuple | None, files: list[str] | None, name: str | None, root: Path | None,
    language: str, event: gr.SelectData,
) -> tuple:  # fmt: skip
    """A click on the photo: switch a mark, delete one, give it another kind, or add one."""
    source = sources[view]
    point = marked.picture_point(event.index, source.pixels, source.face)
    mark = marked.nearest(of_score(source, least).marks, point, source.face)
    if click == "switch":
        if mark is None or laid is None:
            return gr.skip(), gr.skip(), None
        return gr.skip(), marked.switched(off, source, mark, laid), None
    if click == "delete":
        marks = [one for one in source.marks if one is not mark]
    elif click == Wrinkle.kind and begun is None:
        gr.Info(text(language, "marks.second_click"), title="Realism")
        return gr.skip(), gr.skip(), tuple(point)
    elif click != Wrinkle.kind and mark is not None and not mark.is_traced:
        other = make_mark(click, mark.xy, mark.radius)
        marks = [other if one is mark else one for one in source.marks]
    else:
        marks = [*source.marks, marked.new_mark(click, point, begun, source.face)]
    sources = sources | {view: replace(source, marks=marks)}
    if not files:  # photos dropped here belong to nobody
        with told(language):
            person = chosen(name, root)
            person.save_marks(person.marks() | {view: marks}, [view])
    return sources, gr.skip(), None


def on_placed(
    laid: Laid | None, off: list[tuple], click: str, lifted: tuple | None, moves: dict,
    language: str, event: gr.SelectData,
) -> tuple:  # fmt: skip
    """A click on the portrait: switch a mark off or on, lift one, or set it down.

    lifted    the mark's key and `marked.grabbed` of it
    """
    if laid is None:
        return gr.skip(), None, gr.skip()
    point = marked.picture_point(event.index, laid.prepared.portrait, laid.face)
    if click == "move" and lifted is not None:
        key, hold = lifted
        return gr.skip(), None, moves | {(laid.digest, *key): tuple((point + hold).tolist())}
    marks, _ = marked.laid_marks(laid.prepared.placements, frozenset())
    mark = marked.nearest(marks, point, laid.face)
    if mark is None:
        return gr.skip(), None, gr.skip()
    seen = [one for one in laid.prepared.placements if one.visible]
    one = seen[[other is mark for other in marks].index(True)]
    key = marked.key_of(one.photo, one.mark)
    if click == "move":
        gr.Info(text(language, "marks.set_down"), title="Realism")
        return gr.skip(), (key, marked.grabbed(one, point)), gr.skip()
    return marked.toggled(off, [key]), None, gr.skip()


def on_save(laid: Laid | None, off: list[tuple], language: str, *sliders: float) -> str:
    """The portrait with its marks as PNG, with what the file said of itself before."""
    with told(language):
        if laid is None:
            raise InputError("marks_not_restored")
        into = passing_folder() / f"{laid.file.stem}-marks.png"
        return str(_save(laid, off, sliders, into))


def on_card(
    laid: Laid | None, sources: dict[str, MarkedPhoto], off: list[tuple], language: str,
    *sliders: float,
) -> str:  # fmt: skip
    """The fidelity card of the portrait as it is now, as PNG."""
    with told(language):
        if laid is None:
            raise InputError("marks_not_restored")
        after = blended(laid, off, sliders)
        alike = likeness_of(laid, after, sources)
        placed = placements_to_json(list(laid.prepared.placements))
        for index in laid.off(off):
            placed[index] |= {"visible": False, **reason_to_json(Message("switched_off"))}
        file = passing_folder() / f"{laid.file.stem}-card.png"
        shown = laid.prepared.portrait
        pair = alike.before, alike.after
        card = fidelity_card(laid.file.stem, shown, after, placed, pair, list(alike.photos))
        save_png(file, card)
        return str(file)


def on_every(
    laid: Laid | None, sources: dict[str, MarkedPhoto], least: float, seen: int, off: list[tuple],
    method: str, placement: str, moves: dict, name: str | None, root: Path | None, language: str,
    *sliders: float,
) -> Iterator[tuple]:  # fmt: skip
    """Restore the marks on every portrait of the run that this one is from; a zip of them."""
    with told(language):
        if laid is None:
            raise InputError("marks_not_restored")
        person = chosen(name, root)
        run = run_of(person, laid.file)
        if run is None:
            raise InputError("portrait_of_no_run")
        # A mark's best view, by which it is named, may be another on another portrait.
        wanted = set(on_rare(laid, sources, seen)) - set(map(tuple, off))
        made, skipped = [], []
        files = sorted(run.glob("*.png"))
        for number, file in enumerate(files, 1):
            said = text(language, "marks.every_said", number=number, of=len(files))
            yield drawn.bar(number / len(files)) + line(said), gr.skip()
            try:
                one = lay_on(file, surest(sources, least), method, placement, moves)
            except InputError as reason:
                skipped.append(f"{file.name}: {reason.message.text(language)}")
                continue
            without = {*map(tuple, off), *on_rare(one, sources, seen)} - wanted
            made.append(_save(one, [*without], sliders, run / "restored" / file.name))
        pack = passing_folder() / f"{person.folder.name}-{run.name}-marks.zip"
        said = text(language, "marks.every_done", made=len(made), of=len(files))
        yield "".join(map(line, [said, *skipped])), str(write_zip(pack, made, run / "restored"))


def on_export(sources: dict[str, MarkedPhoto], least: float, language: str) -> str:
    """The photos with their marks as a whale-anno project, zipped: to correct, and to train on."""
    with told(language):
        if not sources:
            raise InputError("marks_not_restored")
        into = passing_folder()
        images = []
        for source in surest(sources, least):
            file = into / f"{Path(source.name).stem}.png"
            save_png(file, source.pixels)
            height, width = source.pixels.shape[:2]
            images.append((file, (width, height), source.marks))
        write_whale(into / "marks", "marks", images)
        files = [file for file in sorted((into / "marks").rglob("*")) if file.is_file()]
        return str(write_zip(into / "whale-anno.zip", files, into))


def on_passport(
    sources: dict[str, MarkedPhoto], least: float, files: list[str] | None, name: str | None,
    root: Path | None, language: str,
) -> tuple:  # fmt: skip
    """All marks on one head, in how many photos each is seen, and which photo to take next."""
    with told(language):
        if not sources:
            raise InputError("marks_not_restored")
        atlas = build_atlas(surest(sources, least))
        if not files:  # photos dropped here belong to nobody
            chosen(name, root).save_passport(atlas)
        flip = gr.update(visible=bool(atlas.mirrored))
        return draw_passport(atlas), marked.passport(atlas, language), atlas, flip


def on_flip(
    atlas: Atlas | None, sources: dict[str, MarkedPhoto], files: list[str] | None, name: str | None,
    root: Path | None, language: str,
) -> tuple:  # fmt: skip
    """Flip the photos that seem to be mirrored, now that their owner agrees."""
    with told(language):
        engine, turned = load_engine(), {}
        for photo in (one for one in atlas.mirrored if one in sources):
            source = sources[photo]
            pixels = np.ascontiguousarray(source.pixels[:, ::-1])
            marks = [flipped(mark, pixels.shape[1]) for mark in source.marks]
            face = primary_face(engine.find(pixels))
            turned[photo] = analyse_photo(Photo(photo, pixels), face, marks)
        if not files:  # photos dropped here belong to nobody
            person = chosen(name, root)
            for photo in turned:
                person.flip_photo(photo, engine)
        sources = sources | turned
        return sources, [drawn.thumbnail(one.pixels, one.face) for one in sources.values()]


def on_passport_file(atlas: Atlas | None, language: str) -> str:
    """The passport as JSON, to keep."""
    with told(language):
        if atlas is None:
            raise InputError("passport_not_made")
        file = passing_folder() / "mark-passport.json"
        write_json(file, atlas_to_json(atlas))
        return str(file)


# Pictures in, pictures out --------------------------------------------------------------------


def lay_on(
    file: Path, sources: list[MarkedPhoto], method: str, placement: str, moves: dict
) -> Laid:
    """Read a portrait and lay the photos' marks on it.

    moves    where marks were put by hand: `Laid.digest` and `marked.key_of` to (x, y) px
    """
    portrait = open_photo(file)
    pixels = portrait.pixels
    # Of several faces on it, the person's.
    face = find_person(portrait, [source.face.embedding for source in sources], load_engine())
    skin = skin_mask(pixels, face)
    own, digest = PhotoAnalysis(pixels, face, skin), sha256(pixels.tobytes()).hexdigest()
    placed = [
        marked.moved(
            one, moves.get((digest, *marked.key_of(one.photo, one.mark))), face, own.paintable
        )
        for one in locate_marks(own, sources, placement)
    ]
    prepared = build_layers(own, sources, placed, method)
    return Laid(file, digest, face, skin, prepared, _quick_png(pixels))


def run_of(person: Person, portrait: Path) -> Path | None:
    """The run that a portrait is from: Gradio hands over a copy, of the same name and bytes."""
    for run in person.runs():
        own = run / portrait.name
        if own.exists() and own.read_bytes() == portrait.read_bytes():
            return run
    return None


def blended(laid: Laid, off: list[tuple], sliders: tuple[float, ...]) -> np.ndarray:
    """The portrait with its marks under the sliders, (H, W, 3) uint8."""
    return blend(laid.prepared, Sliders(*sliders), laid.off(off))


def likeness_of(laid: Laid, after: np.ndarray, sources: dict[str, MarkedPhoto]) -> Likeness:
    """To the photos, before and after."""
    photos = [source.face.embedding for source in sources.values()]
    return measure_likeness(laid.face, after, photos, load_engine())


def of_score(source: MarkedPhoto, least: float) -> MarkedPhoto:
    """A photo with those of its marks that score at least so much."""
    return replace(source, marks=[mark for mark in source.marks if mark.score >= least])


def surest(sources: dict[str, MarkedPhoto], least: float) -> list[MarkedPhoto]:
    """All photos, likewise."""
    return [of_score(source, least) for source in sources.values()]


def _source(given: PhotoRecord | Path, marks: list[Mark] | None) -> MarkedPhoto:
    """A photo with its marks, where they are known."""
    if isinstance(given, PhotoRecord):
        photo, face = given.photo(), given.verdict.face
    else:
        photo = open_photo(given)
        face = primary_face(load_engine().find(photo.pixels))
    return analyse_photo(photo, face, marks)


def _save(laid: Laid, off: list[tuple], sliders: tuple[float, ...], into: Path) -> Path:
    pixels = blended(laid, off, sliders)
    info = read_info(laid.file) if laid.file.suffix.lower() == ".png" else {}
    save_png(into, pixels, restored_entries(info, pixels))
    return into


def _quick_png(pixels: np.ndarray) -> str:
    """A PNG for the screen: the least compression, since a slider waits for it."""
    with tempfile.NamedTemporaryFile(dir=passing(), suffix=".png", delete=False) as file:
        data = cv2.imencode(".png", pixels[..., ::-1], [cv2.IMWRITE_PNG_COMPRESSION, 1])[1]
        file.write(data.tobytes())
    return file.name
