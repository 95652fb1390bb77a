"""Step 4 with whale-anno: `realism marks serve`, `train` and `evaluate`."""

from pathlib import Path
from typing import Annotated

import typer

from realism.cli.console import load_named_engine, say, show
from realism.cli.marks import FINDER_METHOD, FinderMethod, FinderWeights
from realism.errors import InputError

Annotations = Annotated[
    Path, typer.Option(help="whale-anno's exported file, or its project folder.")
]
AnnotatedImages = Annotated[
    Path | None, typer.Option(help="Folder of the pictures; without, the project's data/.")
]


def serve(
    port: Annotated[
        int, typer.Option(help="whale-anno's button knows 5000 only.", min=0, max=65535)
    ] = 5000,
    host: Annotated[str, typer.Option(help="The address to listen at.")] = "127.0.0.1",
    kind: Annotated[
        list[str] | None,
        typer.Option(help="mole, spot, acne or wrinkle; may be repeated."),
    ] = None,
    method: FinderMethod = FINDER_METHOD,
    weights: FinderWeights = None,
    threshold: Annotated[float | None, typer.Option(help="Least score, 0 to 1.")] = None,
    origin: Annotated[
        list[str] | None, typer.Option(help="http://HOST:9060, if whale-anno runs elsewhere.")
    ] = None,
) -> None:
    """Answer whale-anno's automatic-annotation button. All points get the label chosen there."""
    from realism.images import Photo
    from realism.marks.mark import KINDS
    from realism.marks.teach.server import WhaleServer
    from realism.workflow.marks import find_marks_in_photo

    for name in kind or ():
        if name not in KINDS:
            raise InputError("mark_kind_not_known", kind=name, choices=KINDS)
    engine = load_named_engine()

    def find(pixels):
        photo = Photo("picture", pixels)
        found = find_marks_in_photo(photo, engine, method, weights, threshold).marks
        say(f"  {len(found)} marks found")
        return [mark for mark in found if mark.kind in (kind or KINDS)]

    with WhaleServer(find, host, port, tuple(origin or ())) as server:
        say(f"whale-anno's button is answered at {host}:{server.port}; Ctrl-C ends it.")
        server.run()


def train(
    annotations: Annotations,
    images: AnnotatedImages = None,
    model: Annotated[str, typer.Option(help="heatmap, keypoint-rcnn or compact.")] = "heatmap",
    weights: Annotated[Path | None, typer.Option("--from", help="Weights to build on.")] = None,
    out: Annotated[Path, typer.Option(help="Folder to write to.")] = Path("outputs/finder"),
    steps: Annotated[int | None, typer.Option(help="Of the optimiser.")] = None,
    batch: Annotated[int | None, typer.Option(help="Faces a step.")] = None,
    learning_rate: Annotated[float | None, typer.Option()] = None,
    judge_every: Annotated[int | None, typer.Option(help="Steps to a checkpoint.")] = None,
    size: Annotated[int | None, typer.Option(help="px at which faces are seen.")] = None,
    restart: Annotated[bool, typer.Option("--restart", help="Do not resume.")] = False,
) -> None:
    """Train a finder on your whale-anno annotations. Resumes where it stopped."""
    from realism.marks.teach.run import train_on

    lines = train_on(
        annotations, images, load_named_engine(), out, model, weights, size, restart, steps=steps,
        batch=batch, learning_rate=learning_rate, judge_every=judge_every,
    )  # fmt: skip
    print(show(lines))


def evaluate(
    annotations: Annotations,
    images: AnnotatedImages = None,
    method: FinderMethod = FINDER_METHOD,
    weights: FinderWeights = None,
    threshold: Annotated[float, typer.Option(help="Least score, 0 to 1.")] = 0.5,
    out: Annotated[Path, typer.Option(help="Folder to write to.")] = Path("outputs/evaluated"),
) -> None:
    """How many of the marks that you annotated a finder finds, and how many it makes up."""
    from realism.marks.teach.run import evaluate_on

    print(
        show(evaluate_on(annotations, images, load_named_engine(), out, method, weights, threshold))
    )
