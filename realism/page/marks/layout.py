"""Layout and wiring of tab 4, Marks; its handlers are in `handlers.py` and `results.py`."""

from dataclasses import dataclass
from types import SimpleNamespace

import gradio as gr
from gradio.events import Dependency

from realism.marks.find.finders import DEFAULT_FINDER
from realism.marks.mark import KINDS
from realism.marks.observation import LEAST_OBSERVATIONS
from realism.marks.restore.blend import Sliders
from realism.marks.restore.placement import PLACEMENTS
from realism.marks.restore.prepare import METHODS
from realism.page.i18n import Localizer
from realism.page.marks import handlers, kept, results, strip
from realism.page.session import SharedWidgets, download_after, hidden_download, listener

PHOTO_ACTIONS = ("switch", "delete", *KINDS)
PORTRAIT_ACTIONS = ("switch", "move")
BLENDING = ("brightness_match", "denoise", "edge_softness")


def layout(localized: Localizer) -> SimpleNamespace:
    """Left portrait and photos, right the result and its sliders, below what was found."""
    needs = gr.HTML(elem_classes="needs")
    with gr.Row(elem_classes="desk"):
        with gr.Column(scale=2, min_width=280, elem_classes="choices"):
            portrait = localized(
                gr.Image, "marks.portrait", format="png", type="filepath", height=270,
                sources=["upload", "clipboard"], buttons=[],
            )  # fmt: skip
            run_portrait = localized(gr.Dropdown, "marks.mine", choices=[], value=None)
            files = localized(gr.File, "marks.files", file_count="multiple", height=150)
            with gr.Row():
                restore = localized(gr.Button, "marks.restore", variant="primary", min_width=120)
                stop = localized(gr.Button, "marks.stop", min_width=80)
            message = gr.HTML(elem_classes="tab-message")
            with localized(gr.Accordion, "marks.advanced", open=False):
                placement = localized(gr.Radio, "marks.placement", value=PLACEMENTS[0])
                method = localized(gr.Radio, "marks.method", value=METHODS[0])
            localized(gr.Markdown, "marks.tips", elem_classes="tips")
        with gr.Column(scale=5, min_width=300, elem_classes="results"):
            with gr.Row(elem_classes="beside"):
                result = localized(
                    gr.ImageSlider, "marks.result", format="png", type="filepath",
                    interactive=False, max_height=620, buttons=["fullscreen"],
                )  # fmt: skip
                cards = gr.HTML(
                    elem_id="marks-strip", js_on_load=strip.SCRIPT, apply_default_css=False
                )
            likeness = gr.HTML(elem_classes="summary")
            sliders = [_slider(localized, "overall", 1.5)]
            with gr.Row():
                sliders += [_slider(localized, kind, 1.5) for kind in KINDS]
            with localized(gr.Accordion, "marks.blending", open=False), gr.Row():
                sliders += [_slider(localized, name, 1.0) for name in BLENDING]
            with gr.Row():
                save = localized(gr.Button, "marks.save", min_width=140)
                card = localized(gr.Button, "marks.card", min_width=140)
                whole_run = localized(gr.Button, "marks.every", min_width=140)
            saved_file = hidden_download("marks-saved")
            card_file = hidden_download("marks-card")
            run_file = hidden_download("marks-pack")
    with gr.Row(visible=False) as editing:
        with gr.Column(min_width=300):
            photo_action = localized(gr.Radio, "marks.click", value=PHOTO_ACTIONS[0])
            photo = localized(
                gr.Image, "marks.photo", format="png", interactive=False, buttons=[],
                elem_classes="clickable",
            )  # fmt: skip
            with gr.Row():
                least_score = localized(
                    gr.Slider, "marks.least", minimum=handlers.LEAST_SCORE, maximum=1, step=0.05,
                    value=DEFAULT_FINDER.threshold, min_width=180, buttons=[],
                )  # fmt: skip
                least_sightings = localized(
                    gr.Slider, "marks.seen", minimum=1, maximum=6, step=1, value=LEAST_OBSERVATIONS,
                    min_width=180, buttons=[],
                )  # fmt: skip
            export = localized(gr.Button, "marks.export", size="sm")
            gallery = localized(
                gr.Gallery, "marks.gallery", format="png", columns=6, height="auto",
                allow_preview=False, interactive=False, buttons=[], object_fit="cover",
                show_label=False, elem_classes="strip",
            )  # fmt: skip
        with gr.Column(min_width=300):
            localized(gr.Markdown, "marks.placed_tip", elem_classes="tips beside")
            portrait_action = localized(gr.Radio, "marks.placed_click", value=PORTRAIT_ACTIONS[0])
            portrait_marks = localized(
                gr.Image, "marks.placed", format="png", interactive=False, buttons=[],
                elem_classes="clickable",
            )  # fmt: skip
            table = gr.HTML(elem_classes="table")
            with localized(gr.Accordion, "marks.passport", open=False):
                head = gr.Image(format="png", interactive=False, buttons=[], show_label=False)
                passport = gr.HTML(elem_classes="table")
                with gr.Row():
                    make_passport = localized(gr.Button, "marks.make_passport", min_width=120)
                    keep_passport = localized(gr.Button, "marks.keep_passport", min_width=120)
                    flip = localized(gr.Button, "marks.flip", min_width=120, visible=False)
            export_file = hidden_download("marks-export")
            passport_file = hidden_download("marks-passport")
    return SimpleNamespace(
        needs=needs, portrait=portrait, run_portrait=run_portrait, files=files, restore=restore,
        stop=stop, message=message, placement=placement, method=method, result=result, cards=cards,
        likeness=likeness, sliders=sliders, save=save, saved_file=saved_file, card=card,
        card_file=card_file, whole_run=whole_run, run_file=run_file, editing=editing,
        photo_action=photo_action, photo=photo, least_score=least_score,
        least_sightings=least_sightings, export=export, export_file=export_file, gallery=gallery,
        portrait_action=portrait_action, portrait_marks=portrait_marks, table=table, head=head,
        passport=passport, make_passport=make_passport, keep_passport=keep_passport, flip=flip,
        passport_file=passport_file,
        # MarkedPhoto by name; the PlacedPortrait, and a PNG of it before; keys of marks that are
        # off; name of the photo in view; the first point of a wrinkle; the Atlas; where marks
        # were moved to on portraits; the mark that is picked up; a PNG of the strip's cut-outs.
        photos=gr.State({}), placed=gr.State(None), before=gr.State(None), off=gr.State([]),
        photo_name=gr.State(None), wrinkle_start=gr.State(None), atlas=gr.State(None),
        moves=gr.State({}), picked_up=gr.State(None), cutouts=gr.State(None),
    )  # fmt: skip


