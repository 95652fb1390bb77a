"""Ask each hub whether it has each base of the table, in which form and how large.

All are asked at once, each in a thread of its own that is not waited for beyond a limit: a hub that
answers on its port may still fall silent.
"""

import threading
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from realism.diffusion.hub import (
    hubs_in_order,
    parse_hub_id,
    reachable,
    reason_of,
    refusals,
)
from realism.diffusion.hub_clients import Hub
from realism.diffusion.hub_files import choose_files
from realism.diffusion.pickles import is_pickle
from realism.diffusion.recommended import RecommendedBase
from realism.errors import Message

ANSWER_TIMEOUT = 20.0  # seconds, for all questions together


@dataclass(frozen=True)
class HubAnswer:
    """What one hub says of one place of a base.

    Attributes
    ----------
    place : str
        The id asked for.
    hub : str
        Its title.
    files : tuple of str
        What would be downloaded; () where it is not there.
    size : int
        Their bytes together.
    reason : Message, str or None
        Why it is not to be had.
    """

    place: str
    hub: str
    files: tuple[str, ...] = ()
    size: int = 0
    reason: Message | str | None = None

    @property
    def is_folder(self) -> bool:
        """Whether it is a folder in diffusers layout, not one checkpoint."""
        return any(name.endswith("model_index.json") for name in self.files)

    @property
    def is_pickled(self) -> bool:
        """Whether weights of it are there as pickles only."""
        return any(is_pickle(Path(name)) for name in self.files)

    @property
    def is_half(self) -> bool:
        """Whether the hub offers weights named as half precision."""
        return any(".fp16" in name for name in self.files)


def ask_hubs(
    rows: Iterable[RecommendedBase], timeout: float = ANSWER_TIMEOUT
) -> Iterator[tuple[RecommendedBase, list[HubAnswer]]]:
    """Each row of a hub's bases with what each reachable hub says of each of its places.

    A hub that cannot be reached answers once a row; where none can be, a row has no answers.

    Parameters
    ----------
    rows : iterable of RecommendedBase
    timeout : float, s
        After so long nothing more is waited for.
    """
    rows = [row for row in rows if row.size_gb is not None]
    hubs = [hub for hub in hubs_in_order() if reachable(hub)]
    away = [hub for hub in hubs_in_order() if hub not in hubs] if hubs else []
    catch = refusals()  # imported here, once, not by each thread
    asked = {
        (row.name, place, hub.name): _Question(hub, place, catch)
        for row in rows
        for place in row.where
        for hub in hubs
    }
    end = time.monotonic() + timeout
    for row in rows:
        unreached = {hub: Message("hub_unreachable", hub=hub.title) for hub in away}
        answers = [HubAnswer("", hub.title, reason=said) for hub, said in unreached.items()]
        for place in row.where:
            for hub in hubs:
                question = asked[row.name, place, hub.name]
                question.thread.join(max(0, end - time.monotonic()))
                silent = HubAnswer(place, hub.title, reason=Message("hub_silent"))
                answers.append(question.answer or silent)
        yield row, answers


class _Question:
    """One place asked of one hub, in a thread that nobody waits for at the end."""

    def __init__(self, hub: Hub, place: str, catch: tuple[type[Exception], ...]):
        self.answer: HubAnswer | None = None
        self.thread = threading.Thread(target=self._ask, args=(hub, place, catch), daemon=True)
        self.thread.start()

    def _ask(self, hub: Hub, place: str, catch: tuple[type[Exception], ...]) -> None:
        wanted = parse_hub_id(place)
        try:
            sizes = hub.file_sizes(wanted.repo, wanted.revision)
            files = choose_files(list(sizes), wanted.folder)
        except catch as error:
            self.answer = HubAnswer(place, hub.title, reason=reason_of(error))
        else:
            size = sum(sizes[name] for name in files)
            self.answer = HubAnswer(place, hub.title, tuple(files), size)
