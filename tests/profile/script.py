"""Frames as the learner writes them, made from plain events."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from harken.common.v1 import subject_pb2
from harken.internal.feed.v1 import frame_pb2
from services.common.position import Position
from services.common.user_key import user_key_of

GENERATION = "g1"


def user(name: str) -> subject_pb2.Subject:
    return subject_pb2.Subject(user_id=name)


@dataclass(frozen=True)
class Happening:
    """An event, by plain user id."""

    user: str
    item: str
    type: str = "view"
    value: float | None = None
    time_us: int = 1_700_000_000_000_000
    weight: float = 1.0
    tenant: str = "default"


@dataclass
class Script:
    """Writes frames one after the other, and numbers their events."""

    epoch: int = 1
    version: int = 0
    sequence: int = 0
    sequences: dict[int, int] = field(default_factory=dict)

    def frame(
        self,
        happenings: Sequence[Happening] = (),
        vectors: Mapping[tuple[str, str], Sequence[float]] | None = None,
        generation: str = GENERATION,
        gap: int = 0,
    ) -> frame_pb2.Frame:
        """Return the next frame; vectors are by (tenant, user). `gap`: entries of other kinds.

        Without events, each vector is an entry of the log.
        """
        frame = frame_pb2.Frame(
            epoch=self.epoch, after_version=self.version, version=self.version + 1
        )
        self.version += 1
        tenants: dict[str, list[tuple[int, Happening]]] = {}
        for happening in happenings:
            self.sequence += 1
            tenants.setdefault(happening.tenant, []).append((self.sequence, happening))
        self.sequence += gap if happenings else max(gap, len(vectors or {}))
        for tenant, _ in vectors or {}:
            tenants.setdefault(tenant, [])
        frame.through_sequence = self.sequence
        for tenant, numbered in tenants.items():
            own = {name: row for (owner, name), row in (vectors or {}).items() if owner == tenant}
            frame.tenants.append(_changes(tenant, numbered, own, generation))
        return frame

    def retraction(self, numbered: Sequence[tuple[int, Happening]]) -> frame_pb2.Frame:
        """Return a frame that takes events of one tenant, by their sequences, back."""
        frame = self.frame(gap=len(numbered))
        changes = _changes(numbered[0][1].tenant, numbered, {}, GENERATION)
        deltas = changes.users
        for name in ("users", "items", "types", "times_us", "sequences"):
            getattr(deltas, f"retracted_{name}").extend(getattr(deltas, f"event_{name}"))
            deltas.ClearField(f"event_{name}")
        deltas.retracted_values, deltas.event_values = deltas.event_values, b""
        deltas.retracted_weights, deltas.event_weights = deltas.event_weights, b""
        frame.tenants.append(changes)
        return frame

    @property
    def position(self) -> bytes:
        return Position(0, self.epoch, self.sequence).encode()


def _changes(
    tenant: str,
    numbered: Sequence[tuple[int, Happening]],
    vectors: Mapping[str, Sequence[float]],
    generation: str,
) -> frame_pb2.TenantChanges:
    changes = frame_pb2.TenantChanges(tenant=tenant)
    users = list(dict.fromkeys([h.user for _, h in numbered] + list(vectors)))
    items = list(dict.fromkeys(h.item for _, h in numbered))
    types = list(dict.fromkeys(h.type for _, h in numbered))
    changes.item_ids.extend(items)
    deltas = changes.users
    deltas.user_keys.extend(user_key_of(user(name)) for name in users)
    deltas.types.extend(types)
    deltas.event_users.extend(users.index(h.user) for _, h in numbered)
    deltas.event_items.extend(items.index(h.item) for _, h in numbered)
    deltas.event_types.extend(types.index(h.type) for _, h in numbered)
    values = [float("nan") if h.value is None else h.value for _, h in numbered]
    deltas.event_values = np.array(values, "<f8").tobytes()
    deltas.event_times_us.extend(h.time_us for _, h in numbered)
    deltas.event_sequences.extend(sequence for sequence, _ in numbered)
    deltas.event_weights = np.array([h.weight for _, h in numbered], "<f4").tobytes()
    if vectors:
        deltas.generation_id = generation
        deltas.vector_users.extend(users.index(name) for name in vectors)
        deltas.vectors = np.array(list(vectors.values()), "<f4").tobytes()
        deltas.pinned.extend(False for _ in vectors)
    return changes
