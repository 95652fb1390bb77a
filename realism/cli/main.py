"""`python -m realism`: the same verbs as the page's tabs, for the shell and for scripts.

Results go to standard output or to the file that was asked for, progress to standard error.
Bad input ends with one line on standard error and exit code 2. Each step has a file of its own
beside this one; none of them loads what its verbs need before one of these is run.
"""

import io
import os
import sys
from typing import Annotated

import typer

from realism import __version__
from realism.cli import (
    bases,
    demo,
    example,
    finetune,
    lora,
    marks,
    marks_restore,
    page,
    people,
    photos,
    portraits,
    show,
    styles,
    teach,
)
from realism.cli.console import say
from realism.config import cache_folder, home
from realism.disk import is_full, sweep
from realism.errors import InputError

STOPPED = 130  # exit code after Ctrl-C

app = typer.Typer(
    name="realism",
    help="Portraits of a person that still look like that person up close.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
photos_app = typer.Typer(help="Step 1: add photos of a person and see which are good, and why.")
example_app = typer.Typer(help="The made-up example people, all four steps done.")
styles_app = typer.Typer(help="Step 3: what portraits can look like; bring in FaceChain's styles.")
marks_app = typer.Typer(help="Step 4: find the marks of the skin and put them back.")
app.add_typer(photos_app, name="photos", no_args_is_help=True)
app.add_typer(example_app, name="example", no_args_is_help=True)
app.add_typer(styles_app, name="styles", no_args_is_help=True)
app.add_typer(marks_app, name="marks", no_args_is_help=True)

photos_app.command("add")(photos.add)
photos_app.command("list")(photos.list_photos)
photos_app.command("check")(photos.check)
photos_app.command("choose")(photos.choose)
photos_app.command("flip")(photos.flip)
app.command("delete")(people.delete)
app.command("finetune")(finetune.finetune)
app.command("lora")(lora.lora)
app.command("portraits")(portraits.portraits)
example_app.command("open")(example.open_finished)
example_app.command("build")(example.build)
styles_app.command("add")(styles.add)
styles_app.command("list")(styles.list_styles)
styles_app.command("remove")(styles.remove)
app.command("rank")(portraits.rank)
app.command("bases")(bases.bases)
marks_app.command("find")(marks.find)
marks_app.command("serve")(teach.serve)
marks_app.command("train")(teach.train)
marks_app.command("evaluate")(teach.evaluate)
marks_app.command("restore")(marks_restore.restore)
marks_app.command("passport")(marks.passport)
marks_app.command("off")(marks_restore.switch_off)
marks_app.command("on")(marks_restore.switch_on)
app.command("show")(show.show)
app.command("demo")(demo.demo)
app.command("page")(page.page)


def print_version(wanted: bool) -> None:
    """Print the version and end."""
    if wanted:
        print(f"realism {__version__}")
        raise typer.Exit()


@app.callback()
def read_options(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=print_version, is_eager=True, help="Say which, and end."
        ),
    ] = False,
) -> None:
    """Portraits of a person that still look like that person up close."""
    sweep(home(), cache_folder())  # what a killed run left half written


def main() -> None:
    """Run a verb; a person's mistake ends with one line and exit code 2."""
    os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
    for stream in (sys.stdout, sys.stderr):
        # A console of another code page shows what it cannot print by its number.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        code = app(standalone_mode=False)
        sys.stdout.flush()  # where it goes to a full disk that is said here, not after the end
    except InputError as error:
        say(f"realism: {error}")
        sys.exit(2)
    except typer.TyperException as error:  # an option or a verb that there is not
        if message := error.format_message():
            say(f"realism: {message}")
        sys.exit(error.exit_code)
    except OSError as error:
        if not is_full(error):
            raise
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # what is left of it would fail once more
        say(f"realism: {InputError('disk_full', name='standard output')}")
        sys.exit(2)
    except typer.Abort:
        say("realism: nothing was done.")
        sys.exit(1)
    if code == STOPPED:
        say("realism: stopped; what was finished is kept.")
    sys.exit(code or 0)
