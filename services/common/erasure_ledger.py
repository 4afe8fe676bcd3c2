"""The ledger of erasures outside of the databases: what a restore of an older backup must not undo.

A file of JSON lines, only ever added to. Nobody is named in it: a user is the SHA-256 of the stored
key.
"""

import hashlib
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

_DIGEST_BYTES = hashlib.sha256().digest_size


class LedgerFaultError(ValueError):
    """A line of a ledger is none."""


@dataclass(frozen=True, slots=True)
class LedgerLine:
    """Who was erased: the SHA-256 of the stored key, as hexadecimal digits, and since when, unix
    microseconds.
    """

    erasure_id: str
    tenant: str
    tombstone: str
    erased_at_us: int


class ErasureLedger:
    """Adds to a ledger, and reads it."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def add(self, line: LedgerLine) -> None:
        """Add a line; it is on disk when this returns.

        Raises:
            OSError: it cannot be written.

        """
        # The first end of line is of a line before that a crash may have torn.
        text = "\n" + json.dumps(asdict(line), separators=(",", ":")) + "\n"
        file = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            # One write: several processes may add to one file.
            os.write(file, text.encode())
            os.fsync(file)
        finally:
            os.close(file)

    def read(self) -> list[LedgerLine]:
        """Return the lines, each erasure once; none where there is no file yet. What a crash tore
        is left out: who wrote it did not answer.

        Raises:
            LedgerFaultError: a line is none.
            OSError: it cannot be read.

        """
        if not self._path.exists():
            return []
        found: dict[str, LedgerLine] = {}
        for number, text in enumerate(self._path.read_text("utf-8").splitlines(), start=1):
            if text.endswith("}"):
                line = _parsed(text, f"{self._path}, line {number}")
                found.setdefault(line.erasure_id, line)
        return list(found.values())


def _parsed(text: str, place: str) -> LedgerLine:
    try:
        line = LedgerLine(**json.loads(text))
        sound = (
            bool(line.erasure_id and line.tenant)
            and len(bytes.fromhex(line.tombstone)) == _DIGEST_BYTES
            and line.erased_at_us > 0
        )
    except (TypeError, ValueError):
        sound = False
    if not sound:
        raise LedgerFaultError(f"{place}: not a line of a ledger of erasures")
    return line
