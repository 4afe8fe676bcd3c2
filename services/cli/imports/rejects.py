"""The file that gets the rows that were not taken, with reasons."""

import contextlib
import json
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from services.cli.console import messages
from services.dataset.faults import FaultyRow


class RejectsFile:
    """One JSON object a line: file, line, row_number, column, value, reason, detail and row.

    It is created with the first row, so that a clean import leaves no file. Where it cannot be
    written, another place takes it: the rows that are fine go in all the same.
    """

    def __init__(self, path: Path, fallback: Path, keep_bytes: int = 0) -> None:
        """Write to `path`, or to `fallback`; of what is there the first `keep_bytes` stay."""
        self.path = path
        self._fallback = fallback
        self._keep_bytes = keep_bytes
        self._size = keep_bytes
        self._file: IO[bytes] | None = None
        self.reasons: dict[str, tuple[int, str]] = {}
        """Of the rows of this run: how many by reason, and what the first one says."""

    def add(self, row: FaultyRow, outcome: str) -> None:
        """Append a row that was "rejected" or "quarantined"."""
        count, first = self.reasons.get(row.fault.reason, (0, ""))
        place = f"line {row.line}" if row.line else f"row {row.number}"
        self.reasons[row.fault.reason] = (count + 1, first or f"{place}: {row.fault.detail}")
        file = self._opened()
        entry = {
            "outcome": outcome,
            "file": row.file,
            "line": row.line,
            "row_number": row.number,
            "column": row.fault.column,
            "value": row.fault.value,
            "reason": row.fault.reason,
            "detail": row.fault.detail,
            "row": row.cells,
        }
        self._size += file.write(json.dumps(entry, default=str).encode() + b"\n")

    def flush(self) -> int:
        """Write out what was added; return the size of the file in bytes."""
        if self._file is not None:
            self._file.flush()
        return self._size

    def __enter__(self) -> Self:
        if not self._keep_bytes:
            # Of an earlier import, which this one takes the place of.
            for path in (self.path, self._fallback):
                # What is no plain file, such as /dev/null, is not ours to remove.
                with contextlib.suppress(OSError):
                    if path.is_file() and not path.is_symlink():
                        path.unlink()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._file is not None:
            self._file.close()

    def _opened(self) -> IO[bytes]:
        if self._file is None:
            try:
                self._file = self._open(self.path)
            except OSError as error:
                messages().print(
                    f"{self.path} cannot be written ({error.strerror}): rejects go to "
                    f"{self._fallback}",
                    markup=False,
                )
                self.path = self._fallback
                self.path.parent.mkdir(parents=True, exist_ok=True)
                self._file = self._open(self.path)
        return self._file

    def _open(self, path: Path) -> IO[bytes]:
        if not (self._keep_bytes and path.is_file()):
            self._size = 0
            return path.open("wb")
        file = path.open("r+b")
        file.truncate(self._keep_bytes)
        file.seek(0, 2)
        return file
