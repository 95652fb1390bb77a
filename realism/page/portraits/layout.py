"""Layout and wiring of tab 3, Portraits; its handlers are in `handlers.py`."""

from types import SimpleNamespace

import gradio as gr
from gradio.events import Dependency

from realism.config import PORTRAITS
from realism.diffusion.pickles import SUFFIXES as PICKLES
from realism.diffusion.recommended import preset_for
from realism.images import SUFFIXES
from realism.page.failures import after_failure
from realism.page.i18n import Localizer
from realism.page.portraits import handlers, making, stage, styles
from realism.page.session import (
    SharedWidgets,
    download_after,
    hidden_download,
    listener,
    on_nothing,
    scroll_to_detail,
)
from realism.page.steps import can_cancel, foot, go_on
from realism.portraits.styles import load_presets

LORA_FILES = [".safetensors", *PICKLES]


def layout(localized: Localizer) -> SimpleNamespace:
    """Left what to make, right what was made, the closest first."""
    first = load_presets()[0]
    needs = gr.HTML(elem_classes="needs")
    with gr.Row(elem_classes="desk"):
        with gr.Column(scale=2, min_width=280, elem_classes="choices"):
            style = localized(
                gr.Dropdown, "portraits.style", choices=styles.choices("en"), value=first.slug
            )
            style_note = gr.HTML(elem_classes="verdict")
            remove = localized(gr.Button, "portraits.style_remove", visible=False, size="sm")
            prompt = localized(gr.Textbox, "portraits.prompt", value=first.prompt, lines=4)
            count = localized(
                gr.Slider, "portraits.count", minimum=1, maximum=PORTRAITS.max_count, step=1,
                value=PORTRAITS.count, buttons=[],
            )  # fmt: skip
            with gr.Row():
                make = localized(gr.Button, "portraits.make", variant="primary", min_width=160)
                stop = localized(gr.Button, "portraits.stop", min_width=80, interactive=False)
            resume = gr.Button(visible=False)
            with localized(gr.Accordion, "portraits.advanced", open=False, elem_classes="later"):
                negative = localized(
                    gr.Textbox, "portraits.negative", value=first.negative_prompt, lines=2
                )
                seed = localized(gr.Textbox, "portraits.seed", value="", max_lines=1)
                guidance = localized(
                    gr.Slider, "portraits.guidance", minimum=1, maximum=12, step=0.5,
                    value=preset_for("pocket").guidance_scale,
                )  # fmt: skip
                steps = localized(
                    gr.Slider, "portraits.steps", minimum=1, maximum=60, step=1,
                    value=PORTRAITS.steps,
                )  # fmt: skip
                which = localized(gr.Radio, "portraits.adapter", value="best")
                brought = localized(gr.File, "portraits.brought", file_types=LORA_FILES, height=140)
                weight = localized(
                    gr.Slider, "portraits.weight", minimum=0, maximum=1.5, step=0.05, value=1.0
                )
                style_lora = localized(gr.File, "portraits.look", file_types=LORA_FILES, height=140)
                look_id = localized(gr.Textbox, "portraits.look_id", value="", max_lines=1)
                style_weight = localized(
                    gr.Slider, "portraits.look_weight", minimum=0, maximum=1.5, step=0.05,
                    value=PORTRAITS.style_weight,
                )  # fmt: skip
                label = localized(gr.Checkbox, "portraits.label", value=False)
            with localized(
                gr.Accordion, "portraits.styles", open=False, elem_classes="later"
            ) as more_styles:
                style_files = localized(
                    gr.File, "portraits.style_files", file_count="multiple", height=140,
                    file_types=[".json", *SUFFIXES, *LORA_FILES],
                )  # fmt: skip
                brought_in = gr.HTML(elem_classes="tab-message")
                style_gallery = localized(
                    gr.Gallery, "portraits.style_gallery", format="png", columns=2, height=360,
                    visible=False, allow_preview=False, object_fit="cover", interactive=False,
                    buttons=[], show_label=False, elem_classes="styles",
                )  # fmt: skip
            localized(gr.Markdown, "portraits.tips", elem_classes=["tips", "later"])
        with gr.Column(scale=5, min_width=300, elem_classes="results"):
            message = gr.HTML(elem_classes="tab-message")
            with gr.Row(elem_classes="foot"):
                run = localized(gr.Dropdown, "portraits.run", choices=[], value=None, min_width=180)
                zip_button = localized(
                    gr.Button, "portraits.zip", min_width=190, scale=0, interactive=False
                )
                zip_file = hidden_download("portraits-pack")
                present = localized(gr.Button, "portraits.present", min_width=210, scale=0)
                stage_file = hidden_download("stage-file")
            with gr.Row(visible=False, elem_classes="detail") as detail:
                picture = localized(
                    gr.Image, "portraits.picture", format="png", type="filepath",
                    interactive=False, buttons=["download", "fullscreen"], show_label=False,
                    height=440, scale=3, min_width=260, elem_classes="large",
                )  # fmt: skip
                with gr.Column(scale=2, min_width=220):
                    about = gr.HTML(elem_classes="verdict")
            localized(gr.HTML, "portraits.pocket", elem_classes=["with", "of-pocket"])
            gallery = localized(
                gr.Gallery, "portraits.gallery", format="png", columns=4, height="auto",
                allow_preview=False, object_fit="cover", interactive=False, buttons=[],
                show_label=False, elem_classes="portraits",
            )  # fmt: skip
    first, restore = foot(localized, "portraits.first", "portraits.restore")
    # Of the run that is shown: what the ranking says, in the gallery's order; the file of the
    # portrait looked at; the run's name where it has no ranking that holds.
    ranked, portrait_file, unranked = gr.State([]), gr.State(None), gr.State(None)
    return SimpleNamespace(
        needs=needs, resume=resume, style=style, prompt=prompt, count=count, make=make, stop=stop,
        negative=negative, seed=seed, guidance=guidance, steps=steps, which=which,
        brought=brought, weight=weight, style_lora=style_lora, style_weight=style_weight,
        label=label, style_note=style_note, remove=remove, look_id=look_id, more_styles=more_styles,
        style_files=style_files, brought_in=brought_in, style_gallery=style_gallery,
        message=message, run=run, zip_button=zip_button, zip_file=zip_file,
        present=present, stage_file=stage_file,
        gallery=gallery, detail=detail, picture=picture, about=about, restore=restore,
        ranked=ranked, portrait_file=portrait_file, unranked=unranked, first=first,
    )  # fmt: skip


