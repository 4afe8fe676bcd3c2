"""How far an import got, so that it can go on after a break."""

import hashlib
import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

from services.cli.imports.counts import Counts


@dataclass(frozen=True, slots=True)
class ImportState:
    """Rows that are acknowledged, and what became of them; the rejects file has `rejects_bytes` of
    them.
    """

    counts: Counts = field(default_factory=Counts)
    rejects_bytes: int = 0

    @property
    def rows(self) -> int:
        """Return how many rows are acknowledged."""
        return self.counts.rows


class ImportStateFile:
    """The state of one import: the same content, into the same tenant, in the same way."""

    def __init__(self, folder: Path, *identity: str) -> None:
        """Keep the state under `folder`; `identity` says what makes two imports the same."""
        key = hashlib.blake2b("\x00".join(identity).encode(), digest_size=12).hexdigest()
        self.path = folder / "imports" / f"{key}.json"

    def read(self) -> ImportState:
        """Return the state, that of the beginning when there is none, or of another version."""
        try:
            found = json.loads(self.path.read_text())
            return ImportState(Counts(**found["counts"]), found["rejects_bytes"])
        except (FileNotFoundError, KeyError, TypeError, ValueError):
            return ImportState()

    def write(self, state: ImportState) -> None:
        """Replace the state, in one step."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        partial = self.path.with_suffix(".partial")
        partial.write_text(json.dumps(asdict(state)))
        partial.replace(self.path)

    def clear(self) -> None:
        """Forget the state: the import is complete, or shall begin anew."""
        self.path.unlink(missing_ok=True)
