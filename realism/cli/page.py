"""`realism page`: the four steps in a browser."""

from typing import Annotated

import typer


def page(
    host: Annotated[
        str | None,
        typer.Option(
            envvar="GRADIO_SERVER_NAME",
            help="The address to listen at; without, this machine alone.",
        ),
    ] = None,
    port: Annotated[int, typer.Option(envvar="GRADIO_SERVER_PORT")] = 7860,
) -> None:
    """Open the page for a browser; Ctrl-C ends it."""
    from realism.page.blocks import main
    from realism.page.visitors import default_host

    main(host or default_host(), port)
