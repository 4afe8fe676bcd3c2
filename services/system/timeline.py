"""A history as an evaluation walks through it: split, tie groups, and what users did before."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from services.dataset.history.events import Events
from services.system.history import start_row

Ints = npt.NDArray[np.int64]
Codes = npt.NDArray[np.int32]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Timeline:
    """Events and how they are cut.

    `item_ids`: those of the items file first, then those of events. `weights` float32 [n]: learning
    weight of each event. `split`: the first event of the test part. The test part in tie groups:
    group g holds events `order[starts[g]:starts[g + 1]]`. `listed`: how many items there are from
    the beginning, namely the first so many.
    """

    events: Events
    weights: npt.NDArray[np.float32]
    split: int
    order: Ints
    starts: Ints
    listed: int

    @property
    def item_ids(self) -> Sequence[str]:
        """Return all items that there ever are."""
        return self.events.item_ids

    @property
    def groups(self) -> int:
        """Return how many tie groups the test part has."""
        return int(self.starts.size - 1)

    def group(self, number: int) -> Ints:
        """Return the events of a group, in the order of the history."""
        return self.order[self.starts[number] : self.starts[number + 1]]


def make_timeline(
    events: Events,
    weights: npt.NDArray[np.float32],
    start: float,
    limit: int | None = None,
    first_items: Sequence[str] = (),
) -> Timeline:
    """Cut a history; `first_items` are known from the beginning.

    Raises:
        ValueError: `start` is negative or no number.

    """
    seconds = events.times_us // 1_000_000
    split = start_row(start, len(events))
    while 0 < split < len(events) and seconds[split] == seconds[split - 1]:
        split += 1
    if limit is not None and split + limit < len(events):
        events, weights = events.head(split + limit), weights[: split + limit]
        seconds = seconds[: split + limit]
    order, starts = tie_order(seconds[split:], events.users[split:])
    return Timeline(
        _with_first_items(events, first_items), weights, split, order + split, starts,
        len(first_items),
    )  # fmt: skip


def arranged_timeline(
    events: Events,
    weights: npt.NDArray[np.float32],
    training: Ints,
    test: Ints,
    first_items: Sequence[str] = (),
) -> Timeline:
    """Cut a history into chosen events, which need not be divided by a point of time.

    training: indices of `events`, ascending. test: indices in the order they are tested in, each a
    group of its own. Events in neither are left out. Times of the result ascend up to the split.
    """
    chosen = np.concatenate([training, test])
    kept = replace(
        events,
        users=events.users[chosen],
        items=events.items[chosen],
        kinds=events.kinds[chosen],
        values=events.values[chosen],
        times_us=events.times_us[chosen],
    )
    split = int(training.size)
    return Timeline(
        _with_first_items(kept, first_items),
        weights[chosen],
        split,
        np.arange(split, chosen.size, dtype=np.int64),
        np.arange(test.size + 1, dtype=np.int64),
        len(first_items),
    )


def tie_order(seconds: Ints, users: Codes) -> tuple[Ints, Ints]:
    """Return events [n] by groups of one second and user, and where groups start [groups + 1].

    `seconds` ascend. Within a second groups come in the order of their first events.
    """
    if seconds.size == 0:
        return np.zeros(0, np.int64), np.zeros(1, np.int64)
    width = int(users.max()) + 1
    keys = (seconds - seconds[0]) * width + users
    _, first, group = np.unique(keys, return_index=True, return_inverse=True)
    # All of an earlier second comes before, so the first event of a group orders the groups.
    by_group = first[group.ravel()]
    order = np.argsort(by_group, kind="stable").astype(np.int64)
    starts = np.flatnonzero(np.diff(by_group[order], prepend=-1))
    return order, np.append(starts, seconds.size).astype(np.int64)


def _with_first_items(events: Events, first_items: Sequence[str]) -> Events:
    """Renumber items so that `first_items` come first, and every item has a number."""
    code_of = {item: code for code, item in enumerate(first_items)}
    # In order of their first events, so that an item's number says when it came.
    used, first = np.unique(events.items, return_index=True)
    for code in used[np.argsort(first)].tolist():
        code_of.setdefault(events.item_ids[code], len(code_of))
    table = np.full(len(events.item_ids), -1, np.int32)
    for code in used.tolist():
        table[code] = code_of[events.item_ids[code]]
    return Events(
        events.user_ids,
        list(code_of),
        events.types,
        events.users,
        table[events.items],
        events.kinds,
        events.values,
        events.times_us,
        events.rejected,
    )