def wire(
    ui: SimpleNamespace, shared: SharedWidgets, refresh_status: dict, marks_ui: SimpleNamespace
) -> Dependency:
    """Join the widgets to the handlers.

    Parameters
    ----------
    ui : SimpleNamespace
        Of `layout`.
    shared : SharedWidgets
        What every tab reads.
    refresh_status : dict
        Arguments of the event that redraws the status.
    marks_ui : SimpleNamespace
        The widgets of tab 4, where a portrait is sent.

    Returns
    -------
    Dependency
        The event of its being sent there.
    """
    visit = shared.visit
    shown = [ui.gallery, ui.ranked, ui.message, ui.detail, ui.unranked]
    show = listener(handlers.on_show, [*visit, shared.base], ui.needs)
    arrive = listener(handlers.on_arrive, [ui.message, shared.engine, *visit], [ui.run, *shown])
    # Only a run without a ranking that holds waits for the engine; meanwhile another may be shown.
    ranking = ui.unranked.change(**listener(handlers.on_rank, [ui.unranked, *visit]))
    ranking.success(
        **listener(handlers.on_ranked, [ui.unranked, ui.run, shared.engine, *visit], shown)
    )
    open_run = listener(handlers.on_open, [ui.run, shared.engine, *visit], shown)
    shared.tabs.select(**show).then(**arrive)
    shared.shown_language.change(**show).then(**open_run)
    shared.base.change(**listener(handlers.on_base_chosen, shared.base, [ui.guidance, ui.steps]))
    _wire_styles(ui, shared)
    ui.brought.upload(**listener(lambda: "file", None, ui.which))
    made = ui.make.click(
        **listener(
            making.on_make,
            [*visit, shared.base, ui.prompt, ui.negative, ui.count, ui.seed, ui.guidance, ui.steps,
             ui.which, ui.brought, ui.weight, ui.style_lora, ui.style_weight, ui.label,
             ui.style, ui.look_id],
            [ui.gallery, ui.message, ui.run, ui.ranked, ui.detail],
            api_name="make_portraits", api_visibility="public",
        )
    )  # fmt: skip
    can_cancel(ui.stop, "portraits", ui.message, shared)
    made.then(**refresh_status)
    offer = listener(making.on_unfinished, visit, ui.resume)
    gr.on([shared.chosen.change, shared.shown_language.change, shared.tabs.select], **offer)
    resumed = ui.resume.click(
        **listener(
            making.on_resume, [*visit, shared.base],
            [ui.gallery, ui.message, ui.run, ui.ranked, ui.detail],
        )
    )  # fmt: skip
    resumed.then(**offer).then(**refresh_status)
    for event in (made, resumed):
        after_failure(event, shared, ui.message, offer, refresh_status)
    # Who comes back, or chooses the person again, finds the portraits being made.
    leaving = shared.chosen.change(
        **listener(handlers.on_leave, None, [*shown, ui.portrait_file], cancels=[made, resumed])
    )
    following = (
        leaving.then(**show)
        .then(**arrive)
        .then(
            **listener(
                making.on_follow,
                visit,
                [ui.gallery, ui.message, ui.run, ui.ranked, ui.detail],
            )
        )
    )
    following.success(**refresh_status)
    after_failure(following, shared, ui.message, offer, refresh_status)
    shared.chosen.change(**listener(on_nothing, None, None, cancels=[following]))
    stopping = ui.stop.click(**listener(making.on_stop, visit, ui.message))
    stopping.then(**show).then(**offer).then(**arrive).then(**refresh_status)
    ui.run.input(**open_run)
    ui.run.change(**listener(handlers.on_run, ui.run, ui.zip_button))
    download_after(
        ui.zip_button.click(**listener(handlers.on_zip, [ui.run, *visit], ui.zip_file)), ui.zip_file
    )
    stage.wire(ui.present, ui.stage_file, ui.run, shared)
    looking = ui.gallery.select(
        **listener(
            handlers.on_select,
            [ui.run, ui.ranked, *visit],
            [ui.detail, ui.picture, ui.about, ui.portrait_file],
        )
    )
    scroll_to_detail(looking)
    go_on(ui.first)
    return ui.restore.click(
        **listener(
            handlers.on_send, [ui.portrait_file, ui.run, ui.ranked, *visit],
            [marks_ui.portrait, shared.tabs],
        )
    )  # fmt: skip


