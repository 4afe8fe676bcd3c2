"""What clients know: a journal of acknowledgements on disk, and what follows from it."""

import json
import os
from collections import defaultdict
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """An event that the suite said it has, and the sequence in the position it named."""

    event_id: str
    user: str
    item: str
    sequence: int


class Journal:
    """Acknowledgements, on disk before anything is concluded from them."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.events: dict[str, Acknowledged] = {}
        self.of_user: dict[str, list[Acknowledged]] = defaultdict(list)
        self.played: dict[str, set[str]] = defaultdict(set)
        self._file = path.open("w")

    def note(self, acknowledged: list[Acknowledged]) -> None:
        """Keep acknowledgements, in the order in which their sender sent them."""
        for one in acknowledged:
            self._file.write(json.dumps(asdict(one)) + "\n")
        self._file.flush()
        os.fsync(self._file.fileno())
        for one in acknowledged:
            self.events[one.event_id] = one
            self.of_user[one.user].append(one)
            self.played[one.user].add(one.item)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
