"""Layout and wiring of tab 4; the handlers are in `marks.py`."""

from types import SimpleNamespace

import gradio as gr

from realism.marks.mark import KINDS
from realism.marks.place import PLACEMENTS
from realism.marks.restore import METHODS, Sliders
from realism.page import marks
from realism.page.told import DEVICE, QUIET, Shared, hand_over, handed
from realism.page.words import Spoken, text
from realism.photos import SUFFIXES

CLICKS = ("switch", "delete", *KINDS)
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
                every = say(gr.Button, "marks.every", min_width=140)
            saved, pack = handed("marks-saved"), handed("marks-pack")
    with gr.Row(visible=False) as editing:
        with gr.Column(min_width=300):
            click = say(gr.Radio, "marks.click", value=CLICKS[0])
            photo = say(
                gr.Image, "marks.photo", format="png", interactive=False, buttons=[],
                elem_classes="clickable",
            )  # fmt: skip
            gallery = say(
                gr.Gallery, "marks.gallery", format="png", columns=6, height="auto",
                allow_preview=False, interactive=False, buttons=[], object_fit="cover",
                show_label=False, elem_classes="strip",
            )  # fmt: skip
        with gr.Column(min_width=300):
            say(gr.Markdown, "marks.placed_tip", elem_classes="tips beside")
            placed = say(
                gr.Image, "marks.placed", format="png", interactive=False, buttons=[],
                elem_classes="clickable",
            )  # fmt: skip
            table = gr.HTML(elem_classes="table")
    return SimpleNamespace(
        needs=needs, portrait=portrait, mine=mine, files=files, restore=restore, stop=stop,
        said=said, placement=placement, method=method, result=result, alike=alike,
        sliders=sliders, save=save, every=every, saved=saved, pack=pack, editing=editing,
        click=click, photo=photo, gallery=gallery, placed=placed, table=table,
        # Sources by photo name; the portrait with marks laid on; keys of marks switched off;
        # the photo in view; the first point of a wrinkle.
        sources=gr.State({}), laid=gr.State(None), off=gr.State([]), view=gr.State(None),
        begun=gr.State(None),
    )  # fmt: skip


def _slider(say: Spoken, name: str, most: float, given: Sliders) -> gr.Slider:
    return say(
        gr.Slider, f"marks.{name}", minimum=0, maximum=most, step=0.05,
        value=getattr(given, name), min_width=150, buttons=[],
    )  # fmt: skip


def wire(w: SimpleNamespace, shared: Shared, refresh: dict) -> None:
    """Join the widgets to the handlers.

    refresh    arguments of the event that redraws the standing
    """
    who = [shared.person, shared.root, shared.language]
    # What is done again and again after other events.
    show = {"fn": marks.on_show, "inputs": who, "outputs": [w.needs, w.mine], **QUIET}
    leave = {
        "fn": marks.on_leave, "outputs": [w.sources, w.laid, w.off, w.editing], **QUIET
    }  # fmt: skip
    lay = {
        "fn": marks.on_prepare,
        "inputs": [w.portrait, w.sources, w.method, w.placement, shared.language],
        "outputs": [w.laid, w.said],
        "show_progress": "hidden", "api_visibility": "private", **DEVICE,
    }  # fmt: skip
    redraw = {
        "fn": marks.on_blend, "inputs": [w.laid, w.off, *w.sliders], "outputs": w.result, **QUIET
    }  # fmt: skip
    views = {
        "fn": marks.on_view, "inputs": [w.sources, w.laid, w.off, w.view, shared.language],
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

    finding = w.restore.click(
        marks.on_find, [w.portrait, w.files, w.sources, *who],
        [w.sources, w.view, w.gallery, w.said],
        api_name="find_marks", show_progress="hidden", **DEVICE,
    )  # fmt: skip
    laying = finding.success(**lay)
    laying.success(**redraw).then(**views).then(**measure).then(**refresh)
    for choice in (w.method, w.placement):
        choice.input(**lay).success(**redraw).then(**views).then(**measure)

    # While a slider moves only its newest place counts, and only the blend is done again.
    gr.on([slider.input for slider in w.sliders], trigger_mode="always_last", **redraw)
    gr.on([slider.release for slider in w.sliders], trigger_mode="always_last", **measure)

    w.gallery.select(marks.on_pick, w.sources, [w.view, w.begun], **QUIET).then(**views)
    w.photo.select(
        marks.on_photo, [w.sources, w.laid, w.off, w.view, w.click, w.begun, w.files, *who],
        [w.sources, w.off, w.begun], **QUIET,
    ).success(**lay).success(**redraw).then(**views).then(**measure)  # fmt: skip
    w.placed.select(marks.on_placed, [w.laid, w.off], w.off, **QUIET).success(**redraw).then(
        **views
    ).then(**measure)

    hand_over(
        w.save.click(
            marks.on_save, [w.laid, w.off, shared.language, *w.sliders], w.saved,
            **QUIET,
        ),
        w.saved,
    )  # fmt: skip
    every = w.every.click(
        marks.on_every,
        [w.laid, w.sources, w.off, w.method, w.placement, *who, *w.sliders],
        [w.said, w.pack],
        api_visibility="private", show_progress="hidden", **DEVICE,
    )  # fmt: skip
    hand_over(every, w.pack)
    w.stop.click(
        lambda language: marks.line(text(language, "marks.stopped")), shared.language, w.said,
        cancels=[finding, laying, every], **QUIET,
    )  # fmt: skip
