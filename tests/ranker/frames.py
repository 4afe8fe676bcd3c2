"""Builds frames by item id, for tests that feed the ranker."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Self

import numpy as np

from harken.feedback.v1 import generation_pb2, item_pb2
from harken.internal.feed.v1 import frame_pb2


@dataclass
class Changes:
    """One tenant's part of a frame, written down row by row."""

    tenant: str = "default"
    generation_id: str = "g1"
    activated: generation_pb2.GenerationManifest | None = None
    staged: generation_pb2.GenerationManifest | None = None
    retired: list[str] = field(default_factory=list)
    other: bool = False
    items: list[item_pb2.Item] = field(default_factory=list)
    deleted: list[str] = field(default_factory=list)
    vectors: list[tuple[str, Sequence[float], float]] = field(default_factory=list)
    rules: list[tuple[str, int, str, float]] = field(default_factory=list)
    popular: list[tuple[str, float, float]] = field(default_factory=list)
    events: list[tuple[bytes, str, float, float, str]] = field(default_factory=list)
    user_vectors: list[tuple[bytes, Sequence[float]]] = field(default_factory=list)

    def item(
        self,
        item_id: str,
        categories: Sequence[str] = (),
        available: bool | None = None,
        expire_seconds: int | None = None,
    ) -> Self:
        item = item_pb2.Item(item_id=item_id, categories=categories)
        if available is not None:
            item.available = available
        if expire_seconds is not None:
            item.expire_time.seconds = expire_seconds
        self.items.append(item)
        return self

    def vector(self, item_id: str, values: Sequence[float], bias: float = 0.0) -> Self:
        self.vectors.append((item_id, values, bias))
        return self

    def rule(self, source: str, slot: int, target: str, weight: float) -> Self:
        self.rules.append((source, slot, target, weight))
        return self

    def popularity(self, item_id: str, level: float, count: float = 1.0) -> Self:
        self.popular.append((item_id, level, count))
        return self

    def event(
        self,
        user_key: bytes,
        item_id: str,
        weight: float = 1.0,
        time: float = 0.0,
        event_type: str = "view",
    ) -> Self:
        self.events.append((user_key, item_id, weight, time, event_type))
        return self

    def user_vector(self, user_key: bytes, values: Sequence[float]) -> Self:
        self.user_vectors.append((user_key, values))
        return self

    def message(self) -> frame_pb2.TenantChanges:
        ids: dict[str, int] = {}

        def index(item_id: str) -> int:
            return ids.setdefault(item_id, len(ids))

        changes = frame_pb2.TenantChanges(tenant=self.tenant)
        if self.activated is not None:
            changes.activated.CopyFrom(self.activated)
        if self.staged is not None:
            changes.staged.CopyFrom(self.staged)
        changes.retired_generation_ids.extend(self.retired)
        if self.items or self.deleted:
            changes.catalogue.items.extend(self.items)
            changes.catalogue.deleted_item_ids.extend(self.deleted)
        if self.vectors:
            beside = self.other or self.staged is not None
            vectors = changes.other_item_vectors.add() if beside else changes.item_vectors
            vectors.generation_id = self.generation_id
            vectors.items.extend(index(row[0]) for row in self.vectors)
            vectors.vectors = _floats(row[1] for row in self.vectors)
            vectors.biases = _floats([row[2]] for row in self.vectors)
            vectors.pinned.extend(False for _ in self.vectors)
        if self.rules:
            changes.rules.sources.extend(index(row[0]) for row in self.rules)
            changes.rules.slots.extend(row[1] for row in self.rules)
            changes.rules.targets.extend(index(row[2]) for row in self.rules)
            changes.rules.weights = _floats([row[3]] for row in self.rules)
        if self.popular:
            changes.popularity.items.extend(index(row[0]) for row in self.popular)
            changes.popularity.levels = np.array([row[1] for row in self.popular], "<f8").tobytes()
            changes.popularity.counts = np.array([row[2] for row in self.popular], "<f8").tobytes()
        if self.events or self.user_vectors:
            self._add_users(changes.users, index)
        changes.item_ids.extend(ids)
        return changes

    def _add_users(self, users: frame_pb2.UserDeltas, index: Callable[[str], int]) -> None:
        keys: dict[bytes, int] = {}

        def user(user_key: bytes) -> int:
            return keys.setdefault(user_key, len(keys))

        types = list(dict.fromkeys(row[4] for row in self.events))
        users.types.extend(types)
        users.generation_id = self.generation_id
        for sequence, (user_key, item_id, weight, time, event_type) in enumerate(self.events):
            users.event_users.append(user(user_key))
            users.event_items.append(index(item_id))
            users.event_types.append(types.index(event_type))
            users.event_times_us.append(round(time * 1e6))
            users.event_sequences.append(sequence)
            users.event_weights += np.array([weight], "<f4").tobytes()
            users.event_values += np.array([np.nan], "<f8").tobytes()
        users.vector_users.extend(user(row[0]) for row in self.user_vectors)
        users.vectors = _floats(row[1] for row in self.user_vectors)
        users.pinned.extend(False for _ in self.user_vectors)
        users.user_keys.extend(keys)


def _floats(rows: Iterable[Sequence[float]]) -> bytes:
    return b"".join(np.asarray(row, dtype="<f4").tobytes() for row in rows)


def frame(
    version: int, *changes: Changes, sequence: int | None = None, epoch: int = 1
) -> frame_pb2.Frame:
    """Return the frame that leads to `version`; each version reflects one more log entry."""
    return frame_pb2.Frame(
        epoch=epoch,
        after_version=version - 1,
        version=version,
        through_sequence=version if sequence is None else sequence,
        tenants=[part.message() for part in changes],
    )
