"""Histories for tests, and slow oracles over them."""

import math
from collections.abc import Sequence

import numpy as np

from services.dataset.history.events import Events
from services.evaluation.protocol import Rules
from services.system.timeline import Timeline, make_timeline

Row = tuple[str, str, int]
"""User, item, second."""


def events_of(rows: Sequence[Row]) -> Events:
    """Return rows as events; ids in alphabetical order."""
    ordered = sorted(rows, key=lambda row: row[2])
    users = sorted({row[0] for row in rows})
    items = sorted({row[1] for row in rows})
    return Events(
        user_ids=users,
        item_ids=items,
        types=["view"],
        users=np.array([users.index(row[0]) for row in ordered], np.int32),
        items=np.array([items.index(row[1]) for row in ordered], np.int32),
        kinds=np.zeros(len(rows), np.int16),
        values=np.full(len(rows), np.nan),
        times_us=np.array([row[2] * 10**6 for row in ordered], np.int64),
    )


def timeline_of(
    rows: Sequence[Row], rules: Rules | None = None, first_items: Sequence[str] = ()
) -> Timeline:
    """Return the timeline of rows, all of weight 1."""
    rules = rules or Rules()
    weights = np.ones(len(rows), np.float32)
    return make_timeline(events_of(rows), weights, rules.start, rules.limit, first_items)


def ndcg_of(ranks: Sequence[float | None], cutoff: int = 10) -> float:
    """Return the mean of 1 / log2(rank + 1) within the cut-off."""
    gains = [0.0 if r is None or r > cutoff else 1 / math.log2(r + 1) for r in ranks]
    return sum(gains) / max(len(gains), 1)
