"""What sources found a moment ago: to look through a catalogue for each slate takes too long."""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from services.common.arrays import Float64s, Ordinals
from services.ranker.domain.surface.sources.named import NamedItems

Found = TypeVar("Found")


@dataclass(slots=True)
class Kept(Generic[Found]):
    """Items by key, each good for `seconds`; at most `most`, the oldest goes first."""

    seconds: float
    most: int
    _found: OrderedDict[Hashable, tuple[float, Found]] = field(default_factory=OrderedDict)

    def forget(self) -> None:
        """Look for everything anew."""
        self._found.clear()

    def of(self, key: Hashable, now: float, find: Callable[[], Found]) -> Found:
        """Return what `find` returned at most so many seconds ago, or does now."""
        held = self._found.get(key)
        # A replay of history may go back in time.
        if held is not None and 0 <= now - held[0] < self.seconds:
            return held[1]
        found = find()
        self._found[key] = now, found
        self._found.move_to_end(key)
        if len(self._found) > self.most:
            self._found.popitem(last=False)
        return found


@dataclass(slots=True)
class Finds:
    """Of one tenant's replica. trending: by category, newest: by how many events are few, trends:
    all, nearest: by item, named: see there.
    """

    trending: Kept[tuple[Ordinals, Float64s]] = field(default_factory=lambda: Kept(1.0, 10_000))
    newest: Kept[Ordinals] = field(default_factory=lambda: Kept(1.0, 10))
    trends: Kept[Ordinals] = field(default_factory=lambda: Kept(1.0, 1))
    nearest: Kept[Ordinals] = field(default_factory=lambda: Kept(10.0, 10_000))
    named: NamedItems = field(default_factory=NamedItems)
