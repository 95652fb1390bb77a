"""Tab 3, Portraits: make them, see them ranked, take one on to its marks."""

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import gradio as gr
from gradio.events import Dependency

from realism.config import PORTRAITS
from realism.diffusion.base import load_base
from realism.diffusion.lora import Adapter
from realism.errors import InputError
from realism.faces.engine import load_engine
from realism.page import draw as drawn
from realism.page.finetune import on_base
from realism.page.i18n import Spoken, text
from realism.page.session import (
    DEVICE,
    QUIET,
    Shared,
    chosen,
    hand_over,
    handed,
    line,
    lora_of,
    passing_folder,
    told,
)
from realism.person.person import Person, write_zip
from realism.portraits.rank import Ranked
from realism.portraits.sample import (
    Portrait,
    default_guidance,
    describe_parameters,
    new_seeds,
    read_parameters,
    sample_portraits,
    save_portrait,
)
from realism.portraits.styles import find_style, load_styles, prompt_for

STYLE_WEIGHT = 0.25  # FaceChain's default: more and the person gives way to the style


def layout(say: Spoken) -> SimpleNamespace:
    """Left what to make, right what was made, the closest first."""
    first = load_styles()[0]
    needs = gr.HTML(elem_classes="needs")
    with gr.Row():
        with gr.Column(scale=2, min_width=300):
            preset = say(gr.Dropdown, "portraits.style", choices=_presets("en"), value=first.slug)
            prompt = say(gr.Textbox, "portraits.prompt", value=first.prompt, lines=4)
            count = say(
                gr.Slider, "portraits.count", minimum=1, maximum=PORTRAITS.max_count, step=1,
                value=PORTRAITS.count, buttons=[],
            )  # fmt: skip
            with gr.Row():
                make = say(gr.Button, "portraits.make", variant="primary", min_width=160)
                stop = say(gr.Button, "portraits.stop", min_width=80)
            with say(gr.Accordion, "portraits.advanced", open=False):
                negative = say(
                    gr.Textbox, "portraits.negative", value=first.negative_prompt, lines=2
                )
                seed = say(gr.Textbox, "portraits.seed", value="", max_lines=1)
                guidance = say(
                    gr.Slider, "portraits.guidance", minimum=1, maximum=12, step=0.5,
                    value=default_guidance("pocket"),
                )  # fmt: skip
                steps = say(
                    gr.Slider, "portraits.steps", minimum=5, maximum=60, step=1,
                    value=PORTRAITS.steps,
                )  # fmt: skip
                which = say(gr.Radio, "portraits.adapter", value="best")
                brought = say(gr.File, "portraits.brought", file_types=[".safetensors"], height=140)
                weight = say(
                    gr.Slider, "portraits.weight", minimum=0, maximum=1.5, step=0.05, value=1.0
                )
                look = say(gr.File, "portraits.look", file_types=[".safetensors"], height=140)
                look_weight = say(
                    gr.Slider, "portraits.look_weight", minimum=0, maximum=1.5, step=0.05,
                    value=STYLE_WEIGHT,
                )  # fmt: skip
                label = say(gr.Checkbox, "portraits.label", value=False)
            say(gr.Markdown, "portraits.tips", elem_classes="tips")
        with gr.Column(scale=5, min_width=300):
            said = gr.HTML(elem_classes="said")
            with gr.Row(elem_classes="foot"):
                run = say(gr.Dropdown, "portraits.run", choices=[], value=None, min_width=180)
                zipped = say(gr.Button, "portraits.zip", min_width=190, scale=0)
                pack = handed("portraits-pack")
            gallery = say(
                gr.Gallery, "portraits.gallery", format="png", columns=4, height="auto",
                allow_preview=False, object_fit="cover", interactive=False, buttons=[],
                show_label=False, elem_classes="portraits",
            )  # fmt: skip
            with gr.Row(visible=False) as detail:
                picture = say(
                    gr.Image, "portraits.picture", format="png", type="filepath",
                    interactive=False, buttons=["download", "fullscreen"], show_label=False,
                    scale=3, min_width=260, elem_classes="large",
                )  # fmt: skip
                with gr.Column(scale=2, min_width=220):
                    about = gr.HTML(elem_classes="verdict")
                    restore = say(gr.Button, "portraits.restore", variant="primary")
    # Of the run that is shown: what the ranking says, in the gallery's order; the one looked at.
    ranked, one = gr.State([]), gr.State(None)
    return SimpleNamespace(
        needs=needs, preset=preset, prompt=prompt, count=count, make=make, stop=stop,
        negative=negative, seed=seed, guidance=guidance, steps=steps, which=which,
        brought=brought, weight=weight, look=look, look_weight=look_weight, label=label,
        said=said, run=run, zipped=zipped, pack=pack, gallery=gallery, detail=detail,
        picture=picture, about=about, restore=restore, ranked=ranked, one=one,
    )  # fmt: skip


