"""Recent items of users: what a user vector is made from."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from services.common.compiled_loops import CompiledLoops
from services.common.runs import distinct, run_lengths, run_starts
from services.feed.parameters import Flags, Floats, Ints

_FIRST_CAPACITY = 1024
NO_ITEM = -1
_NO_TIME = np.iinfo(np.int64).min


@dataclass(frozen=True, slots=True)
class Histories:
    """Recent items just before each event, latest first: items int64 [n, length], padded with
    NO_ITEM; weights float32 [n, length], padded with 0; times_us int64 [n, length], padded with 0.
    """

    items: Ints
    weights: Floats
    times_us: Ints


class PastEvent(NamedTuple):
    """An event that taught something about its user; `item` is an ordinal."""

    sequence: int
    item: int
    weight: float
    time_us: int

    @property
    def moment(self) -> tuple[int, int]:
        """Return where the event stands: by its time, of one time by log order."""
        return self.time_us, self.sequence


class EventColumns(NamedTuple):
    """Events in log order, each column [n]: user rows, ordinals or NO_ITEM, and the rest."""

    rows: Ints
    items: Ints
    weights: Floats
    times_us: Ints
    sequences: Ints

    def at(self, index: int) -> tuple[int, PastEvent]:
        """Return one of them: its user's row, and what is remembered of it."""
        return int(self.rows[index]), PastEvent(
            int(self.sequences[index]),
            int(self.items[index]),
            float(self.weights[index]),
            int(self.times_us[index]),
        )


