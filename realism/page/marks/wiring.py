"""Wiring of tab 4, Marks: which handler follows which event of the widgets of `layout.py`."""

from dataclasses import dataclass
from types import SimpleNamespace

import gradio as gr
from gradio.events import Dependency

from realism.page.failures import after_failure
from realism.page.marks import begin, handlers, kept, reset, results, strip, viewer
from realism.page.session import SharedWidgets, download_after, listener, on_nothing


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
        listener(
            handlers.on_blend, [ui.placed, ui.before, ui.off, language, *ui.sliders], ui.result
        ),
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
    ui: SimpleNamespace, shared: SharedWidgets, refresh_status: dict, portrait_sent: Dependency,
    front_ui: SimpleNamespace,
) -> None:  # fmt: skip
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
    front_ui : SimpleNamespace
        Of the front: its `title` leads back to it; its `tour` is at which step whoever is created
        here begins.
    """
    visit, language, steps = shared.visit, shared.language, _steps(ui, shared)
    show = listener(handlers.on_show, visit, [ui.needs, ui.run_portrait])
    gr.on([shared.chosen.change, shared.shown_language.change, shared.here.change], **show)
    leaving = reset.wire(ui, shared, front_ui.title)
    steps.show_after(shared.shown_language.change(**listener(on_nothing)))
    shared.shown_language.change(
        **listener(handlers.on_language, [ui.placed, ui.atlas, language], [ui.message, ui.passport])
    )
    running = []
    finding, going_on = (
        button.click(
            **listener(
                begin.on_restore,
                [ui.portrait, ui.files, ui.photos, ui.new.name, ui.new.consent, ui.new.photos,
                 *shared.visit, gr.State(anyway)],
                [ui.photos, ui.photo_name, ui.gallery, ui.message, shared.person, front_ui.tour,
                 ui.filled, ui.new.name, ui.new.consent, ui.new.photos, ui.portrait, ui.go_on],
                **offered,
            )
        )
        for button, anyway, offered in (
            (ui.restore, False, {"api_name": "find_marks", "api_visibility": "public"}),
            (ui.go_on, True, {}),
        )
    )  # fmt: skip
    given = [ui.portrait.upload, ui.files.upload]
    gr.on(given, **listener(handlers.on_given, [ui.portrait, ui.files]))
    # What was asked of another portrait, or with other photos, is no longer the question.
    gr.on(
        [ui.portrait.upload, ui.portrait.clear, ui.new.photos.upload],
        **listener(lambda: gr.update(visible=False), None, ui.go_on),
    )
    for found in (finding, going_on, *kept.wire(ui, shared, leaving, portrait_sent)):
        placing, shown = steps.place_after(found)
        placing.success(**listener(kept.on_placed, ui.placed, [ui.restore, ui.save, ui.edit]))
        shown.then(**refresh_status)
        shown.then(**viewer.LAID)
        for event in (found, placing):  # why is said as a notice; no progress stays behind
            event.failure(**listener(handlers.on_failure, None, ui.message))
            event.failure(**viewer.LAID)
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
    for event in running:
        after_failure(event, shared, ui.message)
    ui.stop.click(**listener(handlers.on_stop, language, [ui.message, ui.opened], cancels=running))
    ui.stop.click(**viewer.LAID)


def _wire_clicks(ui: SimpleNamespace, shared: SharedWidgets, steps: _Steps) -> None:
    """Join clicks on photo, portrait and strip."""
    clicking = ui.cards.click(
        **listener(strip.on_click, [ui.placed, ui.off, ui.files, *shared.visit], ui.off)
    )
    clicking.failure(**viewer.LAID)
    steps.show_after(clicking)
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
        **listener(
            results.on_save,
            [
                ui.placed,
                ui.off,
                ui.filled,
                ui.opened,
                ui.portrait,
                shared.root,
                language,
                *ui.sliders,
            ],
            ui.saved_file,
        )
    )
    download_after(saving, ui.saved_file)
    drawing = ui.card.click(
        **listener(
            results.on_card,
            [ui.placed, ui.off, ui.least_score, ui.least_sightings, ui.method, ui.placement,
             ui.filled, ui.portrait, shared.root, language, *ui.sliders],
            ui.card_file,
        )
    )  # fmt: skip
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
             ui.placement, ui.moves, ui.filled, ui.portrait, *visit, *ui.sliders],
            [ui.message, ui.run_file],
        )
    )  # fmt: skip
    download_after(restoring, ui.run_file)
    return restoring
