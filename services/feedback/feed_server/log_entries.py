"""Log entries as columns for subscribers: what of them takes effect without learning."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np

from harken.internal.log.v1 import entry_pb2
from services.common.timestamps import micros_of
from services.feed.entries import (
    NO_EVENTS,
    Entries,
    ErasedUser,
    EventColumns,
    EventRow,
    ItemVisibility,
    ShownSlate,
    TenantEntries,
    UserFact,
    UserLink,
    UserVectors,
)
from services.feedback.log.entry_conversion import parse
from services.feedback.log.log_store import LogRow

_Key = TypeVar("_Key", bytes, str)


@dataclass(slots=True)
class _Tenant:
    """What is gathered of one tenant: rows of columns, and vectors by generation."""

    users: dict[bytes, int] = field(default_factory=dict)
    items: dict[str, int] = field(default_factory=dict)
    types: dict[str, int] = field(default_factory=dict)
    events: list[EventRow] = field(default_factory=list)
    retracted: list[EventRow] = field(default_factory=list)
    vectors: dict[str, list[tuple[int, bytes, bool, int]]] = field(default_factory=dict)
    facts: list[UserFact] = field(default_factory=list)
    visibility: list[tuple[int, bool, bool, int, int]] = field(default_factory=list)
    shown: list[ShownSlate] = field(default_factory=list)
    erased: list[ErasedUser] = field(default_factory=list)
    links: list[UserLink] = field(default_factory=list)

    def is_empty(self) -> bool:
        """Return whether nothing was gathered."""
        return not (self.users or self.visibility or self.shown or self.erased)


Attributes = Mapping[int, bytes]
"""Serialised Structs of facts that were sealed, by their sequence."""


def entries_of(
    rows: Sequence[LogRow], epoch: int, after: int, user_facts: bool, unsealed: Attributes
) -> Entries:
    """Return the first of some entries, at least one, that follow the sequence `after`.

    Not always all of them: a tenant's events and retractions come in stretches of their own.
    """
    tenants: dict[str, _Tenant] = {}
    through, accepted_at_us = after, 0
    for row in rows:
        entry = parse(row)
        tenant = tenants.get(row.tenant)
        if tenant is None:
            tenant = tenants[row.tenant] = _Tenant()
        if not _note(tenant, row, entry, user_facts, unsealed):
            break
        through, accepted_at_us = row.sequence, row.accepted_at_us
    return Entries(
        epoch,
        after,
        through,
        accepted_at_us,
        [_columns(name, found) for name, found in tenants.items() if not found.is_empty()],
    )


def _note(
    tenant: _Tenant, row: LogRow, entry: entry_pb2.Entry, user_facts: bool, unsealed: Attributes
) -> bool:
    """Take an entry; return False, taking nothing, when it begins another stretch."""
    match entry.WhichOneof("kind"):
        case "event":
            if tenant.retracted:
                return False
            tenant.events.append(_event(tenant, entry.event, row.sequence, row.accepted_at_us))
        case "event_retracted":
            if tenant.events:
                return False
            taken = entry.event_retracted
            tenant.retracted.append(
                _event(tenant, taken.event, taken.event_sequence, taken.event_accepted_at_us)
            )
        case "embedding" if entry.embedding.HasField("user_key"):
            put = entry.embedding
            user = _index(tenant.users, put.user_key)
            tenant.vectors.setdefault(put.generation_id, []).append(
                (user, put.vector, put.pinned, row.sequence)
            )
        case "user_fact" if user_facts:
            fact = entry.user_fact
            # Nothing is left of what a destroyed key sealed.
            attributes = (
                unsealed.get(row.sequence, b"")
                if fact.sealed_attributes
                else fact.attributes.SerializeToString()
            )
            tenant.facts.append(
                UserFact(
                    _index(tenant.users, fact.user_key),
                    fact.revision,
                    attributes,
                    fact.consent.SerializeToString(),
                )
            )
        case "users_merged" | "users_unmerged" as kind:
            link = entry.users_merged if kind == "users_merged" else entry.users_unmerged
            tenant.links.append(_link(tenant, link, row.sequence, kind == "users_merged"))
        case "slate" if entry.slate.remembered_slates:
            slate = entry.slate
            items = [_index(tenant.items, item_id) for item_id in slate.item_ids]
            tenant.shown.append(
                ShownSlate(
                    slate.slate_id, slate.user_key, slate.surface, items, slate.remembered_slates
                )
            )
        case "user_erased" if not entry.user_erased.unlearn:
            erased = entry.user_erased
            # They have no place in the order of a stretch.
            tenant.shown = [one for one in tenant.shown if one.user_key != erased.user_key]
            tenant.erased.append(
                ErasedUser(
                    erased.erasure_id, erased.user_key, erased.tombstone, erased.erased_at_us,
                    row.sequence,
                )
            )  # fmt: skip
        case "item_upserted":
            item = entry.item_upserted
            expires = micros_of(item.expire_time) if item.HasField("expire_time") else 0
            available = item.available if item.HasField("available") else True
            tenant.visibility.append(
                (_index(tenant.items, item.item_id), True, available, expires, row.sequence)
            )
        case "item_deleted":
            gone = _index(tenant.items, entry.item_deleted)
            tenant.visibility.append((gone, False, False, 0, row.sequence))
        case _:
            pass
    return True


def _link(tenant: _Tenant, link: entry_pb2.LoggedUserLink, sequence: int, merged: bool) -> UserLink:
    return UserLink(
        _index(tenant.users, link.from_key),
        _index(tenant.users, link.into_key) if link.into_key else None,
        _index(tenant.users, link.direct_key) if link.direct_key else None,
        merged,
        link.revision,
        link.since_us,
        link.source,
        sequence,
    )


def _event(
    tenant: _Tenant, event: entry_pb2.LoggedEvent, sequence: int, accepted_at_us: int
) -> EventRow:
    return EventRow(
        _index(tenant.users, event.user_key),
        _index(tenant.items, event.item_id),
        _index(tenant.types, event.type),
        event.value if event.HasField("value") else math.nan,
        event.event_time_us if event.HasField("event_time_us") else accepted_at_us,
        sequence,
        event.weight,
        accepted_at_us,
    )


def _index(indices: dict[_Key, int], key: _Key) -> int:
    return indices.setdefault(key, len(indices))


def _columns(name: str, found: _Tenant) -> TenantEntries:
    return TenantEntries(
        name,
        list(found.items),
        list(found.users),
        list(found.types),
        _event_columns(found.events),
        _event_columns(found.retracted),
        [_vectors(generation, rows) for generation, rows in found.vectors.items()],
        found.facts,
        _visibility(found.visibility) if found.visibility else None,
        found.shown,
        found.erased,
        found.links,
    )


def _event_columns(events: Sequence[EventRow]) -> EventColumns:
    if not events:
        return NO_EVENTS
    if len(events) == 1:
        return EventColumns.of_one(events[0])
    users, items, types, values, times_us, sequences, weights, accepted = zip(*events, strict=True)
    return EventColumns(
        np.array(users, np.int64),
        np.array(items, np.int64),
        np.array(types, np.int64),
        np.array(values, np.float64),
        np.array(times_us, np.int64),
        np.array(sequences, np.int64),
        np.array(weights, np.float32),
        np.array(accepted, np.int64),
    )


def _vectors(generation: str, rows: Sequence[tuple[int, bytes, bool, int]]) -> UserVectors:
    users, vectors, pinned, sequences = zip(*rows, strict=True)
    return UserVectors(
        generation,
        np.array(users, np.int64),
        np.stack([np.frombuffer(vector, "<f4") for vector in vectors]),
        np.array(pinned, np.bool_),
        np.array(sequences, np.int64),
    )


def _visibility(rows: Sequence[tuple[int, bool, bool, int, int]]) -> ItemVisibility:
    items, listed, available, expires_at_us, sequences = zip(*rows, strict=True)
    return ItemVisibility(
        np.array(items, np.int64),
        np.array(listed, np.bool_),
        np.array(available, np.bool_),
        np.array(expires_at_us, np.int64),
        np.array(sequences, np.int64),
    )
