"""`realism delete`: a person and everything derived."""

from typing import Annotated

import typer

from realism.cli.console import PersonName


def delete(
    person: PersonName,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask again.")] = False,
) -> None:
    """Delete a person with photos, LoRA, portraits and marks; nothing is kept."""
    from realism.person.person import open_person

    opened = open_person(person)
    if not yes:
        typer.confirm(f"Delete {opened.name} with everything derived?", abort=True, err=True)
    print(f"Deleted {opened.name}: {', '.join(map(str, opened.delete()))}.")