def _slider(localized: Localizer, name: str, maximum: float) -> gr.Slider:
    return localized(
        gr.Slider, f"marks.{name}", minimum=0, maximum=maximum, step=0.05,
        value=getattr(Sliders(), name), min_width=150, buttons=[],
    )  # fmt: skip


@dataclass(frozen=True)
class _Steps:
    """Arguments of the events that are done again and again after other events.

    Attributes
    ----------
    place, move : dict
        Place the marks on the portrait dropped here, or on that on which one was moved.
    switch_rare_off : dict
        Which marks begin off.
    blend, list, draw, measure : dict
        Mix the marks in; list them in the strip; draw them on photo and portrait; say how alike
        the result is.
    """

    place: dict
    move: dict
    switch_rare_off: dict
    blend: dict
    list: dict
    draw: dict
    measure: dict

    def show_after(self, event: Dependency) -> Dependency:
        """Blend, list, draw and measure once an event ends well."""
        blending = event.success(**self.blend)
        return blending.then(**self.list).then(**self.draw).then(**self.measure)

    def place_after(self, event: Dependency) -> tuple[Dependency, Dependency]:
        """Place anew and show, which marks begin off too: the placing, and the last event."""
        placing = event.success(**self.place)
        return placing, self.show_after(placing.success(**self.switch_rare_off))


