"""The page as a whole: Photos, Fine-tune, Portraits, Marks in one Gradio Blocks, and its server.

Local by default: 127.0.0.1, no share link, no telemetry, nothing from the internet.
"""

import errno
import os
import shutil
import socket
from pathlib import Path

from realism.config import cache_folder, home, page_copies
from realism.disk import sweep
from realism.errors import InputError

# Before gradio is imported: it reads these once.
os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
os.environ["GRADIO_TEMP_DIR"] = str(page_copies())

import gradio as gr
from gradio import themes

from realism.page import finetune, front, header, installation, photos, steps
from realism.page.failures import MOST_UPLOADED, on_system_error, upload_script
from realism.page.i18n import Localizer
from realism.page.job import stop_jobs
from realism.page.marks import layout as marks
from realism.page.marks import wiring as marks_wiring
from realism.page.portraits import layout as portraits
from realism.page.session import (
    SharedWidgets,
    delete_temp_files,
    listener,
)
from realism.page.visitors import delete_visitor, hosted, visitors_folder

STYLE = Path(__file__).with_name("style.css")
FONTS = ["system-ui", "PingFang SC", "Microsoft YaHei", "Noto Sans CJK SC", "sans-serif"]
MINUTE, HOUR = 60, 3600  # s
PORTS = 100  # that are tried for a free one
HIGHEST_PORT = 65535


def build_page() -> gr.Blocks:
    """The whole page: layout first, then wiring."""
    localized = Localizer()
    # How often copies of what is shown are looked through, and how old one may be. They go with
    # the person and at each start, too.
    delete_cache = (10 * MINUTE, HOUR) if hosted() else (HOUR, 24 * HOUR)
    with gr.Blocks(title="Realism", delete_cache=delete_cache, fill_width=True) as page:
        root = gr.State(None, delete_callback=delete_visitor)
        engine, shown_language, chosen = gr.State(None), gr.State("en"), gr.State(None)
        header_ui = header.layout(localized)
        front_ui = front.layout(localized)
        with gr.Column(elem_id="work"):
            status = steps.layout_status()
            with gr.Tabs(elem_id="steps", overflow_behavior="wrap") as tabs:
                with localized(gr.Tab, "photos.tab", id="photos"):
                    photos_ui = photos.layout(localized)
                with localized(gr.Tab, "finetune.tab", id="finetune"):
                    finetune_ui = finetune.layout(localized)
                with localized(gr.Tab, "portraits.tab", id="portraits"):
                    portraits_ui = portraits.layout(localized)
                with localized(gr.Tab, "marks.tab", id="marks"):
                    marks_ui = marks.layout(localized)
        notes = installation.layout(localized)

        shared = SharedWidgets(
            header_ui.language, shown_language, root, header_ui.person, chosen, finetune_ui.base,
            engine, status, tabs, gr.State(None),
        )  # fmt: skip
        refresh_status = listener(
            steps.on_show,
            [shared.person, shared.root, shared.base, shared.language],
            [status, *steps.coloured(photos_ui, finetune_ui, portraits_ui)],
        )  # fmt: skip
        note = listener(
            installation.on_show, [shared.root, shared.base, shared.engine, shared.language], notes
        )
        changes = [chosen, shared.shown_language, shared.base]
        gr.on([widget.change for widget in changes] + [tabs.select], **refresh_status)
        # Whoever is quick is followed to where they end: "once" would drop what comes meanwhile.
        tabs.select(**listener(steps.on_tab, chosen, shared.here, trigger_mode="always_last"))
        gr.on([shared.shown_language.change, shared.base.change, engine.change], **note)
        known = listener(front.on_people, [shared.root, shared.language], front_ui.known)
        deleted = header.wire(header_ui, localized, shared, page, [refresh_status, note, known])
        created = front.wire(front_ui, header_ui, shared, deleted)
        photos.wire(photos_ui, shared, refresh_status, front_ui, created)
        finetune.wire(finetune_ui, shared, refresh_status)
        portrait_sent = portraits.wire(portraits_ui, shared, refresh_status, marks_ui)
        front_ui.title = header_ui.title
        marks_wiring.wire(marks_ui, shared, refresh_status, portrait_sent, front_ui)
    return page


def serve(page: gr.Blocks, host: str, port: int | None, block: bool = True) -> None:
    """Serve the page.

    Parameters
    ----------
    page : gr.Blocks
        Of `build_page`.
    host : str
        Address to listen at.
    port : int or None
        None: a free one.
    block : bool
        Whether to return only once it is stopped.
    """
    theme = themes.Default(
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
    refuse_taken_port(host, port)
    page.queue(default_concurrency_limit=4).launch(
        server_name=host,
        server_port=port,
        share=False,
        ssr_mode=False,
        theme=theme,
        css_paths=[STYLE],
        head=upload_script(),
        footer_links=["settings"],
        max_file_size=MOST_UPLOADED,
        app_kwargs={"exception_handlers": {OSError: on_system_error}},
        # Pictures of a person are shown from their folder, not copied about.
        allowed_paths=[str(home().resolve())],
        # Words of a fault may name folders of this machine: not for strangers.
        show_error=not hosted(),
        prevent_thread_lock=not block,
        quiet=not block,
    )


def refuse_taken_port(host: str, port: int | None) -> None:
    """Raise InputError where the page cannot listen: with the next free port where one is taken."""
    if port is None:
        return
    if not 0 < port <= HIGHEST_PORT:
        raise InputError("port_out_of_range", port=port, highest=HIGHEST_PORT)
    for number in range(port, min(port + PORTS, HIGHEST_PORT + 1)):
        try:
            family = socket.getaddrinfo(host, number, type=socket.SOCK_STREAM)[0][0]
            with socket.socket(family, socket.SOCK_STREAM) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind((host, number))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                continue
            # No address of this machine, or a port that is for its administrator.
            raise InputError("page_not_served", host=host, port=number, detail=error) from error
        if number == port:
            return
        raise InputError("port_taken", port=port, next=number)
    raise InputError("port_taken", port=port, next=port - PORTS)


def main(host: str, port: int) -> None:
    """Serve the page until it is stopped, without what was left by a visit that was cut off."""
    delete_temp_files()
    sweep(home(), cache_folder())
    if hosted():  # a visitor's folder lasts as long as the visit
        shutil.rmtree(visitors_folder(), ignore_errors=True)
    try:
        serve(build_page(), host, port)
    finally:
        stop_jobs()  # Ctrl-C: a fine-tune keeps where it is
