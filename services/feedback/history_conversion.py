"""History: what entries of the log say of users, as frames say it."""

import itertools
import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from harken.internal.facts.v1 import user_fact_service_pb2
from harken.internal.feed.v1 import frame_pb2, history_pb2
from harken.internal.log.v1 import entry_pb2
from services.feedback.entry_conversion import parse
from services.feedback.store.log_store import LogRow

_EVENT, _RETRACTED = "event", "event_retracted"
_Key = TypeVar("_Key", bytes, str)


@dataclass(slots=True)
class _Columns:
    """Events, or retracted ones, of one tenant."""

    users: list[int] = field(default_factory=list)
    items: list[int] = field(default_factory=list)
    types: list[int] = field(default_factory=list)
    values: list[float] = field(default_factory=list)
    times_us: list[int] = field(default_factory=list)
    sequences: list[int] = field(default_factory=list)
    weights: list[float] = field(default_factory=list)


@dataclass(slots=True)
class _Tenant:
    """What is gathered of one tenant. `vectors`: generation, vector and pin, by user."""

    activated: list[bytes] = field(default_factory=list)
    users: dict[bytes, int] = field(default_factory=dict)
    items: dict[str, int] = field(default_factory=dict)
    types: dict[str, int] = field(default_factory=dict)
    events: _Columns = field(default_factory=_Columns)
    retracted: _Columns = field(default_factory=_Columns)
    vectors: dict[bytes, tuple[str, bytes, bool]] = field(default_factory=dict)
    facts: list[entry_pb2.LoggedUserFact] = field(default_factory=list)


def history_of(rows: Sequence[LogRow], after: int) -> history_pb2.History:
    """Return what the first of some entries, which follow a sequence, say of users.

    Not always all of them: events and retractions come in parts of their own, as in frames. How far
    it reaches is in `content.through_sequence`.
    """
    tenants: dict[str, _Tenant] = {}
    kind: str | None = None
    through = after
    for row in rows:
        entry = parse(row)
        own = entry.WhichOneof("kind")
        if own in (_EVENT, _RETRACTED):
            if kind not in (None, own):
                break
            kind = own
        through = row.sequence
        _note(tenants.setdefault(row.tenant, _Tenant()), row, entry)
    history = history_pb2.History(after_sequence=after)
    history.content.through_sequence = through
    for tenant, found in tenants.items():
        _write(tenant, found, history)
    return history


def _note(tenant: _Tenant, row: LogRow, entry: entry_pb2.Entry) -> None:
    match entry.WhichOneof("kind"):
        case "event":
            _note_event(tenant, tenant.events, entry.event, row.sequence, row.accepted_at_us)
        case "event_retracted":
            retracted = entry.event_retracted
            _note_event(
                tenant, tenant.retracted, retracted.event, retracted.event_sequence,
                retracted.event_accepted_at_us,
            )  # fmt: skip
        case "embedding" if entry.embedding.HasField("user_key"):
            put = entry.embedding
            tenant.vectors[put.user_key] = (put.generation_id, put.vector, put.pinned)
        case "user_fact":
            tenant.facts.append(entry.user_fact)
        case "generation_activated":
            tenant.activated.append(entry.generation_activated.SerializeToString())
        case _:
            pass


def _note_event(
    tenant: _Tenant,
    columns: _Columns,
    event: entry_pb2.LoggedEvent,
    sequence: int,
    accepted_at_us: int,
) -> None:
    columns.users.append(_index(tenant.users, event.user_key))
    columns.items.append(_index(tenant.items, event.item_id))
    columns.types.append(_index(tenant.types, event.type))
    columns.values.append(event.value if event.HasField("value") else math.nan)
    timed = event.HasField("event_time_us")
    columns.times_us.append(event.event_time_us if timed else accepted_at_us)
    columns.sequences.append(sequence)
    columns.weights.append(event.weight)


def _write(name: str, tenant: _Tenant, history: history_pb2.History) -> None:
    for manifest in tenant.activated:
        history.content.tenants.add(tenant=name).activated.ParseFromString(manifest)
    if tenant.users:
        wire = history.content.tenants.add(tenant=name, item_ids=tenant.items)
        deltas = wire.users
        deltas.user_keys.extend(tenant.users)
        deltas.types.extend(tenant.types)
        events, retracted = tenant.events, tenant.retracted
        deltas.event_users.extend(events.users)
        deltas.event_items.extend(events.items)
        deltas.event_types.extend(events.types)
        deltas.event_values = _floats("d", events.values)
        deltas.event_times_us.extend(events.times_us)
        deltas.event_sequences.extend(events.sequences)
        deltas.event_weights = _floats("f", events.weights)
        deltas.retracted_users.extend(retracted.users)
        deltas.retracted_items.extend(retracted.items)
        deltas.retracted_types.extend(retracted.types)
        deltas.retracted_values = _floats("d", retracted.values)
        deltas.retracted_times_us.extend(retracted.times_us)
        deltas.retracted_sequences.extend(retracted.sequences)
        deltas.retracted_weights = _floats("f", retracted.weights)
    put = sorted(tenant.vectors.items(), key=lambda one: one[1][0])
    for generation, users in itertools.groupby(put, key=lambda one: one[1][0]):
        _write_vectors(list(users), history.content.tenants.add(tenant=name).users, generation)
    if tenant.facts:
        facts = history.facts.add(tenant=name).facts
        facts.extend(
            user_fact_service_pb2.UserFact(
                user_key=fact.user_key, revision=fact.revision, attributes=fact.attributes
            )
            for fact in tenant.facts
        )


def _write_vectors(
    users: Sequence[tuple[bytes, tuple[str, bytes, bool]]],
    deltas: frame_pb2.UserDeltas,
    generation: str,
) -> None:
    deltas.generation_id = generation
    deltas.user_keys.extend(key for key, _ in users)
    deltas.vector_users.extend(range(len(users)))
    deltas.vectors = b"".join(vector for _, (_, vector, _) in users)
    deltas.pinned.extend(pinned for _, (_, _, pinned) in users)


def _index(indices: dict[_Key, int], key: _Key) -> int:
    return indices.setdefault(key, len(indices))


def _floats(kind: str, values: Sequence[float]) -> bytes:
    return struct.pack(f"<{len(values)}{kind}", *values)
