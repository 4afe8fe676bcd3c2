"""The file that gets the rows that were not taken, with reasons."""

import json
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from services.dataset.row_fault import RowFault
from services.dataset.table_file import Row


class RejectsFile:
    """FILE.rejects.jsonl: one JSON object a line, with row number, reason, detail and row.

    It is created with the first row, so that a clean import leaves no file.
    """

    def __init__(self, source: Path, keep_bytes: int = 0) -> None:
        """Write beside `source`; of what is there the first `keep_bytes` stay."""
        self.path = source.with_name(f"{source.name}.rejects.jsonl")
        self.count = 0
        self._file: IO[bytes] | None = None
        if keep_bytes and self.path.exists():
            self._file = self.path.open("r+b")
            self._file.truncate(keep_bytes)
            self._file.seek(0, 2)
        else:
            self.path.unlink(missing_ok=True)

    def add(self, row: Row, fault: RowFault) -> None:
        """Append a row."""
        if self._file is None:
            self._file = self.path.open("wb")
        entry = {
            "row_number": row.number,
            "reason": fault.reason,
            "detail": fault.detail,
            "row": row.cells,
        }
        self._file.write(json.dumps(entry, default=str).encode() + b"\n")
        self.count += 1

    def flush(self) -> int:
        """Write out what was added; return the size of the file in bytes."""
        if self._file is None:
            return 0
        self._file.flush()
        return self._file.tell()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._file is not None:
            self._file.close()
