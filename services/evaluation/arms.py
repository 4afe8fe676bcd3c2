"""The arms that are compared, as rankings of unseen items.

`full` asks for a slate before each group of events: everything that happened before is learned.
`frozen_state` takes one long slate per user at the split and sees nothing after it; items that the
user has seen since are removed, because every system knows not to show them again.
"""

from collections.abc import Iterable, Sequence


def rank_in(slate: Sequence[str], item: str) -> int | None:
    """Return the rank of `item` in a slate, from 1; None when it is not there."""
    try:
        return slate.index(item) + 1
    except ValueError:
        return None


class FrozenSlate:
    """The slate of one user at the split, from which items seen since are removed."""

    def __init__(self, slate: Sequence[str]) -> None:
        """Keep `slate`, best first, without duplicates."""
        self._places = {item: place for place, item in enumerate(slate)}
        self._seen_places: set[int] = set()

    def rank(self, item: str) -> int | None:
        """Return the rank of `item` among those left, from 1; None when it is not among them."""
        place = self._places.get(item)
        if place is None or place in self._seen_places:
            return None
        return place + 1 - sum(1 for seen in self._seen_places if seen < place)

    def see(self, items: Iterable[str]) -> None:
        """Remove items; unknown ones are ignored."""
        for item in items:
            place = self._places.get(item)
            if place is not None:
                self._seen_places.add(place)
