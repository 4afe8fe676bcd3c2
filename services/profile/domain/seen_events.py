"""The events of a user on one item, packed, and what of them answers which items are seen.

Packed, an event is 22 bytes: log sequence, event time in unix microseconds, kind, number of events.
A kind is the code of the type, negated when the event's weight is negative. Later events are put
behind earlier ones. Of a kind with many, the oldest are put together (see `shortened`): the number
is theirs, time and sequence are those of the newest of them, the sequence negated.
"""

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from services.common.seen_window import newest_seen
from services.profile.domain.frame_changes import UserEvent

_KEPT = 4
"""Of each kind, the newest events that stay by themselves."""
_ONE = struct.Struct("<qqhI")
LONGEST_BYTES = 64 * _ONE.size
"""Packed events that are longer are to be shortened."""
_EVENTS = np.dtype([("sequence", "<i8"), ("time", "<i8"), ("kind", "<i2"), ("count", "<u4")])
_UNKNOWN = 0
"""Kind of events whose type is not known."""

_Ints = npt.NDArray[np.int64]
Kind = tuple[str, bool]
"""Type, and whether the weight is negative."""


@dataclass(frozen=True, slots=True)
class SeenItem:
    """What is stored of a user and an item.

    `events` stand, 0 when it is not known how many. `last_sequence` is of the event accepted last,
    `last_event_us` the latest event time. `happened`: the events, packed.
    """

    item_id: str
    events: int
    last_sequence: int
    last_event_us: int
    happened: bytes


@dataclass(frozen=True, slots=True)
class SeenPairs:
    """What is answered of a user: see harken.profile.v1.SeenItems."""

    item_ids: list[str]
    kinds: list[Kind]
    pair_items: list[int]
    pair_kinds: list[int]
    pair_times_us: list[int]


def packed(event: UserEvent, codes: Mapping[str, int]) -> bytes:
    """Return one event, packed; `codes` has its type."""
    return _ONE.pack(event.sequence, event.time_us, _kind(event, codes), 1)


def shortened(happened: bytes) -> bytes:
    """Return packed events with all but the newest 4 of each kind put together."""
    kept: list[tuple[int, int, int, int]] = []
    alone: dict[int, int] = {}
    together: dict[int, list[int]] = {}
    for sequence, time, kind, count in sorted(_ONE.iter_unpack(happened), key=_newest_first):
        if kind in together:
            together[kind][3] += count
        elif sequence > 0 and alone.get(kind, 0) < _KEPT:
            alone[kind] = alone.get(kind, 0) + 1
            kept.append((sequence, time, kind, count))
        else:
            together[kind] = [-abs(sequence), time, kind, count]
    rest = [(one[0], one[1], one[2], one[3]) for one in together.values()]
    return b"".join(_ONE.pack(*one) for one in sorted([*kept, *rest], key=lambda one: abs(one[0])))


def without(
    item: SeenItem, retracted: Sequence[UserEvent], codes: Mapping[str, int]
) -> SeenItem | None:
    """Return an item without events that were taken back; None when none is left of it.

    Exact, but for the time of events that were put together, which stays that of the newest of
    them, and for events of unknown type: where there are any, the item keeps its place.
    """
    left = item.events - len(retracted)
    if item.events > 0 and left <= 0:
        return None
    entries = list(_ONE.iter_unpack(item.happened))
    for event in retracted:
        _take(entries, event.sequence, _kind(event, codes))
    happened = b"".join(_ONE.pack(*one) for one in entries)
    known = sum(one[3] for one in entries)
    if item.events == 0 or not entries or left > known:
        return replace(item, events=max(0, left), happened=happened)
    return replace(
        item,
        events=left,
        last_sequence=max(abs(one[0]) for one in entries),
        last_event_us=max(one[1] for one in entries),
        happened=happened,
    )


def seen_pairs(items: Sequence[SeenItem], types: Mapping[int, str]) -> SeenPairs:
    """Return the pairs of item and kind that are kept, newest first; `types` by code."""
    events, owners = _columns(items)
    order = np.lexsort((np.abs(events["sequence"]), events["time"]))
    events, owners = events[order], owners[order]
    places = newest_seen(owners, events["kind"])[::-1]
    kept = events[places]
    own_items, pair_items = np.unique(owners[places], return_inverse=True)
    own_kinds, pair_kinds = np.unique(kept["kind"], return_inverse=True)
    return SeenPairs(
        [items[place].item_id for place in own_items.tolist()],
        [(types[abs(kind)] if kind else "", kind < 0) for kind in own_kinds.tolist()],
        pair_items.tolist(),
        pair_kinds.tolist(),
        kept["time"].tolist(),
    )


def _columns(items: Sequence[SeenItem]) -> tuple[np.ndarray, _Ints]:
    """Return the events of all items, and to which item each belongs."""
    events = np.frombuffer(b"".join(item.happened for item in items), _EVENTS)
    numbers = [len(item.happened) // _ONE.size for item in items]
    owners = np.repeat(np.arange(len(items)), numbers)
    known = np.bincount(owners, events["count"], len(items)) if items else np.empty(0)
    stand = np.array([item.events for item in items], np.int64)
    unknown = np.flatnonzero((stand == 0) | (stand > known))
    if unknown.size == 0:
        return events, owners
    rest = [items[place] for place in unknown.tolist()]
    others = np.array(
        [(item.last_sequence, item.last_event_us, _UNKNOWN, 1) for item in rest], _EVENTS
    )
    return np.concatenate([events, others]), np.concatenate([owners, unknown])


def _kind(event: UserEvent, codes: Mapping[str, int]) -> int:
    code = codes[event.type]
    return -code if event.weight < 0 else code


def _newest_first(one: tuple[int, ...]) -> tuple[int, int]:
    return -one[1], -abs(one[0])


def _take(entries: list[tuple[int, ...]], sequence: int, kind: int) -> None:
    """Take one event out, from those that were put together when it is not by itself."""
    for place, one in enumerate(entries):
        if one[0] == sequence:
            del entries[place]
            return
    for place, one in enumerate(entries):
        if one[0] < 0 and one[2] == kind:
            if one[3] > 1:
                entries[place] = (*one[:3], one[3] - 1)
            else:
                del entries[place]
            return