def wire(w: SimpleNamespace, shared: Shared, refresh: dict, marks: SimpleNamespace) -> Dependency:
    """Join the widgets to the handlers below.

    refresh    arguments of the event that redraws the standing
    marks      the widgets of tab 4, where a portrait is carried
    ->         the event of its being carried there
    """
    who = [shared.person, shared.root, shared.language]
    show = {
        "fn": on_show, "inputs": [*who, shared.base], "outputs": w.needs, **QUIET
    }  # fmt: skip
    arrive = {
        "fn": on_arrive, "inputs": [w.said, *who],
        "outputs": [w.run, w.gallery, w.ranked, w.said, w.detail], **QUIET,
    }  # fmt: skip
    opened = {
        "fn": on_open, "inputs": [w.run, *who], "outputs": [w.gallery, w.ranked, w.said, w.detail],
        **QUIET,
    }  # fmt: skip
    shared.tabs.select(**show).then(**arrive)
    shared.language.change(**show).then(**opened)
    shared.person.change(on_leave, None, [w.gallery, w.ranked, w.said, w.detail], **QUIET).then(
        **show
    ).then(**arrive)
    shared.language.change(on_language, shared.language, w.preset, **QUIET)
    shared.base.change(default_guidance, shared.base, w.guidance, **QUIET)
    w.preset.input(on_style, w.preset, [w.prompt, w.negative], **QUIET)
    w.brought.upload(lambda: "file", None, w.which, **QUIET)
    loading = w.make.click(
        on_base, [shared.base, shared.language], w.said,
        show_progress_on=w.said, api_visibility="private", **DEVICE,
    )  # fmt: skip
    making = loading.success(
        on_make,
        [*who, shared.base, w.prompt, w.negative, w.count, w.seed, w.guidance, w.steps, w.which,
         w.brought, w.weight, w.look, w.look_weight, w.label],
        [w.gallery, w.said, w.run, w.ranked, w.detail],
        api_name="make_portraits", show_progress="hidden", **DEVICE,
    )  # fmt: skip
    making.then(**refresh)
    w.stop.click(on_stop, shared.language, w.said, cancels=[loading, making], **QUIET).then(
        **show
    ).then(**arrive).then(**refresh)
    w.run.input(**opened)
    hand_over(w.zipped.click(on_zip, [w.run, *who], w.pack, **QUIET), w.pack)
    w.gallery.select(
        on_select, [w.run, w.ranked, *who], [w.detail, w.picture, w.about, w.one], **QUIET
    )
    return w.restore.click(
        lambda one: (one, gr.Tabs(selected="marks")), w.one, [marks.portrait, shared.tabs], **QUIET
    )


def on_show(name: str | None, root: Path | None, language: str, base: str) -> str:
    """What is missing before portraits can be made."""
    if not name:
        return line(text(language, "header.nobody"))
    with told(language):
        person = chosen(name, root)
        needs = ""
        if not any(entry.accepted for entry in person.records()):
            needs = text(language, "portraits.needs_photos", name=person.name)
        elif not lora_of(person, base):
            needs = text(language, "portraits.needs_lora", name=person.name)
        return line(needs)


def on_arrive(said: str, name: str | None, root: Path | None, language: str) -> tuple:
    """The runs there are, and the newest, where nothing is shown or being made yet."""
    # Choices and choice in one update: Gradio refuses a value that is not among the choices, and
    # events of page and person may overtake one another.
    rest = (gr.skip(),) * 4
    if not name:
        return gr.update(choices=[], value=None), *rest
    with told(language):
        person = chosen(name, root)
        if said:
            return gr.update(choices=_runs(person)), *rest
        runs = [run for run in person.runs() if any(run.glob("*.png"))]
        if not runs or not any(entry.accepted for entry in person.records()):
            return gr.update(choices=_runs(person), value=None), *rest
        shown = _shown(person, runs[0], language)
        return gr.update(choices=_runs(person), value=runs[0].name), *shown


def on_leave() -> tuple:
    """Another person is shown: what was made of the last one leaves the screen."""
    return [], [], "", gr.update(visible=False)


def on_language(language: str):
    """The presets under their names in this language."""
    return gr.update(choices=_presets(language))


def on_style(slug: str) -> tuple[str, str]:
    """The preset's words."""
    preset = find_style(slug)
    return preset.prompt, preset.negative_prompt


