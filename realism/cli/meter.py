"""How long each step of a run takes, and how much memory at most."""

import threading
import time
from pathlib import Path

import psutil

from realism.disk import write_json

EVERY = 0.05  # seconds between two looks at the memory; a look takes some 20 microseconds


class Meter:
    """Times steps and their peak memory, and keeps the report on disk current.

    Attributes
    ----------
    report : dict
        "steps": name -> {"seconds", "peak_memory_mb"}; more may be put beside it.
    """

    def __init__(self, file: Path):
        self.file = file
        self.report: dict = {"steps": {}}
        self._began_at = time.monotonic()
        self._step: tuple[str, float, _PeakMemory] | None = None

    @property
    def seconds(self) -> float:
        """Since the meter was made."""
        return round(time.monotonic() - self._began_at, 1)

    def begin(self, name: str) -> None:
        """End the step before, and begin this one."""
        self.end()
        self._step = name, time.monotonic(), _PeakMemory()

    def end(self) -> None:
        """End the step that runs, if any."""
        if self._step is None:
            return
        name, began_at, memory = self._step
        self._step = None
        seconds = round(time.monotonic() - began_at, 1)
        self.report["steps"][name] = {"seconds": seconds, "peak_memory_mb": memory.stop()}
        self.write()

    def write(self) -> None:
        """Write the report."""
        write_json(self.file, self.report)


class _PeakMemory:
    """Looks at this process's memory from a thread of its own until it is stopped.

    The system's own peak is of the whole run, and only some systems can begin it anew.
    """

    def __init__(self):
        self._process = psutil.Process()
        self._peak = self._process.memory_info().rss
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def _look(self) -> None:
        while not self._stopped.wait(EVERY):
            self._peak = max(self._peak, self._process.memory_info().rss)

    def stop(self) -> int:
        """The peak since it began, MB."""
        self._stopped.set()
        self._thread.join()
        return max(self._peak, self._process.memory_info().rss) // 2**20
