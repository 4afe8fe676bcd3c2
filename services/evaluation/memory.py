"""How much memory a stretch of work held at its peak, where the system says so (Linux)."""

import resource
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_FOLDER = Path("/proc/self")
_RESET_PEAK = "5"


class MemoryWatch:
    """Peaks of phases, one after the other.

    A process has one peak, so beginning a phase sets it back; the largest of all is kept here.
    `grown`: by name of a phase, bytes of its peak beyond what was held when it began.
    """

    def __init__(self, folder: Path = _FOLDER) -> None:
        """`folder` is that of this process under /proc; without it no phase has a figure."""
        self._folder = folder
        self._largest = 0
        self.grown: dict[str, int] = {}

    @contextmanager
    def phase(self, *names: str) -> Iterator[None]:
        """Measure what is done inside, under each of the names; nothing when it fails."""
        self._largest = self.peak_bytes()
        before = self._begin()
        yield
        peak = self._kibibytes("VmHWM")
        if before is not None and peak is not None:
            self.grown |= dict.fromkeys(names, max(peak - before, 0) * 1024)

    def peak_bytes(self) -> int:
        """Return the largest resident size of this process so far."""
        size = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return max(self._largest, size if sys.platform == "darwin" else size * 1024)

    def _begin(self) -> int | None:
        try:
            (self._folder / "clear_refs").write_text(_RESET_PEAK)
        except OSError:
            return None
        return self._kibibytes("VmRSS")

    def _kibibytes(self, field: str) -> int | None:
        try:
            lines = (self._folder / "status").read_text().splitlines()
        except OSError:
            return None
        return next((int(one.split()[1]) for one in lines if one.startswith(f"{field}:")), None)
