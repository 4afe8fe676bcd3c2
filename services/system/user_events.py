"""What users did in a stretch of the log, as feedback sends it to rankers."""

from collections.abc import Sequence

import numpy as np

from services.feed.entries import EventColumns, TenantEntries
from services.feedback.learner.model.entries import Event, LogEntry


def tenant_entries(entries: Sequence[LogEntry]) -> TenantEntries | None:
    """Return the events of a stretch of one tenant's log; None: there are none."""
    events = [(entry, entry.kind) for entry in entries if isinstance(entry.kind, Event)]
    if not events:
        return None
    users: dict[bytes, int] = {}
    items: dict[str, int] = {}
    types: dict[str, int] = {}
    columns = EventColumns(
        np.array([users.setdefault(event.user_key, len(users)) for _, event in events]),
        np.array([items.setdefault(event.item_id, len(items)) for _, event in events]),
        np.array([types.setdefault(event.type, len(types)) for _, event in events]),
        np.array([event.value for _, event in events], np.float64),
        np.array([event.time_us for _, event in events], np.int64),
        np.array([entry.sequence for entry, _ in events], np.int64),
        np.array([event.weight for _, event in events], np.float32),
        np.array([entry.accepted_at_us for entry, _ in events], np.int64),
    )
    return TenantEntries(entries[0].tenant, list(items), list(users), list(types), events=columns)