class UserTable:
    """The last `length` items with positive evidence per user, each item once, by event time.

    Of one time, the event later in the log comes later.

    An event that comes late takes the place that its time gives it: all is as if the remembered
    events had come in order. What had fallen out by then does not come back, and an event that is
    older than all of `length` items falls out at once.

    Events that those items do not show, because another one of the same item followed or because
    they are negative, are hidden: at most the newest `length` of a user, so that a retraction finds
    what there was before.
    """

    def __init__(self, length: int, core: CompiledLoops | None = None) -> None:
        self.length = length
        self._core = core
        self.keys: list[bytes] = []
        self._row_of: dict[bytes, int] = {}
        # Latest first, as they are read.
        self._items: npt.NDArray[np.int64] = np.full((_FIRST_CAPACITY, length), NO_ITEM, np.int64)
        self._weights = np.zeros((_FIRST_CAPACITY, length), np.float32)
        self._times_us = np.zeros((_FIRST_CAPACITY, length), np.int64)
        self._sequences = np.zeros((_FIRST_CAPACITY, length), np.int64)
        self._hidden: dict[int, list[PastEvent]] = {}
        # Of the events that taught something: what is older comes late.
        self._latest_us: npt.NDArray[np.int64] = np.full(_FIRST_CAPACITY, _NO_TIME, np.int64)
        self.pinned: Flags = np.zeros(_FIRST_CAPACITY, np.bool_)

    def __len__(self) -> int:
        return len(self.keys)

    def resize(self, length: int) -> None:
        """Remember `length` items of each user from now on; older ones are forgotten."""
        rows, kept = self.pinned.shape[0], min(length, self.length)
        items = np.full((rows, length), NO_ITEM, np.int64)
        weights = np.zeros((rows, length), np.float32)
        times_us = np.zeros((rows, length), np.int64)
        sequences = np.zeros((rows, length), np.int64)
        items[:, :kept] = self._items[:, :kept]
        weights[:, :kept] = self._weights[:, :kept]
        times_us[:, :kept] = self._times_us[:, :kept]
        sequences[:, :kept] = self._sequences[:, :kept]
        self._items, self._weights, self._times_us = items, weights, times_us
        self._sequences = sequences
        self.length = length
        for own in self._hidden.values():
            del own[: max(0, len(own) - length)]

    def row(self, user_key: bytes) -> int:
        """Return the row of a user, made on first sight."""
        row = self._row_of.get(user_key)
        if row is None:
            row = len(self.keys)
            self._row_of[user_key] = row
            self.keys.append(user_key)
            if row >= self.pinned.shape[0]:
                self._grow()
        return row

    def rename(self, user_key: bytes, name: bytes) -> int | None:
        """Let a user's row go by another name; return it, None when there is none. The user's key
        gets a new row when it comes again.
        """
        row = self._row_of.pop(user_key, None)
        if row is not None:
            self._row_of[name] = row
            self.keys[row] = name
        return row

    def find(self, user_key: bytes) -> int | None:
        """Return the row of a user, None when there is none."""
        return self._row_of.get(user_key)

    def clear(self, row: int) -> None:
        """Forget all of a user but the name."""
        self._replay(row, [])
        self.pinned[row] = False

    def rows(self, user_keys: Sequence[bytes]) -> Ints:
        """Return rows [n], made on first sight."""
        return np.fromiter((self.row(key) for key in user_keys), np.int64, len(user_keys))

    def record(
        self, rows: Ints, items: Ints, weights: Floats, times_us: Ints, sequences: Ints
    ) -> Histories:
        """Add events in log order; return each user's recent items just before the time of each
        (of those that change nothing, as they are by then).

        An item that comes again moves to the front with its new weight and time; one with negative
        weight is taken out; weight 0 and unknown items (NO_ITEM) change nothing. What events taught
        before a late one came stays as it was.
        """
        if self._core is not None:
            return self._record_compiled(
                self._core, EventColumns(rows, items, weights, times_us, sequences)
            )
        before = self.histories(rows)
        teaches = (items != NO_ITEM) & (weights != 0)
        # The n-th events of all users are one vectorised turn: what a user did stays in order.
        for turn, events in enumerate(_turns(rows)):
            if turn:
                own = rows[events]
                before.items[events] = self._items[own]
                before.weights[events] = self._weights[own]
                before.times_us[events] = self._times_us[own]
            teach = events[teaches[events]]
            if not teach.size:
                continue
            late = times_us[teach] < self._latest_us[rows[teach]]
            if late.any():
                columns = EventColumns(rows, items, weights, times_us, sequences)
                for event in teach[late].tolist():
                    self._insert(before, event, *columns.at(event))
                teach = teach[~late]
            self._move(rows[teach], items[teach], weights[teach], times_us[teach], sequences[teach])
        return before

    def _record_compiled(self, core: CompiledLoops, events: "EventColumns") -> Histories:
        """Do what `record` does: late events one by one, and what is between them at once."""
        shape = (events.rows.size, self.length)
        before = Histories(
            np.empty(shape, np.int64), np.empty(shape, np.float32), np.empty(shape, np.int64)
        )
        event = 0
        while event < events.rows.size:
            event, own, sequences, items, weights, times_us = core.record_events(
                self._items, self._weights, self._times_us, self._sequences, self._latest_us,
                *events, before.items, before.weights, before.times_us, event,
            )  # fmt: skip
            hidden = EventColumns(own, items, weights, times_us, sequences)
            for index in range(own.size):
                self._hide_event(*hidden.at(index))
            if event < events.rows.size:
                self._insert(before, event, *events.at(event))
                event += 1
        return before

    def _insert(self, before: Histories, index: int, row: int, event: PastEvent) -> None:
        """Add an event that comes late, and set what was before it."""
        if self._falls_out(row, event):
            # Of a history that is imported after a newer one, most events do.
            before.items[index], before.weights[index], before.times_us[index] = NO_ITEM, 0, 0
            return
        past = self.past(row)
        self._replay(row, [one for one in past if one.moment < event.moment])
        before.items[index] = self._items[row]
        before.weights[index] = self._weights[row]
        before.times_us[index] = self._times_us[row]
        self._replay(row, sorted([*past, event], key=lambda one: one.moment))

    def _falls_out(self, row: int, event: PastEvent) -> bool:
        """Return whether an event is older than all that is remembered of a user with no room."""
        if event.weight < 0 or self._items[row, -1] == NO_ITEM:
            return False
        hidden = self._hidden.get(row)
        oldest = (int(self._times_us[row, -1]), int(self._sequences[row, -1]))
        if hidden:
            oldest = min(oldest, hidden[0].moment)
        return event.moment < oldest and not (self._items[row] == event.item).any()

    def _replay(self, row: int, events: Sequence[PastEvent]) -> None:
        """Make a user's recent items of these events, which are in order of time."""
        self._clear(row)
        self._hidden.pop(row, None)
        own = np.array([row])
        for event in events:
            self._move(
                own,
                np.array([event.item]),
                np.array([event.weight], np.float32),
                np.array([event.time_us]),
                np.array([event.sequence]),
            )

    def _move(
        self, rows: Ints, items: Ints, weights: Floats, times_us: Ints, sequences: Ints
    ) -> None:
        """Put items [n] to the front of distinct rows [n], or take them out (weight < 0)."""
        self._latest_us[rows] = np.maximum(self._latest_us[rows], times_us)
        recent = self._items[rows]
        same = recent == items[:, np.newaxis]
        place = same.argmax(axis=1)
        place[~same[np.arange(rows.size), place]] = self.length
        self._hide(rows, items, weights, times_us, sequences, place)
        # Where each column comes from: one to the left up to the place that gets free, for items
        # that are taken out one to the right from there on.
        column = np.arange(self.length)
        source = column - (column <= place[:, np.newaxis])
        source[:, 0] = 0
        out = (weights < 0).nonzero()[0]
        if out.size:
            source[out] = column + (column >= place[out, np.newaxis])
        last = source[out] >= self.length
        source[out] -= last
        source += (rows * self.length)[:, np.newaxis]
        for table, value, empty in (
            (self._items, items, NO_ITEM),
            (self._weights, weights, 0),
            (self._times_us, times_us, 0),
            (self._sequences, sequences, 0),
        ):
            moved = table.take(source)
            if out.size:
                left = moved[out]
                left[last] = empty
                moved[:, 0] = value
                moved[out] = left
            else:
                moved[:, 0] = value
            table[rows] = moved

    def _hide(
        self,
        rows: Ints,
        items: Ints,
        weights: Floats,
        times_us: Ints,
        sequences: Ints,
        places: Ints,
    ) -> None:
        """Remember what recent items are about not to show; `places`: where the items are."""
        for index in ((places < self.length) | (weights < 0)).nonzero()[0].tolist():
            row, place = int(rows[index]), int(places[index])
            if place < self.length:
                self._hide_event(row, self._shown(row, place))
            if weights[index] < 0:
                columns = EventColumns(rows, items, weights, times_us, sequences)
                self._hide_event(*columns.at(index))

    def _hide_event(self, row: int, event: PastEvent) -> None:
        own = self._hidden.setdefault(row, [])
        own.append(event)
        own.sort(key=lambda one: one.moment)
        del own[: max(0, len(own) - self.length)]

    def _shown(self, row: int, place: int) -> PastEvent:
        return PastEvent(
            int(self._sequences[row, place]),
            int(self._items[row, place]),
            float(self._weights[row, place]),
            int(self._times_us[row, place]),
        )

    def past(self, row: int) -> list[PastEvent]:
        """Return the events of a user that are remembered, in order of time."""
        count = int(np.count_nonzero(self._items[row] != NO_ITEM))
        shown = [self._shown(row, place) for place in range(count)]
        return sorted(shown + self._hidden.get(row, []), key=lambda one: one.moment)

    def hidden(self, row: int) -> list[PastEvent]:
        """Return the events of a user that recent items do not show, in order of time."""
        return self._hidden.get(row, [])

    def forget(self, row: int, sequence: int) -> tuple[list[PastEvent], list[PastEvent]]:
        """Make a user's recent items as if an event had never been; return the events that were
        remembered before, and after. Equal when it was not remembered.
        """
        before = self.past(row)
        after = [event for event in before if event.sequence != sequence]
        if len(after) == len(before):
            return before, before
        self._replay(row, after)
        return before, after

    def remember(self, row: int, events: Iterable[PastEvent]) -> None:
        """Make a user's recent items of these events."""
        self._replay(row, sorted(events, key=lambda one: one.moment))

    def histories(self, rows: Ints) -> Histories:
        """Return the recent items of users as they are now."""
        return Histories(self._items[rows], self._weights[rows], self._times_us[rows])

    def sequences(self, rows: Ints) -> Ints:
        """Return the log sequences of recent items, as `histories` has them."""
        own: Ints = self._sequences[rows]
        return own

    def restore(
        self, row: int, items: Ints, weights: Floats, times_us: Ints, sequences: Ints
    ) -> None:
        """Set the recent items of a user, oldest first.

        Those that an earlier release kept in log order are put in order of time.
        """
        order = np.lexsort((sequences, times_us))
        items, weights = np.asarray(items)[order], np.asarray(weights)[order]
        times_us, sequences = np.asarray(times_us)[order], np.asarray(sequences)[order]
        self._clear(row)
        if order.size:
            self._latest_us[row] = times_us[-1]
        self._items[row, : len(items)] = items[::-1]
        self._weights[row, : len(items)] = weights[::-1]
        self._times_us[row, : len(items)] = times_us[::-1]
        self._sequences[row, : len(items)] = sequences[::-1]

    def restore_hidden(self, row: int, event: PastEvent) -> None:
        """Remember a hidden event."""
        own = self._hidden.setdefault(row, [])
        own.append(event)
        own.sort(key=lambda one: one.moment)
        self._latest_us[row] = max(int(self._latest_us[row]), event.time_us)

    def _clear(self, row: int) -> None:
        self._items[row] = NO_ITEM
        self._weights[row] = 0
        self._times_us[row] = 0
        self._sequences[row] = 0
        self._latest_us[row] = _NO_TIME

    def _grow(self) -> None:
        more = self.pinned.shape[0]
        empty = np.full((more, self.length), NO_ITEM, np.int64)
        self._items = np.concatenate([self._items, empty])
        self._weights = np.concatenate([self._weights, np.zeros((more, self.length), np.float32)])
        self._times_us = np.concatenate([self._times_us, np.zeros((more, self.length), np.int64)])
        self._sequences = np.concatenate([self._sequences, np.zeros((more, self.length), np.int64)])
        self._latest_us = np.concatenate([self._latest_us, np.full(more, _NO_TIME, np.int64)])
        self.pinned = np.concatenate([self.pinned, np.zeros(more, np.bool_)])


def _turns(rows: Ints) -> Iterator[Ints]:
    """Yield indices of the first events of all rows, of the second ones, and so on."""
    if distinct(rows).size == rows.size:
        yield np.arange(rows.size)
        return
    order = rows.argsort(kind="stable")
    first = run_starts(rows[order])
    nth = np.arange(rows.size) - first.repeat(run_lengths(first, rows.size))
    by_turn = np.argsort(nth, kind="stable")
    yield from np.split(order[by_turn], np.cumsum(np.bincount(nth))[:-1])
