"""What is read from files that others replace while we run."""

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Generic, TypeVar

from services.common.logs import logger
from services.common.reloadable import Reloadable
from services.common.settings_file import Stamp, stamp_of

WATCH_SECONDS = 2.0
"""Between two looks, as at the settings: Kubernetes replaces mounted files and sends no signal."""
_TRIES = 5
_log = logger("access")
T = TypeVar("T")


class UnreadableFileError(RuntimeError):
    """A file is away or does not hold what it must; the message names it, and shows nothing."""


class WatchedFiles(Generic[T]):
    """Holds what a few files say together, as of their last state that was right."""

    def __init__(self, paths: Sequence[Path], read: Callable[[Sequence[bytes]], T]) -> None:
        """Read them now; `read` raises ValueError where they are wrong.

        Raises:
            UnreadableFileError: they cannot be used.

        """
        self._paths = tuple(paths)
        self._read = read
        self._seen, value = self._load()
        self.live = Reloadable(value)

    async def run(self) -> None:
        """Look at the files now and then, until cancelled; a fault changes nothing."""
        while True:
            await asyncio.sleep(WATCH_SECONDS)
            await self.look()

    async def look(self) -> None:
        """Read the files anew when they were replaced."""
        stamps = await asyncio.to_thread(self._stamps)
        if stamps == self._seen:
            return
        key = str(self._paths[0])
        try:
            self._seen, value = await asyncio.to_thread(self._load)
        except UnreadableFileError as error:
            # Half of them may be new: the next look finds the rest.
            self._seen = stamps
            _log.error("files are wrong, kept as they were", key=key, fault=str(error))
            return
        self.live.set(value)
        _log.info("files read anew", key=key)

    def _load(self) -> tuple[tuple[Stamp | None, ...], T]:
        for _ in range(_TRIES):
            stamps = self._stamps()
            try:
                contents = [path.read_bytes() for path in self._paths]
            except OSError as error:
                raise UnreadableFileError(
                    f"cannot read {error.filename}: {error.strerror}"
                ) from None
            # Of one state, however they are replaced meanwhile.
            if self._stamps() == stamps:
                break
        try:
            return stamps, self._read(contents)
        except ValueError as error:
            raise UnreadableFileError(f"{self._paths[0]}: {error}") from None

    def _stamps(self) -> tuple[Stamp | None, ...]:
        return tuple(stamp_of(path) for path in self._paths)
