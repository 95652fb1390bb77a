"""Layout and wiring of tab 4; the handlers are in `marks.py`."""

from types import SimpleNamespace

import gradio as gr
from gradio.events import Dependency

from realism.images import SUFFIXES
from realism.marks.find.finders import DEFAULT_FINDER
from realism.marks.mark import KINDS
from realism.marks.observation import LEAST_OBSERVATIONS
from realism.marks.restore.blend import Sliders
from realism.marks.restore.placement import PLACEMENTS
from realism.marks.restore.prepare import METHODS
from realism.page.i18n import Spoken, text
from realism.page.marks import handlers as marks
from realism.page.session import DEVICE, QUIET, Shared, hand_over, handed

CLICKS = ("switch", "delete", *KINDS)
PLACED_CLICKS = ("switch", "move")
OTHERS = ("brightness_match", "denoise", "edge_softness")


def layout(say: Spoken) -> SimpleNamespace:
    """Left portrait and photos, right the result and its sliders, below what was found."""
    given = Sliders()
    needs = gr.HTML(elem_classes="needs")
    with gr.Row():
        with gr.Column(scale=2, min_width=300):
            portrait = say(
                gr.Image, "marks.portrait", format="png", type="filepath", height=270,
                sources=["upload", "clipboard"], buttons=[],
            )  # fmt: skip
            mine = say(gr.Dropdown, "marks.mine", choices=[], value=None)
            files = say(
                gr.File, "marks.files", file_count="multiple", file_types=list(SUFFIXES), height=150
            )
            with gr.Row():
                restore = say(gr.Button, "marks.restore", variant="primary", min_width=120)
                stop = say(gr.Button, "marks.stop", min_width=80)
            said = gr.HTML(elem_classes="said")
            with say(gr.Accordion, "marks.advanced", open=False):
                placement = say(gr.Radio, "marks.placement", value=PLACEMENTS[0])
                method = say(gr.Radio, "marks.method", value=METHODS[0])
            say(gr.Markdown, "marks.tips", elem_classes="tips")
        with gr.Column(scale=4, min_width=300):
            result = say(
                gr.ImageSlider, "marks.result", format="png", type="filepath", interactive=False,
                max_height=600, buttons=["fullscreen"],
            )  # fmt: skip
            alike = gr.HTML(elem_classes="summary")
            sliders = [_slider(say, "overall", 1.5, given)]
            with gr.Row():
                sliders += [_slider(say, kind, 1.5, given) for kind in KINDS]
            with say(gr.Accordion, "marks.blending", open=False), gr.Row():
                sliders += [_slider(say, name, 1.0, given) for name in OTHERS]
            with gr.Row():
                save = say(gr.Button, "marks.save", min_width=140)
                card = say(gr.Button, "marks.card", min_width=140)
                every = say(gr.Button, "marks.every", min_width=140)
            saved, pack, carded = (handed(f"marks-{n}") for n in ("saved", "pack", "card"))
    with gr.Row(visible=False) as editing:
        with gr.Column(min_width=300):
            click = say(gr.Radio, "marks.click", value=CLICKS[0])
            photo = say(
                gr.Image, "marks.photo", format="png", interactive=False, buttons=[],
                elem_classes="clickable",
            )  # fmt: skip
            with gr.Row():
                least = say(
                    gr.Slider, "marks.least", minimum=marks.LEAST, maximum=1, step=0.05,
                    value=DEFAULT_FINDER.threshold, min_width=180, buttons=[],
                )  # fmt: skip
                seen = say(
                    gr.Slider, "marks.seen", minimum=1, maximum=6, step=1, value=LEAST_OBSERVATIONS,
                    min_width=180, buttons=[],
                )  # fmt: skip
            export = say(gr.Button, "marks.export", size="sm")
            gallery = say(
                gr.Gallery, "marks.gallery", format="png", columns=6, height="auto",
                allow_preview=False, interactive=False, buttons=[], object_fit="cover",
                show_label=False, elem_classes="strip",
            )  # fmt: skip
        with gr.Column(min_width=300):
            say(gr.Markdown, "marks.placed_tip", elem_classes="tips beside")
            placed_click = say(gr.Radio, "marks.placed_click", value=PLACED_CLICKS[0])
            placed = say(
                gr.Image, "marks.placed", format="png", interactive=False, buttons=[],
                elem_classes="clickable",
            )  # fmt: skip
            table = gr.HTML(elem_classes="table")
            with say(gr.Accordion, "marks.passport", open=False):
                head = gr.Image(format="png", interactive=False, buttons=[], show_label=False)
                passport = gr.HTML(elem_classes="table")
                with gr.Row():
                    make = say(gr.Button, "marks.make_passport", min_width=120)
                    keep = say(gr.Button, "marks.keep_passport", min_width=120)
                    flip = say(gr.Button, "marks.flip", min_width=120, visible=False)
            exported, kept = handed("marks-export"), handed("marks-passport")
    return SimpleNamespace(
        needs=needs, portrait=portrait, mine=mine, files=files, restore=restore, stop=stop,
        said=said, placement=placement, method=method, result=result, alike=alike,
        sliders=sliders, save=save, every=every, saved=saved, pack=pack, editing=editing,
        card=card, carded=carded,
        click=click, least=least, seen=seen, export=export, exported=exported, photo=photo,
        head=head, passport=passport, make=make, keep=keep, kept=kept, flip=flip,
        gallery=gallery, placed=placed, placed_click=placed_click, table=table,
        # Sources by photo name; the portrait with marks laid on; keys of marks switched off;
        # the photo in view; the first point of a wrinkle; the passport; where marks were moved to
        # on portraits; the mark that is lifted.
        sources=gr.State({}), laid=gr.State(None), off=gr.State([]), view=gr.State(None),
        begun=gr.State(None), atlas=gr.State(None), moves=gr.State({}), lifted=gr.State(None),
    )  # fmt: skip