def _steps(ui: SimpleNamespace, shared: SharedWidgets) -> _Steps:
    language = shared.language
    placing = [ui.photos, ui.least_score, ui.method, ui.placement, ui.moves, language]
    placed = [ui.placed, ui.before, ui.message, ui.picked_up, ui.cutouts]
    return _Steps(
        listener(handlers.on_place, [ui.portrait, *placing], placed),
        listener(handlers.on_move, [ui.placed, *placing], placed),
        listener(
            handlers.on_least_sightings,
            [ui.placed, ui.least_sightings, ui.files, *shared.visit],
            ui.off,
        ),
        listener(handlers.on_blend, [ui.placed, ui.before, ui.off, *ui.sliders], ui.result),
        listener(
            strip.on_strip, [ui.placed, ui.off, ui.cutouts, ui.least_sightings, language], ui.cards
        ),
        listener(
            handlers.on_draw,
            [ui.photos, ui.least_score, ui.placed, ui.off, ui.photo_name, language],
            [ui.photo, ui.portrait_marks, ui.table, ui.editing],
        ),
        listener(handlers.on_measure, [ui.placed, ui.off, language, *ui.sliders], ui.likeness),
    )


def wire(
    ui: SimpleNamespace, shared: SharedWidgets, refresh_status: dict, portrait_sent: Dependency
) -> None:
    """Join the widgets to the handlers.

    Parameters
    ----------
    ui : SimpleNamespace
        Of `layout`.
    shared : SharedWidgets
        What every tab reads.
    refresh_status : dict
        Arguments of the event that redraws the status.
    portrait_sent : Dependency
        The event of a portrait's being sent here from tab 3: its marks are restored at once.
    """
    visit, language, steps = shared.visit, shared.language, _steps(ui, shared)
    show = listener(handlers.on_show, visit, [ui.needs, ui.run_portrait])
    gr.on([shared.chosen.change, shared.shown_language.change, shared.here.change], **show)
    forget = listener(
        handlers.on_other_photos, None,
        [ui.photos, ui.placed, ui.off, ui.moves, ui.picked_up, ui.wrinkle_start, ui.atlas, ui.head,
         ui.passport, ui.flip, ui.editing, ui.cutouts, ui.cards],
    )  # fmt: skip
    shared.chosen.change(**forget)
    ui.files.change(**forget)
    shared.shown_language.change(**steps.list).then(**steps.draw).then(**steps.measure)
    shared.shown_language.change(
        **listener(handlers.on_language, [ui.placed, ui.atlas, language], [ui.message, ui.passport])
    )
    ui.run_portrait.input(
        **listener(handlers.on_run_portrait, [ui.run_portrait, *visit], ui.portrait)
    )

    find = listener(
        handlers.on_find,
        [ui.portrait, ui.files, ui.photos, *visit],
        [ui.photos, ui.photo_name, ui.gallery, ui.message],
    )
    running = []
    finding = ui.restore.click(**find | {"api_name": "find_marks", "api_visibility": "public"})
    for found in (finding, portrait_sent.success(**find), kept.wire(ui, shared, portrait_sent)):
        placing, shown = steps.place_after(found)
        placing.success(**listener(kept.on_placed, ui.placed, [ui.restore, ui.save]))
        shown.then(**refresh_status)
        running += [found, placing]
    for choice in (ui.method, ui.placement):
        steps.show_after(choice.input(**steps.place))
    # Other marks are on the portrait then: which of them begin off is asked anew.
    steps.show_after(ui.least_score.release(**steps.place).success(**steps.switch_rare_off))
    steps.show_after(ui.least_sightings.release(**steps.switch_rare_off))

    # While a slider moves only its newest place counts, and only the blend is done again.
    gr.on([slider.input for slider in ui.sliders], trigger_mode="always_last", **steps.blend)
    gr.on([slider.release for slider in ui.sliders], trigger_mode="always_last", **steps.measure)

    _wire_clicks(ui, shared, steps)
    running.append(_wire_results(ui, shared, steps, refresh_status))
    ui.stop.click(**listener(handlers.on_stop, language, ui.message, cancels=running))