def _wire_styles(ui: SimpleNamespace, shared: SharedWidgets) -> None:
    """Choose a style, by its name or its picture; bring others in, and send them away."""
    place = [shared.root, shared.language]
    arrive = listener(styles.on_arrive, [shared.language, shared.root, ui.style], ui.style)
    note = listener(styles.on_note, [ui.style, *place, shared.base], ui.style_note)
    chosen = listener(
        styles.on_style,
        [ui.style, *place, shared.base],
        [ui.prompt, ui.negative, ui.weight, ui.style_weight, ui.style_note, ui.remove],
    )
    shared.tabs.select(**arrive)
    shared.shown_language.change(**arrive).then(**note)
    shared.base.change(**note)
    ui.style.input(**chosen)
    ui.more_styles.expand(**listener(styles.on_open, place, ui.style_gallery))
    bringing = ui.style_files.upload(
        **listener(
            styles.on_bring,
            [ui.style_files, *place, ui.style],
            [ui.style, ui.style_gallery, ui.brought_in, ui.style_files],
        )
    )
    bringing.success(**chosen)
    ui.style_gallery.select(**listener(styles.on_pick, shared.root, ui.style)).success(**chosen)
    ui.remove.click(
        **listener(
            styles.on_remove, [ui.style, *place], [ui.style, ui.style_gallery, ui.brought_in]
        )
    ).success(**chosen)