def _slider(say: Spoken, name: str, most: float, given: Sliders) -> gr.Slider:
    return say(
        gr.Slider, f"marks.{name}", minimum=0, maximum=most, step=0.05,
        value=getattr(given, name), min_width=150, buttons=[],
    )  # fmt: skip


def wire(w: SimpleNamespace, shared: Shared, refresh: dict, carried: Dependency) -> None:
    """Join the widgets to the handlers.

    refresh    arguments of the event that redraws the standing
    carried    the event of a portrait's being carried here: its marks are restored at once
    """
    who = [shared.person, shared.root, shared.language]
    # What is done again and again after other events.
    show = {"fn": marks.on_show, "inputs": who, "outputs": [w.needs, w.mine], **QUIET}
    leave = {
        "fn": marks.on_leave,
        "outputs": [
            w.sources, w.laid, w.off, w.moves, w.lifted, w.begun, w.atlas, w.head, w.passport,
            w.flip, w.editing,
        ],
        **QUIET,
    }  # fmt: skip
    lay = {
        "fn": marks.on_prepare,
        "inputs": [
            w.portrait, w.sources, w.least, w.method, w.placement, w.moves, shared.language
        ],
        "outputs": [w.laid, w.said, w.lifted],
        "show_progress": "hidden", "api_visibility": "private", **DEVICE,
    }  # fmt: skip
    lay_moved = lay | {"fn": marks.on_moved, "inputs": [w.laid, *lay["inputs"][1:]]}
    redraw = {
        "fn": marks.on_blend, "inputs": [w.laid, w.off, *w.sliders], "outputs": w.result, **QUIET
    }  # fmt: skip
    views = {
        "fn": marks.on_view, "inputs": [w.sources, w.least, w.laid, w.off, w.view, shared.language],
        "outputs": [w.photo, w.placed, w.table, w.editing], **QUIET,
    }  # fmt: skip
    measure = {
        "fn": marks.on_measure,
        "inputs": [w.laid, w.sources, w.off, shared.language, *w.sliders],
        "outputs": w.alike, **QUIET,
    }  # fmt: skip

    gr.on([shared.person.change, shared.language.change, shared.tabs.select], **show)
    shared.person.change(**leave)
    w.files.change(**leave)
    shared.language.change(**views)
    w.mine.input(marks.on_mine, [w.mine, *who], w.portrait, **QUIET)

    find = {
        "fn": marks.on_find, "inputs": [w.portrait, w.files, w.sources, *who],
        "outputs": [w.sources, w.view, w.gallery, w.said], "show_progress": "hidden", **DEVICE,
    }  # fmt: skip
    rare = {
        "fn": marks.on_rare, "inputs": [w.laid, w.sources, w.seen], "outputs": w.off, **QUIET
    }  # fmt: skip
    restoring = []
    for begun, api in (
        (w.restore.click, {"api_name": "find_marks"}),
        (carried.success, {"api_visibility": "private"}),
    ):
        finding = begun(**find, **api)
        laying = finding.success(**lay)
        laying.success(**rare).success(**redraw).then(**views).then(**measure).then(**refresh)
        restoring += [finding, laying]
    for changed in (w.method.input, w.placement.input):
        changed(**lay).success(**redraw).then(**views).then(**measure)
    # Other marks are on the portrait then: which of them begin off is asked anew.
    w.least.release(**lay).success(**rare).success(**redraw).then(**views).then(**measure)
    w.seen.release(**rare).success(**redraw).then(**views).then(**measure)

    # While a slider moves only its newest place counts, and only the blend is done again.
    gr.on([slider.input for slider in w.sliders], trigger_mode="always_last", **redraw)
    gr.on([slider.release for slider in w.sliders], trigger_mode="always_last", **measure)

    w.gallery.select(marks.on_pick, w.sources, [w.view, w.begun], **QUIET).then(**views)
    w.photo.select(
        marks.on_photo,
        [w.sources, w.least, w.laid, w.off, w.view, w.click, w.begun, w.files, *who],
        [w.sources, w.off, w.begun], **QUIET,
    ).success(**lay).success(**redraw).then(**views).then(**measure)  # fmt: skip
    w.placed.select(
        marks.on_placed,
        [w.laid, w.off, w.placed_click, w.lifted, w.moves, shared.language],
        [w.off, w.lifted, w.moves], **QUIET,
    ).success(**redraw).then(**views).then(**measure)  # fmt: skip
    w.moves.change(**lay_moved).success(**redraw).then(**views).then(**measure)
    w.placed_click.input(lambda: None, None, w.lifted, **QUIET)

    hand_over(
        w.save.click(
            marks.on_save, [w.laid, w.off, shared.language, *w.sliders], w.saved,
            **QUIET,
        ),
        w.saved,
    )  # fmt: skip
    hand_over(
        w.card.click(
            marks.on_card, [w.laid, w.sources, w.off, shared.language, *w.sliders], w.carded,
            **QUIET,
        ),
        w.carded,
    )  # fmt: skip
    hand_over(
        w.export.click(
            marks.on_export, [w.sources, w.least, shared.language], w.exported, **QUIET
        ),
        w.exported,
    )  # fmt: skip
    passport = {
        "fn": marks.on_passport, "inputs": [w.sources, w.least, w.files, *who],
        "outputs": [w.head, w.passport, w.atlas, w.flip],
        "show_progress_on": w.head, "api_visibility": "private", **DEVICE,
    }  # fmt: skip
    w.make.click(**passport).then(**refresh)
    flipping = w.flip.click(
        marks.on_flip, [w.atlas, w.sources, w.files, *who], [w.sources, w.gallery],
        api_visibility="private", **DEVICE,
    ).success(**passport)  # fmt: skip
    flipping.success(**lay).success(**rare).success(**redraw).then(**views).then(**measure)
    hand_over(
        w.keep.click(marks.on_passport_file, [w.atlas, shared.language], w.kept, **QUIET), w.kept
    )
    every = w.every.click(
        marks.on_every,
        [
            w.laid, w.sources, w.least, w.seen, w.off, w.method, w.placement, w.moves, *who,
            *w.sliders,
        ],
        [w.said, w.pack],
        api_visibility="private", show_progress="hidden", **DEVICE,
    )  # fmt: skip
    hand_over(every, w.pack)
    w.stop.click(
        lambda language: marks.line(text(language, "marks.stopped")), shared.language, w.said,
        cancels=[*restoring, every], **QUIET,
    )  # fmt: skip
