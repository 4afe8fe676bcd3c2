"""What a profile must say after events, computed the slow and obvious way."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from harken.profile.v1 import profile_pb2
from tests.profile.frames import Happening


def expected_behaviour(happenings: Sequence[Happening]) -> dict[str, Any]:
    """Return state and counters after the events of one user, in log order."""
    newest_first = list(reversed(happenings))
    seen: list[str] = []
    for happening in newest_first:
        if happening.item not in seen:
            seen.append(happening.item)
    return {
        "recent": [
            (h.item, h.type, h.value, h.time_us, float(np.float32(h.weight)))
            for h in newest_first[:100]
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
