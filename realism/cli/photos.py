"""Step 1: `realism photos`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from realism.cli.console import PersonName, PhotoName, load_named_engine, say, show

if TYPE_CHECKING:
    from realism.person.person import Person

DECISIONS = {"accept": True, "refuse": False, "check": None}


def add(
    person: PersonName,
    files: Annotated[
        list[Path], typer.Argument(help="JPEG, PNG, WebP, AVIF or HEIC, or folders of them.")
    ],
    consent: Annotated[
        bool, typer.Option("--consent", help="The person shown is me or has agreed.")
    ] = False,
    class_word: Annotated[
        str, typer.Option("--noun", help="person, woman or man, for captions.")
    ] = "person",
) -> None:
    """Add photos; the person is made when new (that needs --consent)."""
    from realism.config import home
    from realism.person.names import person_folder
    from realism.person.person import create_person, open_person
    from realism.workflow.photos import add_photos, picture_files

    pictures = picture_files(files)
    if (person_folder(home(), person) / "person.json").exists():
        opened = open_person(person)
    else:
        opened = create_person(person, consent, class_word)
    show(add_photos(opened, pictures, load_named_engine()))
    print_photos(opened)


def list_photos(
    person: Annotated[str | None, typer.Argument(help="A person; without, all people.")] = None,
) -> None:
    """List the people, or the photos of one with their verdicts."""
    from realism.person.person import damaged_people, open_person, people

    if person:
        print_photos(open_person(person))
        return
    for fault in damaged_people():
        say(f"realism: {fault}")
    for known in people():
        photos = known.records()
        good = sum(photo.accepted for photo in photos)
        print(f"{known.name}: {good} of {len(photos)} photos accepted")


def check(person: PersonName) -> None:
    """Judge all photos of a person again."""
    from realism.person.person import open_person

    opened = open_person(person)
    opened.judge_set(load_named_engine())
    print_photos(opened)
    opened.accepted()


def choose(
    person: PersonName,
    photo: PhotoName,
    decision: Annotated[
        Literal["accept", "refuse", "check"],
        typer.Argument(help="accept, refuse, or check to let it decide."),
    ],
) -> None:
    """Accept or refuse one photo by hand."""
    from realism.person.person import open_person

    opened = open_person(person)
    opened.choose(photo, DECISIONS[decision], load_named_engine())
    print_photos(opened)


def flip(person: PersonName, photo: PhotoName) -> None:
    """Flip a photo left to right: a mirrored selfie, as `marks passport` tells them."""
    from realism.person.person import open_person

    opened = open_person(person)
    opened.flip_photo(photo, load_named_engine())
    print_photos(opened)


def print_photos(person: "Person") -> None:
    """Each photo with its verdict, and how many are accepted."""
    scale, photos = person.photo_to_photo(), person.records()
    for photo in photos:
        state = "accepted" if photo.accepted else "refused"
        by_hand = " by hand" if photo.choice is not None else ""
        near = f", photo-to-photo {scale[photo.name]:.2f}" if photo.name in scale else ""
        print(f"{photo.name}: {state}{by_hand}{near}")
        for reason in (*photo.verdict.reasons, *photo.verdict.notes):
            print(f"    {reason.text}")
    good = sum(photo.accepted for photo in photos)
    print(f"{good} of {len(photos)} photos of {person.name} are accepted.")
