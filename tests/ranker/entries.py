"""Builds stretches of the log by user and item id, for tests that feed the ranker."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Self

import numpy as np

from services.feed.entries import (
    NO_EVENTS,
    Entries,
    EventColumns,
    EventRow,
    ItemVisibility,
    TenantEntries,
    UserVectors,
)

Row = tuple[bytes, str, float, float, str]
"""User key, item id, weight, unix seconds, type."""


@dataclass
class Told:
    """One tenant's entries, in log order; each takes the next sequence."""

    tenant: str = "default"
    events: list[tuple[int, Row]] = field(default_factory=list)
    retracted: list[tuple[int, Row]] = field(default_factory=list)
    vectors: list[tuple[int, str, bytes, Sequence[float], bool]] = field(default_factory=list)
    items: list[tuple[int, str, bool, bool, int]] = field(default_factory=list)
    length: int = 0

    def event(
        self,
        user_key: bytes,
        item_id: str,
        weight: float = 1.0,
        time: float = 0.0,
        event_type: str = "view",
    ) -> Self:
        self.events.append((self._next(), (user_key, item_id, weight, time, event_type)))
        return self

    def retract(self, sequence: int, user_key: bytes, item_id: str) -> Self:
        """Take back the event of a sequence."""
        self._next()
        self.retracted.append((sequence, (user_key, item_id, 1.0, 0.0, "view")))
        return self

    def vector(
        self,
        user_key: bytes,
        values: Sequence[float],
        generation_id: str = "g1",
        pinned: bool = False,
    ) -> Self:
        self.vectors.append((self._next(), generation_id, user_key, values, pinned))
        return self

    def item(
        self, item_id: str, listed: bool = True, available: bool = True, expires_at_us: int = 0
    ) -> Self:
        self.items.append((self._next(), item_id, listed, available, expires_at_us))
        return self

    def _next(self) -> int:
        self.length += 1
        return self.length

    def columns(self, after: int) -> TenantEntries:
        """Return the columns of what follows a sequence."""
        users: dict[bytes, int] = {}
        items: dict[str, int] = {}
        types: dict[str, int] = {}

        def events(rows: list[tuple[int, Row]], base: int) -> EventColumns:
            if not rows:
                return NO_EVENTS
            if len(rows) == 1:
                ((place, row),) = rows
                return EventColumns.of_one(
                    EventRow(
                        users.setdefault(row[0], len(users)),
                        items.setdefault(row[1], len(items)),
                        types.setdefault(row[4], len(types)),
                        np.nan,
                        round(row[3] * 1e6),
                        base + place,
                        row[2],
                        0,
                    )
                )
            return EventColumns(
                np.array([users.setdefault(row[0], len(users)) for _, row in rows]),
                np.array([items.setdefault(row[1], len(items)) for _, row in rows]),
                np.array([types.setdefault(row[4], len(types)) for _, row in rows]),
                np.full(len(rows), np.nan),
                np.array([round(row[3] * 1e6) for _, row in rows], np.int64),
                np.array([base + place for place, _ in rows], np.int64),
                np.array([row[2] for _, row in rows], np.float32),
                np.zeros(len(rows), np.int64),
            )

        vectors = []
        for generation_id in dict.fromkeys(row[1] for row in self.vectors):
            own = [row for row in self.vectors if row[1] == generation_id]
            vectors.append(
                UserVectors(
                    generation_id,
                    np.array([users.setdefault(row[2], len(users)) for row in own]),
                    np.array([row[3] for row in own], np.float32),
                    np.array([row[4] for row in own]),
                    np.array([after + row[0] for row in own]),
                )
            )
        visibility = None
        if self.items:
            visibility = ItemVisibility(
                np.array([items.setdefault(row[1], len(items)) for row in self.items]),
                np.array([row[2] for row in self.items]),
                np.array([row[3] for row in self.items]),
                np.array([row[4] for row in self.items]),
                np.array([after + row[0] for row in self.items]),
            )
        own_events, retracted = events(self.events, after), events(self.retracted, 0)
        return TenantEntries(
            self.tenant, list(items), list(users), list(types), own_events, retracted,
            vectors, (), visibility,
        )  # fmt: skip


def stretch(after: int, *told: Told, length: int = 0, epoch: int = 1) -> Entries:
    """Return a stretch of the log after a sequence; `length`: at least so many entries."""
    length = max([length, *(one.length for one in told)])
    return Entries(epoch, after, after + length, 0, [one.columns(after) for one in told])
