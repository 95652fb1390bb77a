"""What a Space runs, and `python app.py`: the page (`realism/page/blocks.py`)."""

import argparse
import os
import sys

from realism.errors import InputError
from realism.page.blocks import main
from realism.page.visitors import default_host


def _options() -> argparse.Namespace:
    """Where to listen: the shell's options, else Gradio's variables, else this machine alone."""
    parser = argparse.ArgumentParser(description="The page of Realism.")
    parser.add_argument(
        "--host",
        default=os.environ.get("GRADIO_SERVER_NAME") or default_host(),
        help="address to listen at (default %(default)s)",
    )
    parser.add_argument(
        "--port",
        type=int,
        default=os.environ.get("GRADIO_SERVER_PORT", "7860"),
        help="port to listen at (default %(default)s)",
    )
    return parser.parse_args()


if __name__ == "__main__":
    options = _options()
    try:
        main(options.host, options.port)
    except InputError as error:
        sys.exit(f"realism: {error}")
