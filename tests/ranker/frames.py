"""Builds frames by item id, for tests that feed the ranker."""

from collections.abc import Iterable, Sequence
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
    documents: list[tuple[str, str, int, bytes]] = field(default_factory=list)
    factors: list[tuple[str, Sequence[Sequence[float]]]] = field(default_factory=list)

    def item(
        self,
        item_id: str,
        categories: Sequence[str] = (),
        available: bool | None = None,
        expire_seconds: int | None = None,
        title: str = "",
    ) -> Self:
        item = item_pb2.Item(item_id=item_id, categories=categories, title=title)
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

    def factor(self, rows: Sequence[Sequence[float]], generation_id: str = "g1") -> Self:
        self.factors.append((generation_id, rows))
        return self

    def document(self, kind: str, name: str, revision: int, body: bytes) -> Self:
        self.documents.append((kind, name, revision, body))
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
        for kind, name, revision, body in self.documents:
            changes.documents.add(kind=kind, name=name, revision=revision, body=body)
        for generation_id, rows in self.factors:
            changes.encoder_factors.add(generation_id=generation_id, factor=_floats(rows))
        changes.item_ids.extend(ids)
        return changes


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
