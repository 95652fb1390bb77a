"""`python -m realism`: the same verbs as the page's tabs, for the shell and for scripts.

Results go to standard output or to the file that was asked for, progress to standard error.
Bad input ends with one line on standard error and exit code 2.
"""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from realism.config import PORTRAITS
from realism.errors import InputError

app = typer.Typer(
    name="realism",
    help="Portraits of a person that still look like that person up close.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
photos_app = typer.Typer(help="Step 1: add photos of a person and see which are good, and why.")
marks_app = typer.Typer(help="Step 4: find the marks of the skin and put them back.")
app.add_typer(photos_app, name="photos", no_args_is_help=True)
app.add_typer(marks_app, name="marks", no_args_is_help=True)

PersonName = Annotated[str, typer.Argument(help="The person's name.", metavar="PERSON")]
BaseName = Annotated[
    str,
    typer.Option(
        "--base",
        help="`pocket`, a diffusers folder, a .safetensors file, a ModelScope or Hugging Face id.",
    ),
]

FINDER_METHOD = "heatmap"
FinderMethod = Annotated[str, typer.Option(help="heatmap, dog, keypoint-rcnn or compact.")]
FinderWeights = Annotated[Path | None, typer.Option(help="Of a finder that you trained.")]
Annotations = Annotated[
    Path, typer.Option(help="whale-anno's exported file, or its project folder.")
]
AnnotatedImages = Annotated[
    Path | None, typer.Option(help="Folder of the pictures; without, the project's data/.")
]


def say(text: str) -> None:
    """One line of progress, on standard error."""
    print(text, file=sys.stderr, flush=True)


def engine():
    """The face engine, named with its licence."""
    from realism.faces.engine import load_engine

    chosen = load_engine()
    say(f"Faces: {chosen.name} ({chosen.licence}){f' - {chosen.note}' if chosen.note else ''}")
    return chosen


# Step 1 -----------------------------------------------------------------------------------


@photos_app.command("add")
def photos_add(
    person: PersonName,
    files: Annotated[list[Path], typer.Argument(help="JPEG, PNG, WebP or HEIC.")],
    consent: Annotated[
        bool, typer.Option("--consent", help="The person shown is me or has agreed.")
    ] = False,
    class_word: Annotated[
        str, typer.Option("--noun", help="person, woman or man, for captions.")
    ] = "person",
) -> None:
    """Add photos; the person is made when new (that needs --consent)."""
    from realism.person.person import create_person, open_person, people, slug_of

    known = {one.folder.name for one in people()}
    one = (
        open_person(person)
        if slug_of(person) in known
        else create_person(person, consent, class_word)
    )
    for entry in one.add_photos(files, engine()):
        say(f"  {entry.name}")
    _print_photos(one)


@photos_app.command("list")
def photos_list(
    person: Annotated[str | None, typer.Argument(help="A person; without, all people.")] = None,
) -> None:
    """List the people, or the photos of one with their verdicts."""
    from realism.person.person import open_person, people

    if person:
        _print_photos(open_person(person))
        return
    for one in people():
        entries = one.entries()
        good = sum(entry.accepted for entry in entries)
        print(f"{one.name}: {good} of {len(entries)} photos accepted")


@photos_app.command("check")
def photos_check(person: PersonName) -> None:
    """Judge all photos of a person again."""
    from realism.person.person import open_person

    one = open_person(person)
    one.judge_set(engine())
    _print_photos(one)
    one.accepted()


@photos_app.command("choose")
def photos_choose(
    person: PersonName,
    photo: Annotated[str, typer.Argument(help="The photo's name as listed.")],
    decision: Annotated[str, typer.Argument(help="accept, refuse, or check to let it decide.")],
) -> None:
    """Accept or refuse one photo by hand."""
    from realism.person.person import open_person

    decisions = {"accept": True, "refuse": False, "check": None}
    if decision not in decisions:
        raise InputError("unknown_decision", decision=decision)
    one = open_person(person)
    one.choose(photo, decisions[decision], engine())
    _print_photos(one)


@photos_app.command("flip")
def photos_flip(
    person: PersonName,
    photo: Annotated[str, typer.Argument(help="The photo's name as listed.")],
) -> None:
    """Flip a photo left to right: a mirrored selfie, as `marks passport` tells them."""
    from realism.person.person import open_person

    one = open_person(person)
    one.flip_photo(photo, engine())
    _print_photos(one)


@app.command("delete")
def delete(
    person: PersonName,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask again.")] = False,
) -> None:
    """Delete a person with photos, LoRA, portraits and marks; nothing is kept."""
    from realism.person.person import open_person

    one = open_person(person)
    if not yes:
        typer.confirm(f"Delete {one.name} with everything derived?", abort=True, err=True)
    print(f"Deleted {one.name}: {', '.join(map(str, one.delete()))}.")


def _print_photos(person) -> None:
    scale = person.photo_to_photo()
    for entry in person.entries():
        state = "accepted" if entry.accepted else "refused"
        by_hand = " by hand" if entry.choice is not None else ""
        near = f", photo-to-photo {scale[entry.name]:.2f}" if entry.name in scale else ""
        print(f"{entry.name}: {state}{by_hand}{near}")
        for reason in (*entry.verdict.reasons, *entry.verdict.notes):
            print(f"    {reason.text}")
    good = sum(entry.accepted for entry in person.entries())
    print(f"{good} of {len(person.entries())} photos of {person.name} are accepted.")


# Step 2 -----------------------------------------------------------------------------------


@app.command("finetune")
def finetune(
    person: Annotated[
        str | None, typer.Argument(help="The person; none is needed for `--stage 1`.")
    ] = None,
    base: BaseName = "pocket",
    stage: Annotated[str, typer.Option(help="1, 2, or both (stage 1 only when new).")] = "both",
    faces: Annotated[Path | None, typer.Option(help="Folder of real faces for stage 1.")] = None,
    one_stage: Annotated[bool, typer.Option("--one-stage", help="Leave stage 1 out.")] = False,
    steps: Annotated[int | None, typer.Option(help="Of the stage that is run.")] = None,
    rank: Annotated[int | None, typer.Option(help="Of the LoRA matrices.")] = None,
    learning_rate: Annotated[float | None, typer.Option()] = None,
    batch: Annotated[int | None, typer.Option(help="Crops a step and process.")] = None,
    restart: Annotated[bool, typer.Option("--restart", help="Do not resume.")] = False,
) -> None:
    """Fine-tune a base: on real faces first, then on the person. Resumes where it stopped.

    Several GPUs: `accelerate launch --multi_gpu -m realism finetune --stage 1 --faces DIR`.
    """
    from dataclasses import replace

    from realism.diffusion.base import load_base
    from realism.finetune import stages as training
    from realism.person.person import open_person

    if stage not in ("1", "2", "both"):
        raise InputError("unknown_stage", stage=stage)
    if person is None and stage != "1":
        raise InputError("person_not_named")
    one = open_person(person) if person else None
    photos = [(entry.photo(), entry.verdict.face) for entry in one.accepted()] if one else []
    loaded, chosen = load_base(base, progress=say_download), engine()
    say(f"Base: {loaded.name}. {loaded.provenance}")
    asked = {"rank": rank, "learning_rate": learning_rate, "batch": batch}
    asked = {key: value for key, value in asked.items() if value is not None}
    first, second = (replace(settings, **asked) for settings in training.default_stages(loaded))
    if steps is not None:
        first, second = replace(first, steps=steps), replace(second, steps=steps)
    folder = faces or training.FACES
    done = None if one_stage else training.find_stage1(loaded, first, folder)
    if stage == "1" or (stage == "both" and done is None and not one_stage):
        say(f"Stage 1, on {folder}:")
        _walk(training.finetune_faces(loaded, chosen, folder, first, resume=not restart))
        done = training.find_stage1(loaded, first, folder)
    elif done:
        say(f"Stage 1 is done already: {done}")
    if stage == "1":
        print(f"In {done}")
        return
    say(f"Stage 2, on {len(photos)} photos of {one.name}:")
    out = one.adapter_folder(loaded.name)
    _walk(
        training.finetune_person(
            loaded, chosen, photos, one.subject, out, done, second, resume=not restart
        )
    )
    print(f"In {out}")


def _walk(events) -> None:
    """Walk a fine-tune and say how it goes, about every tenth step."""
    from realism.progress import line_of

    for event in events:
        if text := line_of(event):
            say(f"  {text}")


# Step 3 -----------------------------------------------------------------------------------


@app.command("portraits")
def portraits(
    person: PersonName,
    base: BaseName = "pocket",
    style: Annotated[str, typer.Option(help="A preset; `--style list` names them.")] = "studio",
    prompt: Annotated[str, typer.Option(help="Own words; {person} is the person.")] = "",
    negative_prompt: Annotated[str, typer.Option(help="What to keep away from.")] = "",
    count: Annotated[int, typer.Option(help="1 to 64.")] = PORTRAITS.count,
    seed: Annotated[int | None, typer.Option(help="Of the first; the next ones count up.")] = None,
    steps: Annotated[int, typer.Option(help="Of the sampler.")] = PORTRAITS.steps,
    guidance_scale: Annotated[
        float | None, typer.Option(help="1 to 30; without, what suits the base.")
    ] = None,
    adapter: Annotated[str, typer.Option(help="best, last, none, or a LoRA file.")] = "best",
    weight: Annotated[float, typer.Option(help="Of the person's LoRA.")] = 1.0,
    style_lora: Annotated[Path | None, typer.Option(help="A style's .safetensors.")] = None,
    style_weight: Annotated[float, typer.Option(help="Of the style's LoRA.")] = 0.25,
    label: Annotated[str, typer.Option(help="en or zh: a visible notice in a corner.")] = "",
) -> None:
    """Make portraits of a person and rank them; a folder with PNGs and ranking.json."""
    from realism.diffusion.base import load_base
    from realism.diffusion.lora import Adapter
    from realism.person.person import open_person
    from realism.portraits.sample import (
        make_portraits,
        new_seeds,
        save_portrait,
        unread_prompt_end,
    )
    from realism.portraits.styles import find_style, load_styles, prompt_for

    if style == "list":
        for one in load_styles():
            print(f"{one.slug:14} {one.name} / {one.name_zh}: {one.note}")
        return
    if label not in ("", "en", "zh"):
        raise InputError("unknown_label_language", label=label)
    one = open_person(person)
    one.accepted()
    preset = find_style(style)
    loaded = load_base(base, progress=say_download)
    say(f"Base: {loaded.name}. {loaded.provenance}")
    lora = one.adapter(loaded.name, adapter)
    words = prompt_for(prompt or preset.prompt, one.subject if lora else one.class_word)
    if rest := unread_prompt_end(loaded, words):
        say(f"  The prompt is too long for this base; it does not read: {rest}")
    seeds, run = new_seeds(count, seed), one.new_run()
    made = make_portraits(
        loaded, words, negative_prompt or preset.negative_prompt, seeds, steps, guidance_scale,
        Adapter(lora, weight) if lora else None,
        [Adapter(style_lora, style_weight)] if style_lora else [],
    )  # fmt: skip
    for number, portrait in enumerate(made, 1):
        save_portrait(portrait, one.portrait_file(run, number, portrait.seed), label)
        say(f"  {number} of {count}, seed {portrait.seed}")
    _print_ranked(one.rank_run(run, engine()), one.photo_to_photo())
    print(f"In {run}")


@app.command("rank")
def rank_portraits(
    photos: Annotated[Path, typer.Option(help="Folder with photos of the person.")],
    portraits: Annotated[Path, typer.Option(help="Folder with portraits.")],
    json: Annotated[Path | None, typer.Option(help="Where to write the result.")] = None,
) -> None:
    """Order portraits by their likeness to the photos, the closest first."""
    from realism.checks import photo_to_photo
    from realism.disk import write_json
    from realism.faces.engine import primary_face
    from realism.portraits.rank import rank, rank_to_json

    chosen, known = engine(), []
    for photo in _pictures(photos):
        try:
            known.append((photo.name, primary_face(chosen.find(photo.pixels)).embedding))
        except InputError as reason:
            say(f"  {photo.name} is left out: {reason}")
    if not known:
        raise InputError("no_photo_with_one_face")
    shown = [(picture.name, chosen.find(picture.pixels)) for picture in _pictures(portraits)]
    names, embeddings = zip(*known, strict=True)
    scale = dict(zip(names, photo_to_photo(list(embeddings)), strict=True))
    ranked = rank(shown, known, photo_to_photo=list(scale.values()))
    if json:
        write_json(json, rank_to_json(ranked))
    _print_ranked(ranked, scale)


@app.command("bases")
def bases(
    where: Annotated[str | None, typer.Argument(help="A base to fetch and read.")] = None,
) -> None:
    """List recommended bases; or fetch one and say what it is."""
    from realism.diffusion.base import load_base, recommended_bases

    if where:
        loaded = load_base(where, progress=say_download)
        print(f"{loaded.name}: {loaded.family}, {loaded.resolution} px, licence: {loaded.licence}")
        print(f"{loaded.provenance or 'provenance not known'} ({loaded.path})")
        return
    for one in recommended_bases():
        size = f"{one.size_gb} GB" if one.size_gb else "ships with the program"
        print(f"{one.name} ({one.family}, {one.resolution} px, {size}, GPU {one.gpu_memory_gb} GB)")
        print(f"    {' or '.join(one.where)}; licence: {one.licence}. {one.note}")


# Step 4 -----------------------------------------------------------------------------------


@marks_app.command("find")
def marks_find(
    images: Annotated[list[Path], typer.Argument(help="Pictures with a face.")],
    json: Annotated[Path | None, typer.Option(help="Where to write the result.")] = None,
    method: FinderMethod = FINDER_METHOD,
    weights: FinderWeights = None,
    threshold: Annotated[float | None, typer.Option(help="Least score, 0 to 1.")] = None,
    together: Annotated[
        bool, typer.Option("--together", help="All show one person: each helps to judge the rest.")
    ] = False,
    export: Annotated[
        tuple[str, Path] | None,
        typer.Option(help="whale-anno FOLDER: a project to correct the findings in."),
    ] = None,
) -> None:
    """Find moles, spots, acne and wrinkles on the skin of a face."""
    from realism.disk import write_json
    from realism.faces.engine import primary_face
    from realism.faces.skin import skin_mask
    from realism.images import open_photo
    from realism.marks.find.finders import METHODS, find_marks
    from realism.marks.find.multiview import find_together
    from realism.marks.mark import KINDS, marks_to_json
    from realism.marks.photo import source_of
    from realism.marks.teach.whale_anno import refuse_annotated, write_whale

    if export and export[0] != "whale-anno":
        raise InputError("unknown_export", export=export[0])
    if export:
        refuse_annotated(export[1])
    if len({image.name for image in images}) < len(images):
        raise InputError("same_picture_name")
    if together and method != METHODS[0]:
        raise InputError("finder_not_together", finder=METHODS[0])
    photos, chosen, found = [open_photo(image) for image in images], engine(), []

    def told(name: str, marks: list) -> None:
        found.append((name, marks))
        counts = {kind: sum(mark.kind == kind for mark in marks) for kind in KINDS}
        print(f"{name}: " + ", ".join(f"{count} {kind}" for kind, count in counts.items()))

    sources = []
    for photo in photos:
        face = _named(photo.name, lambda: primary_face(chosen.find(photo.pixels)))  # noqa: B023
        if together:
            sources.append(source_of(photo, face))
        else:
            skin = skin_mask(photo.pixels, face)
            marks = find_marks(photo.pixels, face, skin, method, weights, threshold)
            told(photo.name, marks)
    if together:
        _refuse_strangers(sources, chosen)
        for source in _said(find_together(sources, (), weights, threshold)):
            told(source.name, source.marks)
    if json:
        write_json(json, marks_to_json(found))
    if export:
        folder, sizes = export[1].resolve(), [photo.pixels.shape[1::-1] for photo in photos]
        marks = [marks for _, marks in found]
        write_whale(folder, folder.name, list(zip(images, sizes, marks, strict=True)))
        say(f"Correct them in whale-anno: put {folder} into its app/projects.")


@marks_app.command("serve")
def marks_serve(
    port: Annotated[int, typer.Option(help="whale-anno's button knows 5000 only.")] = 5000,
    host: Annotated[str, typer.Option(help="The address to listen at.")] = "127.0.0.1",
    kind: Annotated[
        list[str] | None, typer.Option(help="mole, spot, acne or wrinkle; may be repeated.")
    ] = None,
    method: FinderMethod = FINDER_METHOD,
    weights: FinderWeights = None,
    threshold: Annotated[float | None, typer.Option(help="Least score, 0 to 1.")] = None,
    origin: Annotated[
        list[str] | None, typer.Option(help="http://HOST:9060, if whale-anno runs elsewhere.")
    ] = None,
) -> None:
    """Answer whale-anno's automatic-annotation button. All points get the label chosen there."""
    from realism.faces.engine import primary_face
    from realism.faces.skin import skin_mask
    from realism.marks.find.finders import find_marks
    from realism.marks.mark import KINDS
    from realism.marks.teach.server import server

    for one in kind or ():
        if one not in KINDS:
            raise InputError("mark_kind_not_known", kind=one, choices=KINDS)
    chosen = engine()

    def find(pixels):
        face = primary_face(chosen.find(pixels))
        skin = skin_mask(pixels, face)
        found = find_marks(pixels, face, skin, method, weights, threshold)
        say(f"  {len(found)} marks found")
        return [mark for mark in found if mark.kind in (kind or KINDS)]

    with server(find, host, port, tuple(origin or ())) as serving:
        say(f"whale-anno's button is answered at {host}:{serving.server_port}; Ctrl-C ends it.")
        serving.serve_forever()


@marks_app.command("train")
def marks_train(
    annotations: Annotations,
    images: AnnotatedImages = None,
    model: Annotated[str, typer.Option(help="heatmap, resnet50 or compact.")] = "heatmap",
    weights: Annotated[Path | None, typer.Option("--from", help="Weights to build on.")] = None,
    out: Annotated[Path, typer.Option(help="Folder to write to.")] = Path("outputs/finder"),
    steps: Annotated[int | None, typer.Option(help="Of the optimiser.")] = None,
    batch: Annotated[int | None, typer.Option(help="Faces a step.")] = None,
    learning_rate: Annotated[float | None, typer.Option()] = None,
    judge_every: Annotated[int | None, typer.Option(help="Steps to a checkpoint.")] = None,
    size: Annotated[int | None, typer.Option(help="px at which faces are seen.")] = None,
    restart: Annotated[bool, typer.Option("--restart", help="Do not resume.")] = False,
) -> None:
    """Train a finder on your whale-anno annotations. Resumes where it stopped."""
    from realism.marks.teach.run import train_on

    lines = train_on(
        annotations, images, engine(), out, model, weights, size, restart, steps=steps,
        batch=batch, learning_rate=learning_rate, judge_every=judge_every,
    )  # fmt: skip
    print(_said(lines))


@marks_app.command("evaluate")
def marks_evaluate(
    annotations: Annotations,
    images: AnnotatedImages = None,
    method: FinderMethod = FINDER_METHOD,
    weights: FinderWeights = None,
    threshold: Annotated[float, typer.Option(help="Least score, 0 to 1.")] = 0.5,
    out: Annotated[Path, typer.Option(help="Folder to write to.")] = Path("outputs/evaluated"),
) -> None:
    """How many of the marks that you annotated a finder finds, and how many it makes up."""
    from realism.marks.teach.run import evaluate_on

    print(_said(evaluate_on(annotations, images, engine(), out, method, weights, threshold)))


@marks_app.command("restore")
def marks_restore(
    portrait: Annotated[Path, typer.Argument(help="A portrait of any generator.")],
    photo: Annotated[list[Path], typer.Option(help="A photo of the person; may be repeated.")],
    out: Annotated[Path, typer.Option(help="Where to write the PNG.")],
    marks: Annotated[Path | None, typer.Option(help="JSON of `marks find`.")] = None,
    report: Annotated[Path | None, typer.Option(help="Where to write the report.")] = None,
    card: Annotated[Path | None, typer.Option(help="Where to write the fidelity card.")] = None,
    method: Annotated[str, typer.Option(help="ratio (ours) or paste (the original).")] = "ratio",
    placement: Annotated[str, typer.Option(help="head (ours) or nearest3.")] = "head",
    seen: Annotated[
        int | None,
        typer.Option(min=1, help="Photos that must show a mark; 2, where there are 3 or more."),
    ] = None,
    strength: Annotated[float, typer.Option(help="0 to 1.5; of all marks.")] = 1.0,
    mole: Annotated[float, typer.Option(help="0 to 1.5.")] = 1.0,
    spot: Annotated[float, typer.Option(help="0 to 1.5.")] = 1.0,
    acne: Annotated[float, typer.Option(help="0 to 1.5.")] = 1.0,
    wrinkle: Annotated[float, typer.Option(help="0 to 1.5.")] = 1.0,
) -> None:
    """Put the marks of the photos back into a portrait; all else stays bit for bit."""
    from realism.disk import read_json, write_json
    from realism.images import open_photo, save_png
    from realism.marks.mark import marks_by_image
    from realism.marks.observation import BELIEVED
    from realism.marks.restore.blend import Sliders
    from realism.workflow import translated
    from realism.workflow.marks import find_marks_of_photos
    from realism.workflow.restore import RestoreOptions, restore_portrait, save_restored

    strengths = {"overall": strength, "mole": mole, "spot": spot, "acne": acne, "wrinkle": wrinkle}
    for name, value in strengths.items():
        if not 0 <= value <= 1.5:
            raise InputError("strength_out_of_range", kind=name, strength=value)
    for file in (out, card):
        if file and file.suffix.lower() != ".png":
            raise InputError("output_not_png_name", name=file.name)
    if len({file.name for file in photo}) < len(photo):
        raise InputError("same_photo_name")
    target, photos = open_photo(portrait), [open_photo(file) for file in photo]
    given = marks_by_image(read_json(marks, "file_marks")) if marks else {}
    if marks and not any(one.name in given for one in photos):
        raise InputError("marks_of_other_photos", name=marks.name)
    chosen = engine()
    names = {one.name for one in photos} if marks else ()
    looking = find_marks_of_photos(photos, chosen, given, reviewed=names)
    sources = _said(translated(looking, lambda event: event.name))
    # Marks in a file were chosen: each of them is meant.
    least = seen or (1 if marks else BELIEVED)
    options = RestoreOptions(method, placement, Sliders(**strengths), least)
    restored = restore_portrait(target, sources, chosen, options)
    save_restored(restored.pixels, portrait, out)
    if report:
        write_json(report, restored.report)
    if card:
        save_png(card, restored.card())
    placed, near = restored.report["placements"], restored.report["similarity"]
    put = sum(one["visible"] for one in placed)
    seldom = sum(one["code"] == "seen_on_few" for one in placed)
    print(
        f"{put} of {len(placed)} marks put back; {len(placed) - put - seldom} cannot be seen "
        f"there, {seldom} are on too few photos."
    )
    after = "no face found any more" if near["after"] is None else f"{near['after']:.3f}"
    print(f"Similarity before {near['before']:.3f}, after {after}.")


@marks_app.command("passport")
def marks_passport(
    person: Annotated[str, typer.Argument(help="Whose photos are looked at.")],
    json: Annotated[Path | None, typer.Option(help="Where to write it as JSON.")] = None,
    picture: Annotated[Path | None, typer.Option(help="Where to write the head as PNG.")] = None,
) -> None:
    """All marks of a person on one head, in how many photos each is seen; what to take next."""
    from realism.disk import write_json
    from realism.draw.passport import draw
    from realism.images import save_png
    from realism.marks.atlas import atlas_to_json, build_atlas, counts
    from realism.marks.coverage import coach
    from realism.marks.find.multiview import find_together
    from realism.marks.photo import source_of
    from realism.person.person import open_person
    from realism.progress import reworded

    one = open_person(person)
    if picture and picture.suffix.lower() != ".png":
        raise InputError("picture_not_png_name", name=picture.name)
    known, sources = one.marks(), []
    for entry in one.accepted():
        sources.append(source_of(entry.photo(), entry.verdict.face, known.get(entry.name)))
    looking = find_together(sources, one.settled(source.name for source in sources))
    sources = _said(reworded(looking, lambda _number, name: f"looking at {name}"))
    for source in sources:
        say(f"  {source.name}: {len(source.marks)} marks")
    one.save_marks(known | {source.name: source.marks for source in sources})
    atlas = build_atlas(sources)
    version = one.save_passport(atlas)
    if json:
        write_json(json, atlas_to_json(atlas, version))
    if picture:
        save_png(picture, draw(atlas))
    for entry in atlas.entries:
        state = "" if entry.on else ", off: seen once only"
        seen = f"{len(entry.seen_in)} of {entry.chances} photos that could show it"
        print(f"{entry.mark.kind}, radius {entry.size:.1f} mm: in {seen}{state}")
    print("On: " + ", ".join(f"{count} {kind}" for kind, count in counts(atlas).items()))
    for name in atlas.mirrored:
        print(f"{name} seems to be mirrored: its marks agree with the others' when it is flipped.")
    print(coach(atlas.coverage))


def _refuse_strangers(sources, chosen) -> None:
    """Raise InputError for a photo that seems to show another person than the rest."""
    from realism.checks import similarity_to_others

    if len(sources) < 2:
        return
    faces = [source.face.embedding for source in sources]
    cosines, limit = similarity_to_others(faces, chosen.same_person)
    for source, cosine in zip(sources, cosines, strict=True):
        if cosine < limit:
            raise InputError(
                "stranger_among_photos", name=source.name, likeness=cosine, least=limit
            )


def _said(lines):
    """Say each line as it comes; -> what the generator returns at its end."""
    from realism.workflow import run_through, translated

    return run_through(translated(lines, lambda line: say(f"  {line}")))


def _named(name: str, step):
    """The result of `step`; what it says of a picture gets the picture's name."""
    try:
        return step()
    except InputError as reason:
        raise InputError("of_picture", name=name, reason=reason) from reason


# Demo -------------------------------------------------------------------------------------


@app.command("demo")
def demo(
    out: Annotated[Path, typer.Option(help="Where to write.")] = Path("outputs/demo"),
    person: Annotated[str, typer.Option(help="An example person: mei or ravi.")] = "mei",
) -> None:
    """The whole job on an example person, without a GPU or a model hub."""
    from realism.cli.demo import run_demo

    for text in run_demo(out, person):
        say(text)


def say_download(share: float, what: str) -> None:
    """Progress of a download on one line."""
    say(f"  {share:4.0%} {what}")


def _pictures(folder: Path) -> list:
    """All pictures of a folder, by name; what cannot be opened is said and left out."""
    from realism.images import SUFFIXES, open_photo

    if not folder.is_dir():
        raise InputError("folder_not_found", folder=folder)
    opened = []
    for file in sorted(folder.iterdir()):
        if file.suffix.lower() in SUFFIXES:
            try:
                opened.append(open_photo(file))
            except InputError as reason:
                say(f"  left out: {reason}")
    if not opened:
        raise InputError("folder_without_pictures", folder=folder)
    return opened


def _print_ranked(ranked: list, scale: dict[str, float]) -> None:
    for one in ranked:
        if one.similarity is None:
            print(f"{one.rank:3}. {one.name}: {one.reason}")
        else:
            copied = "; closer than the photos are to each other: a copy?" if one.copied else ""
            print(f"{one.rank:3}. {one.name}: {one.similarity:.3f} to {one.closest_photo}{copied}")
    if scale:
        low, high = min(scale.values()), max(scale.values())
        print(f"The person's own photos are {low:.2f} to {high:.2f} to each other.")


# Entry ------------------------------------------------------------------------------------


def main() -> None:
    """Run a verb; a person's mistake ends with one line and exit code 2."""
    os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
    try:
        app()
    except InputError as error:
        say(f"realism: {error}")
        sys.exit(2)
    except KeyboardInterrupt:
        say("realism: stopped; what was finished is kept.")
        sys.exit(130)
