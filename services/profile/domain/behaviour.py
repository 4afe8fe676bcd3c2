"""What is answered of a user's behaviour; all of it follows from their events."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from services.common.seen_window import SEEN_LENGTH, newest_seen
from services.profile.domain.changes import UserEvent
from services.profile.domain.history import MAX_RECENT, History, by_time, item_codes

Kind = tuple[str, bool]
"""Type, and whether the weight is negative."""


@dataclass(frozen=True, slots=True)
class SeenPairs:
    """What is answered of a user: see harken.profile.v1.SeenItems."""

    item_ids: list[str]
    kinds: list[Kind]
    pair_items: list[int]
    pair_kinds: list[int]
    pair_times_us: list[int]


@dataclass(frozen=True, slots=True)
class Counts:
    """Counters over all events of a user, one or more; times are unix microseconds."""

    events: int
    events_by_type: Mapping[str, int]
    distinct_items: int
    first_us: int
    last_us: int


def counts_of(history: History, types: Sequence[str]) -> Counts:
    """Return the counters."""
    events = history.counts()
    by_type = np.bincount(history.types, events, len(types)).astype(np.int64)
    return Counts(
        int(events.sum()),
        {types[place]: int(by_type[place]) for place in np.flatnonzero(by_type).tolist()},
        len(set(history.items)),
        int(history.times_us.min()),
        int(history.times_us.max()),
    )


def recent_of(history: History, types: Sequence[str]) -> list[UserEvent]:
    """Return the newest MAX_RECENT events by event time, newest first; of one time the one later
    in the log is newer."""
    order = by_time(history)
    singles = order[history.together[order] == 0]
    newest = history.picked(singles[: -MAX_RECENT - 1 : -1])
    columns = zip(
        newest.items, newest.types.tolist(), newest.values.tolist(), newest.times_us.tolist(),
        newest.weights.tolist(), newest.sequences.tolist(), strict=True,
    )  # fmt: skip
    return [
        UserEvent(item, types[kind], value, time_us, weight, sequence)
        for item, kind, value, time_us, weight, sequence in columns
    ]


def seen_ids_of(history: History) -> list[str]:
    """Return the items, the one with the latest accepted event first; the newest 5000."""
    found: dict[str, None] = {}
    for place in np.argsort(history.sequences)[::-1].tolist():
        found[history.items[place]] = None
        if len(found) == SEEN_LENGTH:
            break
    return list(found)


def seen_pairs_of(history: History, types: Sequence[str]) -> SeenPairs:
    """Return the pairs of item and kind that are kept, newest first."""
    order = by_time(history)
    names, items = item_codes(history)
    own, kinds = np.unique(history.types * 2 + (history.weights < 0), return_inverse=True)
    items, kinds = items[order], kinds.reshape(-1)[order]
    places = newest_seen(items, kinds)[::-1]
    own_items, pair_items = np.unique(items[places], return_inverse=True)
    own_kinds, pair_kinds = np.unique(kinds[places], return_inverse=True)
    return SeenPairs(
        [names[place] for place in own_items.tolist()],
        [(types[kind // 2], bool(kind % 2)) for kind in own[own_kinds].tolist()],
        pair_items.reshape(-1).tolist(),
        pair_kinds.reshape(-1).tolist(),
        history.times_us[order][places].tolist(),
    )