def _wire_clicks(ui: SimpleNamespace, shared: SharedWidgets, steps: _Steps) -> None:
    """Join clicks on photo, portrait and strip."""
    steps.show_after(
        ui.cards.click(
            **listener(strip.on_click, [ui.placed, ui.off, ui.files, *shared.visit], ui.off)
        )
    )
    choosing = ui.gallery.select(
        **listener(handlers.on_choose_photo, ui.photos, [ui.photo_name, ui.wrinkle_start])
    )
    choosing.then(**steps.draw)
    correcting = ui.photo.select(
        **listener(
            handlers.on_photo_click,
            [ui.photos, ui.least_score, ui.placed, ui.off, ui.photo_name, ui.photo_action,
             ui.wrinkle_start, ui.files, *shared.visit],
            [ui.photos, ui.off, ui.wrinkle_start],
        )
    )  # fmt: skip
    steps.show_after(correcting.success(**steps.place))
    switching = ui.portrait_marks.select(
        **listener(
            handlers.on_portrait_click,
            [ui.placed, ui.off, ui.portrait_action, ui.picked_up, ui.moves, ui.files,
             *shared.visit],
            [ui.off, ui.picked_up, ui.moves],
        )
    )  # fmt: skip
    steps.show_after(switching)
    steps.show_after(ui.moves.change(**steps.move))
    ui.portrait_action.input(**listener(lambda: None, None, ui.picked_up))


def _wire_results(
    ui: SimpleNamespace, shared: SharedWidgets, steps: _Steps, refresh_status: dict
) -> Dependency:
    """Join what is made of the marks found; returns the event that restores a whole run."""
    visit, language = shared.visit, shared.language
    saving = ui.save.click(
        **listener(results.on_save, [ui.placed, ui.off, language, *ui.sliders], ui.saved_file)
    )
    download_after(saving, ui.saved_file)
    drawing = ui.card.click(
        **listener(
            results.on_card,
            [ui.placed, ui.off, ui.least_sightings, language, *ui.sliders],
            ui.card_file,
        )
    )
    download_after(drawing, ui.card_file)
    exporting = ui.export.click(
        **listener(results.on_export, [ui.photos, ui.least_score, language], ui.export_file)
    )
    download_after(exporting, ui.export_file)
    passport = listener(
        results.on_passport, [ui.photos, ui.least_score, ui.files, *visit],
        [ui.head, ui.passport, ui.atlas, ui.flip],
        show_progress="full", show_progress_on=ui.head,
    )  # fmt: skip
    ui.make_passport.click(**passport).then(**refresh_status)
    keeping = ui.keep_passport.click(
        **listener(results.on_passport_file, [ui.atlas, language], ui.passport_file)
    )
    download_after(keeping, ui.passport_file)
    turning = ui.flip.click(
        **listener(
            results.on_flip, [ui.atlas, ui.photos, ui.files, *visit], [ui.photos, ui.gallery],
            show_progress="full",
        )
    ).success(**passport)  # fmt: skip
    steps.place_after(turning)
    restoring = ui.whole_run.click(
        **listener(
            results.on_whole_run,
            [ui.placed, ui.photos, ui.least_score, ui.least_sightings, ui.off, ui.method,
             ui.placement, ui.moves, *visit, *ui.sliders],
            [ui.message, ui.run_file],
        )
    )  # fmt: skip
    download_after(restoring, ui.run_file)
    return restoring