def on_make(
    name: str | None, root: Path | None, language: str, base_name: str, prompt: str,
    negative: str, count: int, seed: str, guidance: float, steps: int, which: str,
    brought: str | None, weight: float, look: str | None, look_weight: float, label: bool,
) -> Iterator[tuple]:  # fmt: skip
    """Make portraits; each is shown when it is there, all of them ranked at the end."""
    with told(language):
        person = chosen(name, root)
        person.accepted()
        if seed.strip() and not seed.strip().isdecimal():
            raise InputError("seed_not_a_number")
        seeds = new_seeds(int(count), int(seed) if seed.strip() else None)
        base = load_base(base_name)
        yield [], "", gr.skip(), [], gr.update(visible=False)
        lora = person.adapter(base.name, brought or "" if which == "file" else which)
        words = prompt_for(prompt, person.subject if lora else person.class_word)
        run, made = person.new_run(), []
        walk = sample_portraits(
            base, words, negative, seeds, int(steps), guidance,
            Adapter(lora, weight) if lora else None,
            [Adapter(Path(look), look_weight)] if look else [],
        )  # fmt: skip
        for event in walk:
            if isinstance(event, Portrait):
                file = person.portrait_file(run, len(made) + 1, event.seed)
                save_portrait(event, file, language if label else "")
                made.append((str(file), str(event.seed)))
                yield made, gr.skip(), gr.skip(), gr.skip(), gr.skip()
                continue
            done = (event.number - 1 + event.step / event.steps) / event.of
            said = text(language, "portraits.making", number=event.number, of=event.of)
            yield gr.skip(), drawn.bar(done) + line(said), gr.skip(), gr.skip(), gr.skip()
        gallery, ranked, said, _ = _shown(person, run, language)
        yield gallery, said, gr.update(choices=_runs(person), value=run.name), ranked, gr.skip()


def on_stop(language: str) -> str:
    """What the person reads after a stop."""
    return line(text(language, "portraits.stopped"))


def on_open(run: str | None, name: str | None, root: Path | None, language: str) -> tuple:
    """Show an earlier run."""
    if not run:
        return (gr.skip(),) * 4
    with told(language):
        person = chosen(name, root)
        return _shown(person, _run(person, run), language)


def on_zip(run: str | None, name: str | None, root: Path | None, language: str) -> str:
    """All portraits of the run with their ranking, in one file."""
    with told(language):
        person = chosen(name, root)
        folder = _run(person, run)
        files = sorted(file for file in folder.rglob("*") if file.is_file())
        into = passing_folder() / f"{person.folder.name}-{folder.name}.zip"
        return str(write_zip(into, files, folder))


def on_select(
    run: str | None, ranked: list[Ranked], name: str, root: Path | None, language: str,
    event: gr.SelectData,
) -> tuple:  # fmt: skip
    """One portrait, large, with what the ranking says of it."""
    with told(language):
        if not ranked:  # still being made
            return gr.skip(), gr.skip(), gr.skip(), gr.skip()
        person = chosen(name, root)
        one = ranked[event.index]
        file = _run(person, run) / one.name
        parameters = read_parameters(file)
        told_of = [_ranked_line(one, person, language)]
        if one.copied:
            told_of.append(text(language, "portraits.copied"))
        told_of.append(describe_parameters(parameters) if parameters else one.name)
        said = "".join(map(line, told_of))
        return gr.update(visible=True), str(file), said, str(file)


# What is shown --------------------------------------------------------------------------------


def _presets(language: str) -> list[tuple[str, str]]:
    return [(one.name_zh if language == "zh" else one.name, one.slug) for one in load_styles()]


def _runs(person: Person) -> list[str]:
    return [run.name for run in person.runs()]


def _run(person: Person, name: str | None) -> Path:
    """The folder of a run that the page shows; raises InputError when none is chosen."""
    for run in person.runs():
        if run.name == name:
            return run
    raise InputError("run_not_chosen")


def _shown(person: Person, run: Path, language: str) -> tuple:
    """Gallery, ranking and headline of a run."""
    ranked = person.rank_run(run, load_engine())
    gallery = [(str(run / one.name), _caption(one, language)) for one in ranked]
    return gallery, ranked, line(_headline(person, ranked, language)), gr.update(visible=False)


def _caption(one: Ranked, language: str) -> str:
    if one.similarity is None:
        return f"{one.rank} · {text(language, 'portraits.not_compared')}"
    return f"{one.rank} · {one.similarity:.2f} · {one.closest_photo}"


def _headline(person: Person, ranked: list[Ranked], language: str) -> str:
    compared = [one.similarity for one in ranked if one.similarity is not None]
    if not compared:
        return text(language, "portraits.none_compared", count=len(ranked))
    said = text(
        language, "portraits.ranked", count=len(ranked), best=max(compared), least=min(compared)
    )
    scale = list(person.photo_to_photo().values())
    if not scale:
        return said
    near = sum(value >= min(scale) for value in compared)
    return f"{said} " + text(
        language, "portraits.scale", low=min(scale), high=max(scale), near=near
    )


def _ranked_line(one: Ranked, person: Person, language: str) -> str:
    if one.similarity is None:
        return one.reason.text(language)
    scale = person.photo_to_photo().values()
    return text(
        language, "portraits.one", rank=one.rank, similarity=one.similarity,
        photo=one.closest_photo, mean=one.mean_of_three, low=min(scale, default=0),
        high=max(scale, default=0),
    )  # fmt: skip
