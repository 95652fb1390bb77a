"""The page as a whole: Photos, Fine-tune, Portraits, Marks in one Gradio Blocks, and its server.

Local by default: 127.0.0.1, no share link, no telemetry, nothing from the internet.
"""

import os
from pathlib import Path

from realism.config import INTAKE, home, page_copies

# Before gradio is imported: it reads these once.
os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
os.environ["GRADIO_TEMP_DIR"] = str(page_copies())

import gradio as gr

from realism.page import finetune, header, photos, portraits
from realism.page.i18n import Spoken
from realism.page.marks import layout as marks_layout
from realism.page.session import QUIET, Shared, forget, forget_passing, hosted

STYLE = Path(__file__).with_name("style.css")
FONTS = ["system-ui", "PingFang SC", "Microsoft YaHei", "Noto Sans CJK SC", "sans-serif"]
MINUTE, HOUR = 60, 3600


def page() -> gr.Blocks:
    """The whole page: layout first, then wiring."""
    say = Spoken()
    # Copies of what is shown go with the person, at each stop, and after a while.
    passing = (10 * MINUTE, HOUR) if hosted() else (HOUR, 24 * HOUR)
    with gr.Blocks(title="Realism", delete_cache=passing) as blocks:
        root = gr.State(None, delete_callback=forget)
        top = header.layout(say)
        with gr.Tabs() as tabs:
            with say(gr.Tab, "photos.tab", id="photos"):
                photo = photos.layout(say)
            with say(gr.Tab, "finetune.tab", id="finetune"):
                tune = finetune.layout(say)
            with say(gr.Tab, "portraits.tab", id="portraits"):
                portrait = portraits.layout(say)
            with say(gr.Tab, "marks.tab", id="marks"):
                mark = marks_layout.layout(say)

        shared = Shared(top.language, root, top.person, tune.base, top.standing, tabs)
        refresh = {
            "fn": header.on_show,
            "inputs": [shared.person, shared.root, shared.base, shared.language],
            "outputs": shared.standing,
            **QUIET,
        }
        header.wire(top, say, shared, blocks, refresh)
        photos.wire(photo, shared, refresh)
        finetune.wire(tune, shared, refresh)
        carried = portraits.wire(portrait, shared, refresh, mark)
        marks_layout.wire(mark, shared, refresh, carried)
    return blocks


def serve(blocks: gr.Blocks, host: str, port: int | None, block: bool = True) -> None:
    """Serve the page at host:port (None: a free one); with `block`, until it is stopped."""
    theme = gr.themes.Default(
        primary_hue="teal", neutral_hue="stone", radius_size="lg",
        font=FONTS, font_mono=["ui-monospace", "monospace"],
    ).set(  # the theme's own teal is too light under white letters
        button_primary_background_fill="*primary_700",
        button_primary_background_fill_hover="*primary_600",
        button_primary_background_fill_dark="*primary_700",
        button_primary_background_fill_hover_dark="*primary_600",
        button_large_text_weight="500",
        button_large_text_size="*text_md",
    )  # fmt: skip
    blocks.queue(default_concurrency_limit=4).launch(
        server_name=host,
        server_port=port,
        share=False,
        ssr_mode=False,
        theme=theme,
        css_paths=[STYLE],
        footer_links=["settings"],
        max_file_size=INTAKE.max_bytes,
        # Pictures of a person are shown from their folder, not copied about.
        allowed_paths=[str(home().resolve())],
        # Words of a fault may name folders of this machine: not for strangers.
        show_error=not hosted(),
        prevent_thread_lock=not block,
        quiet=not block,
    )


def main(host: str, port: int) -> None:
    """Serve the page until it is stopped, without copies left by a visit that was cut off."""
    forget_passing()
    serve(page(), host, port)
