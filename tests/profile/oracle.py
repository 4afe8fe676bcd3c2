"""What a profile must say after events, computed the slow and obvious way."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from harken.profile.v1 import profile_pb2
from tests.profile.script import Happening


def expected_behaviour(happenings: Sequence[Happening]) -> dict[str, Any]:
    """Return state and counters after the events of one user, in log order."""
    newest_first = list(reversed(happenings))
    # Sorting is stable: of one time, the one told last comes first.
    by_time = sorted(newest_first, key=lambda happening: -happening.time_us)
    seen: list[str] = []
    for happening in newest_first:
        if happening.item not in seen:
            seen.append(happening.item)
    return {
        "recent": [
            (h.item, h.type, h.value, h.time_us, float(np.float32(h.weight))) for h in by_time[:100]
        ],
        "events": len(happenings),
        "by_type": {
            kind: sum(h.type == kind for h in happenings) for kind in {h.type for h in happenings}
        },
        "distinct": len({h.item for h in happenings}),
        "first": min(h.time_us for h in happenings),
        "last": max(h.time_us for h in happenings),
        "seen": seen[:5000],
    }


def stated_behaviour(profile: profile_pb2.Profile) -> dict[str, Any]:
    """Return what a profile says, in the same form."""
    counters = profile.counters
    return {
        "recent": [
            (
                recent.item_id,
                recent.type,
                recent.value if recent.HasField("value") else None,
                recent.event_time.ToMicroseconds(),
                recent.weight,
            )
            for recent in profile.state.recent
        ],
        "events": counters.events,
        "by_type": dict(counters.events_by_type),
        "distinct": counters.distinct_items,
        "first": counters.first_event_time.ToMicroseconds(),
        "last": counters.last_event_time.ToMicroseconds(),
        "seen": list(profile.seen_item_ids),
    }


def expected_seen(numbered: Sequence[tuple[int, Happening]]) -> list[tuple[str, str, bool, int]]:
    """Return the pairs of item and kind that are remembered of one user, newest first.

    `numbered`: sequence and event.
    """
    latest: dict[tuple[str, str, bool], tuple[int, int]] = {}
    for sequence, h in numbered:
        pair = (h.item, h.type, h.weight < 0)
        latest[pair] = max(latest.get(pair, (h.time_us, sequence)), (h.time_us, sequence))
    newest_first = sorted(latest, key=lambda pair: latest[pair], reverse=True)
    items: dict[str, tuple[str, str, bool]] = {}
    for pair in newest_first:
        items.setdefault(pair[0], pair)
    kept = {*newest_first[:5000], *list(items.values())[:5000]}
    return [(*pair, latest[pair][0]) for pair in newest_first if pair in kept]


def stated_seen(profile: profile_pb2.Profile) -> list[tuple[str, str, bool, int]]:
    """Return what a profile says, in the same form."""
    seen = profile.seen
    columns = zip(seen.pair_items, seen.pair_kinds, seen.pair_times_us, strict=True)
    return [
        (seen.item_ids[item], seen.kinds[kind].type, seen.kinds[kind].negative, time_us)
        for item, kind, time_us in columns
    ]
