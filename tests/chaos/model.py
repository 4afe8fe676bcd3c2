"""What clients know: a journal of acknowledgements on disk, and what follows from it."""

import json
import os
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self


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
        self.retracted: dict[str, int] = {}
        """Sequence of the retraction, by event id."""
        self.facts: dict[str, int] = {}
        """What an attribute of a user was set to last."""
        self.deleted: set[str] = set()
        """Items that are no more."""
        self._file = path.open("w")

    def note(self, acknowledged: list[Acknowledged]) -> None:
        """Keep acknowledgements, in the order in which their sender sent them."""
        self._write(asdict(one) for one in acknowledged)
        for one in acknowledged:
            self.events[one.event_id] = one
            self.of_user[one.user].append(one)

    def note_retracted(self, event_id: str, sequence: int) -> None:
        """Keep that an event was taken back."""
        self._write([{"retracted": event_id, "sequence": sequence}])
        self.retracted[event_id] = sequence

    def note_fact(self, user: str, value: int) -> None:
        """Keep what an attribute of a user is."""
        self._write([{"fact": user, "value": value}])
        self.facts[user] = value

    def note_deleted(self, item: str) -> None:
        """Keep that an item is no more."""
        self._write([{"deleted": item}])
        self.deleted.add(item)

    def standing(self, user: str) -> list[Acknowledged]:
        """Return the events of a user that were not taken back, in order."""
        return [one for one in self.of_user[user] if one.event_id not in self.retracted]

    def _write(self, lines: Iterable[dict[str, Any]]) -> None:
        self._file.writelines(json.dumps(line) + "\n" for line in lines)
        self._file.flush()
        os.fsync(self._file.fileno())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
