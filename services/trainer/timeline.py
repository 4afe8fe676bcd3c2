"""What every user did, in order of time, and the recent items before any point of it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]
NO_ITEM = -1


@dataclass(frozen=True, slots=True)
class Histories:
    """Recent items before a point, latest first, each item once, padded at the end.

    items: int64 [n, length], padded with NO_ITEM. weights: float32 [n, length], times_s: int64
    [n, length], both padded with 0.
    """

    items: Ints
    weights: Floats
    times_s: Ints


@dataclass(frozen=True, slots=True)
class Groups:
    """Tie groups: events of one user in one second, which are scored before any is revealed.

    first, last: [n] places in the timeline, `last` exclusive. order: [n] global place in time of
    the first event, by which groups ascend.
    """

    first: Ints
    last: Ints
    order: Ints

    def __len__(self) -> int:
        return int(self.first.shape[0])

    def take(self, chosen: npt.NDArray[np.integer] | npt.NDArray[np.bool_] | slice) -> Self:
        """Return some of the groups."""
        return type(self)(self.first[chosen], self.last[chosen], self.order[chosen])


class Timeline:
    """Events by (user, time). Events of weight <= 0 are left out: they teach nothing positive."""

    def __init__(
        self,
        users: npt.NDArray[np.integer],
        items: npt.NDArray[np.integer],
        times_us: npt.NDArray[np.integer],
        weights: npt.NDArray[np.floating],
        n_items: int,
        chosen: Ints | None = None,
    ) -> None:
        """Take events in ascending order of time, all arrays [n]; chosen: only these, ascending."""
        if chosen is None:
            chosen = np.arange(len(users), dtype=np.int64)
        kept = chosen[np.asarray(weights[chosen]) > 0]
        order = kept[np.argsort(users[kept], kind="stable")]
        self.n_items = n_items
        self.users: Ints = np.asarray(users[order], np.int64)
        self.items: Ints = np.asarray(items[order], np.int64)
        self.times_s: Ints = np.asarray(times_us[order], np.int64) // 1_000_000
        self.weights: Floats = np.asarray(weights[order], np.float32)
        self.global_order: Ints = order.astype(np.int64)
        self._user_start: Ints = np.searchsorted(self.users, self.users, side="left")

    def __len__(self) -> int:
        return int(self.users.shape[0])

    def groups(self, begin: int = 0, end: int | None = None) -> Groups:
        """Return tie groups whose first event is number `begin` to `end` of all, in global order.

        A group that straddles `begin` is not among them.
        """
        new = np.ones(len(self), np.bool_)
        new[1:] = (self.users[1:] != self.users[:-1]) | (self.times_s[1:] != self.times_s[:-1])
        first = np.flatnonzero(new)
        last = np.append(first[1:], len(self)).astype(np.int64)
        order = self.global_order[first]
        groups = Groups(first, last, order)
        inside = order >= begin
        if end is not None:
            inside &= order < end
        chosen = np.flatnonzero(inside)
        return groups.take(chosen[np.argsort(order[chosen], kind="stable")])

    def histories(self, places: Ints, length: int) -> Histories:
        """Return what came before places [n] of the same user: the last `length` events.

        An item that came again counts at its latest place only.
        """
        back = places[:, None] - 1 - np.arange(length)
        inside = back >= self._start_of(places)[:, None]
        back = np.where(inside, back, 0)
        items = np.where(inside, self.items[back] if len(self) else 0, NO_ITEM)
        items[_repeated(items)] = NO_ITEM
        gone = items == NO_ITEM
        weights = np.where(gone, 0, self.weights[back] if len(self) else 0)
        times = np.where(gone, 0, self.times_s[back] if len(self) else 0)
        return _compact(Histories(items, weights.astype(np.float32), times))

    def seen(self, place: int) -> Ints:
        """Return all items of the user before a place."""
        return self.items[self._user_start[place] : place]

    def runs(self, end: int) -> Iterator[Ints]:
        """Yield each user's places, in order, of events before global number `end`."""
        places = np.flatnonzero(self.global_order < end)
        cuts = np.flatnonzero(np.diff(self.users[places])) + 1
        yield from (run for run in np.split(places, cuts) if run.size)

    def _start_of(self, places: Ints) -> Ints:
        return self._user_start[np.minimum(places, max(len(self) - 1, 0))] if len(self) else places


def _repeated(items: Ints) -> npt.NDArray[np.bool_]:
    """Mark [n, l] entries that stand nearer to the front of their row already."""
    order = np.argsort(items, axis=1, kind="stable")
    ordered = np.take_along_axis(items, order, axis=1)
    again = np.zeros(items.shape, np.bool_)
    again[:, 1:] = (ordered[:, 1:] == ordered[:, :-1]) & (ordered[:, 1:] != NO_ITEM)
    marked = np.zeros(items.shape, np.bool_)
    np.put_along_axis(marked, order, again, axis=1)
    return marked


def _compact(histories: Histories) -> Histories:
    """Move padding to the end of rows, keeping the order of the rest."""
    order = np.argsort(histories.items == NO_ITEM, axis=1, kind="stable")
    return Histories(
        np.take_along_axis(histories.items, order, axis=1),
        np.take_along_axis(histories.weights, order, axis=1),
        np.take_along_axis(histories.times_s, order, axis=1),
    )
