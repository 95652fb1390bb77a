"""Layout of tab 4, Marks; what its widgets do is joined to them in `wiring.py`."""

from types import SimpleNamespace

import gradio as gr

from realism.marks.find.finders import DEFAULT_FINDER
from realism.marks.mark import KINDS
from realism.marks.observation import LEAST_OBSERVATIONS
from realism.marks.restore.blend import Sliders
from realism.marks.restore.placement import PLACEMENTS
from realism.marks.restore.prepare import METHODS
from realism.page.components import PortraitImage
from realism.page.i18n import Localizer
from realism.page.marks import begin, handlers, strip, viewer
from realism.page.session import hidden_download
from realism.page.steps import foot

PHOTO_ACTIONS = ("switch", "delete", *KINDS)
PORTRAIT_ACTIONS = ("switch", "move")
BLENDING = ("brightness_match", "denoise", "edge_softness")


def layout(localized: Localizer) -> SimpleNamespace:
    """Left photos and portrait, right the result and its sliders, below what was found."""
    needs = gr.HTML(elem_classes="needs")
    with gr.Row(elem_classes="desk"):
        with gr.Column(scale=2, min_width=280, elem_classes="choices"):
            new = begin.layout(localized)
            portrait = localized(
                PortraitImage, "marks.portrait", format="png", type="filepath", height=270,
                sources=["upload", "clipboard"], buttons=[], elem_classes="beside-form",
            )  # fmt: skip
            with gr.Column(elem_classes="of-chosen"):
                run_portrait = localized(
                    gr.Dropdown, "marks.mine", choices=[], value=None, elem_classes="of-run"
                )
                files = localized(gr.File, "marks.files", file_count="multiple", height=150)
            restore = localized(gr.Button, "marks.restore", variant="primary")
            message = gr.HTML(elem_classes="tab-message")
            go_on = localized(gr.Button, "marks.go_on", visible=False)
            stop = localized(gr.Button, "marks.stop", size="sm", elem_classes="while-running")
            with localized(gr.Accordion, "marks.advanced", open=False, elem_classes="of-chosen"):
                placement = localized(gr.Radio, "marks.placement", value=PLACEMENTS[0])
                method = localized(gr.Radio, "marks.method", value=METHODS[0])
            localized(gr.Markdown, "marks.tips", elem_classes="tips")
        with gr.Column(scale=7, min_width=300, elem_classes=["results", "restored"]):
            with gr.Row(elem_classes="beside"):
                result = viewer.layout(localized)
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
                card = localized(gr.Button, "marks.card", min_width=140)
                whole_run = localized(gr.Button, "marks.every", min_width=140)
                edit = localized(gr.Button, "marks.edit", min_width=140, visible=False)
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
    (save,) = foot(localized, "marks.save")
    return SimpleNamespace(
        needs=needs, new=new, portrait=portrait, run_portrait=run_portrait, files=files,
        restore=restore, go_on=go_on, stop=stop, message=message, placement=placement,
        method=method, result=result, cards=cards,
        likeness=likeness, sliders=sliders, save=save, saved_file=saved_file, card=card,
        card_file=card_file, whole_run=whole_run, run_file=run_file, editing=editing, edit=edit,
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
        # Whose kept result fills the tab, None once the user brought a portrait; for whom its
        # photos were opened, since something was changed on it.
        filled=gr.State(None), opened=gr.State(None),
    )  # fmt: skip


def _slider(localized: Localizer, name: str, maximum: float) -> gr.Slider:
    return localized(
        gr.Slider, f"marks.{name}", minimum=0, maximum=maximum, step=0.05,
        value=getattr(Sliders(), name), min_width=150, buttons=[],
    )  # fmt: skip
