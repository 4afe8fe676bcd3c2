"""Steps that wait: in memory while they are few, on disk beyond."""

import pickle
import tempfile
from collections.abc import Iterator
from types import TracebackType
from typing import Self

from services.system.learner import SystemStep

_IN_MEMORY_BYTES = 64 * 1024 * 1024


class StepBuffer:
    """First in, first out, all at once. Close it after use."""

    def __init__(self) -> None:
        self._file = tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY_BYTES)  # noqa: SIM115
        self._count = 0

    def add(self, step: SystemStep) -> None:
        """Keep a step."""
        pickle.dump(step, self._file, protocol=pickle.HIGHEST_PROTOCOL)
        self._count += 1

    def drain(self) -> Iterator[SystemStep]:
        """Yield what was kept, and forget it."""
        self._file.seek(0)
        for _ in range(self._count):
            step: SystemStep = pickle.load(self._file)
            yield step
        self._count = 0
        self._file.seek(0)
        self._file.truncate()

    def close(self) -> None:
        """Forget everything, the file too."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
