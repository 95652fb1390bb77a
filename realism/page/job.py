"""Long work that belongs to a person, not to a page that may be closed.

A fine-tune or a run of portraits walks in a thread of its own and keeps its events; pages follow
it, from its first event on, and may leave and come back. There is one device, which holds the face
engine and the base that is loaded: whoever uses it holds it, so that work waits for work.
"""

import threading
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeVar

from realism.diffusion.pickles import Progress
from realism.errors import InputError, Message

_device = threading.Lock()  # not bound to a thread: Gradio walks a generator by several
_here = threading.local()  # .holds: what runs in this thread holds the device already
HEARTBEAT = 2.0  # s without an event after which followers hear that it goes on
STOP_WITHIN = 120.0  # s that stopping may take: a step of a large base, and saving
KEPT = 3600.0  # s that work which has ended can be looked at
LOADING_EVERY = 0.5  # s between two events of a download, which is told of at every piece

Kind = Literal["finetune", "portraits"]
Event = TypeVar("Event")
Work = Callable[[Progress], Generator[object, None, object]]


@contextmanager
def device_held() -> Iterator[None]:
    """Hold the device; inside of who holds it already, nothing."""
    if getattr(_here, "holds", False):
        yield
        return
    with _device:
        _here.holds = True
        try:
            yield
        finally:
            _here.holds = False


def device_in_use() -> bool:
    """Whether somebody holds the device."""
    return _device.locked()


def walk_on_device(
    work: Callable[[], Generator[Event, None, None]],
) -> Generator[Event, None, None]:
    """Walk a generator and hold the device until its end, whichever threads walk it."""
    if getattr(_here, "holds", False):
        yield from work()
        return
    with _device:
        walk = work()
        try:
            while True:
                _here.holds = True
                try:
                    event = next(walk)
                except StopIteration:
                    return
                finally:
                    _here.holds = False
                yield event
        finally:
            walk.close()


@dataclass(frozen=True)
class JobWaits:
    """Other work uses the device; this begins when that ends."""


@dataclass(frozen=True)
class JobLoads:
    """What the work needs is being brought to this machine.

    Attributes
    ----------
    share : float
        0..1.
    what : Message
    """

    share: float
    what: Message


@dataclass(frozen=True)
class JobStopped:
    """It was stopped by hand; what was finished is kept."""


@dataclass(frozen=True)
class JobGoesOn:
    """Nothing happened for a while: a chance for who follows to leave."""


class _Stopping(Exception):
    """Raised within a download: the work is to stop."""


class Job:
    """Work of one person that walks until it ends or is stopped.

    Parameters
    ----------
    kind : {"finetune", "portraits"}
        What it is.
    work : callable
        Gives the generator of events; called when the device is free, with what is to be called
        while something is downloaded.
    """

    def __init__(self, kind: Kind, work: Work):
        self.kind: Kind = kind
        self.error: InputError | None = None
        self.ended_at: float | None = None
        self.whole = False  # it ended as it should, by itself or by hand
        self._events: list[object] = []
        self._changed = threading.Condition()
        self._stop = threading.Event()
        self._loading_told = 0.0
        self._thread = threading.Thread(target=self._walk, args=(work,), daemon=True)
        self._thread.start()

    @property
    def running(self) -> bool:
        """Whether it has not ended yet."""
        return self.ended_at is None

    def follow(self) -> Iterator[object]:
        """Its events from the first on, as they come, until it ends.

        Yields
        ------
        object
            Events of the work, JobWaits, JobLoads, JobStopped, and JobGoesOn while nothing happens.
            Leaving the walk does not stop the work.

        Raises
        ------
        InputError
            As the work raised it.
        RuntimeError
            The work ended by a fault, which is in the log.
        """
        seen = 0
        while True:
            with self._changed:
                if len(self._events) == seen and self.running:
                    self._changed.wait(HEARTBEAT)
                events, running = self._events[seen:], self.running
            seen += len(events)
            yield from events
            if not running:
                break
            if not events:
                yield JobGoesOn()
        if self.error:
            raise self.error
        if not self.whole:
            self._thread.join()  # its last act is to write the fault into the log
            raise RuntimeError(f"the {self.kind} ended by a fault; see the log")

    def stop(self) -> None:
        """Stop it after the step it is at, and wait until what was finished is kept."""
        self._stop.set()
        self._thread.join(STOP_WITHIN)

    def _walk(self, work: Work) -> None:
        try:
            if device_in_use():
                self._tell(JobWaits())
            with device_held():
                self._walk_events(work)
        except InputError as error:
            self.error = error
        finally:
            with self._changed:
                self.ended_at = time.monotonic()
                self._changed.notify_all()

    def _walk_events(self, work: Work) -> None:
        events = None if self._stop.is_set() else work(self._on_progress)
        while events is not None and not self._stop.is_set():
            try:
                self._tell(next(events))
            except StopIteration:
                self.whole = True
                return
            except _Stopping:
                break
        if events is not None:
            events.close()  # between two steps: the work saves what it has
        self._tell(JobStopped())
        self.whole = True

    def _on_progress(self, share: float, what: Message) -> None:
        if self._stop.is_set():
            raise _Stopping  # a download goes on where it was broken off
        if time.monotonic() - self._loading_told >= LOADING_EVERY:
            self._loading_told = time.monotonic()
            self._tell(JobLoads(share, what))

    def _tell(self, event: object) -> None:
        with self._changed:
            self._events.append(event)
            self._changed.notify_all()


_jobs: dict[Path, Job] = {}
_starting = threading.Lock()


def start_job(folder: Path, kind: Kind, work: Work) -> Job:
    """Start work of a person; where the same kind runs already, that one.

    Parameters
    ----------
    folder : Path
        The person's.
    kind : {"finetune", "portraits"}
    work : callable
        As `Job` takes it.

    Raises
    ------
    InputError
        Work of another kind runs for this person.
    """
    with _starting:
        forget_ended()
        known = find_job(folder)
        if known and known.running:
            if known.kind == kind:
                return known
            finetunes = known.kind == "finetune"
            raise InputError("finetune_running") if finetunes else InputError("portraits_running")
        job = _jobs[folder.resolve()] = Job(kind, work)
        return job


def find_job(folder: Path, kind: Kind | None = None) -> Job | None:
    """The person's work that runs or ended within the hour, of a kind or any; None without."""
    job = _jobs.get(folder.resolve())
    return job if job and kind in (None, job.kind) else None


def stop_jobs(root: Path | None = None) -> None:
    """Stop all work, or that of the people under a folder, and forget it."""
    for folder in list(_jobs):
        if root is None or folder.is_relative_to(root.resolve()):
            _jobs.pop(folder).stop()


def forget_ended() -> None:
    """Forget work that ended more than an hour ago."""
    now = time.monotonic()
    for folder, job in list(_jobs.items()):
        if job.ended_at is not None and now - job.ended_at > KEPT:
            del _jobs[folder]
