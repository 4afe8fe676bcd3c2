"""What entries of the log change for users, and batches of it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from services.feed.entries import (
    Entries,
    ErasedUser,
    EventColumns,
    TenantEntries,
    UserFact,
    UserLink,
)
from services.feed.progress import Applied

UserId = tuple[str, bytes]
"""Tenant and user key."""


class UserEvent(NamedTuple):
    """One event of a user. `value` is NaN when none was given; the time is unix microseconds."""

    item_id: str
    type: str
    value: float
    time_us: int
    weight: float
    sequence: int


class SetVector(NamedTuple):
    """A vector that a backend set, float32 little-endian; `pinned`: also once events come."""

    generation_id: str
    vector: bytes
    pinned: bool
    sequence: int


@dataclass(slots=True)
class UserChange:
    """What happened to a user: events in log order, and the last vector that was set, if any.

    `retracted`: earlier events that were taken back; their sequences are those of the events. They
    come in stretches of their own, so there are either events or these.
    """

    events: list[UserEvent] = field(default_factory=list)
    retracted: list[UserEvent] = field(default_factory=list)
    vector: SetVector | None = None

    @property
    def vector_stands(self) -> bool:
        """Whether a vector was set that no event came after, or one that is pinned."""
        vector = self.vector
        return vector is not None and (
            vector.pinned or not self.events or self.events[-1].sequence < vector.sequence
        )


@dataclass(slots=True)
class Batch:
    """What consecutive entries change, gathered by user."""

    after: Applied
    through: Applied
    users: dict[UserId, UserChange] = field(default_factory=dict)
    facts: dict[str, list[tuple[bytes, UserFact]]] = field(default_factory=dict)
    """Of each tenant, in log order, with the key of the user."""
    erased: list[tuple[str, ErasedUser]] = field(default_factory=list)
    """Users that were erased, with their tenant, in log order: what is stored of them goes first,
    and what else is here of them is of later."""
    links: dict[str, list[tuple[Sequence[bytes], UserLink]]] = field(default_factory=dict)
    """Of each tenant, in log order, with the keys that it refers to."""
    events: int = 0

    def add(self, entries: Entries) -> None:
        """Append the next stretch."""
        self.through = Applied(entries.epoch, 0, entries.through_sequence)
        for own in entries.tenants:
            keys = own.user_keys
            self.events += len(own.events) + len(own.retracted)
            for user, event in _told(own, own.events):
                self._of(own.tenant, keys[user]).events.append(event)
            for user, event in _told(own, own.retracted):
                self._of(own.tenant, keys[user]).retracted.append(event)
            for part in own.vectors:
                columns = zip(part.users.tolist(), part.pinned, part.sequences, strict=True)
                for row, (user, pinned, sequence) in enumerate(columns):
                    change = self._of(own.tenant, keys[user])
                    if change.vector is None or change.vector.sequence < sequence:
                        vector = np.ascontiguousarray(part.vectors[row], "<f4").tobytes()
                        change.vector = SetVector(
                            part.generation_id, vector, bool(pinned), int(sequence)
                        )
            if own.facts:
                told = self.facts.setdefault(own.tenant, [])
                told.extend((keys[fact.user], fact) for fact in own.facts)
            if own.links:
                self.links.setdefault(own.tenant, []).extend((keys, one) for one in own.links)
            for erased in own.erased:
                self._erase(own.tenant, erased)

    def _erase(self, tenant: str, erased: ErasedUser) -> None:
        """Void what came of a user before they were erased."""
        self.erased.append((tenant, erased))
        for (other, user_key), change in self.users.items():
            if other != tenant or not erased.is_of(user_key):
                continue
            change.events = [one for one in change.events if one.sequence > erased.sequence]
            change.retracted.clear()
            if change.vector is not None and change.vector.sequence < erased.sequence:
                change.vector = None
        if tenant in self.links:
            self.links[tenant] = [
                (keys, link)
                for keys, link in self.links[tenant]
                if link.sequence > erased.sequence or not _concerns(keys, link, erased)
            ]
        if tenant in self.facts:
            self.facts[tenant] = [
                (user_key, fact)
                for user_key, fact in self.facts[tenant]
                if fact.revision > erased.erased_at_us or not erased.is_of(user_key)
            ]

    def _of(self, tenant: str, user_key: bytes) -> UserChange:
        user = (tenant, user_key)
        change = self.users.get(user)
        if change is None:
            change = self.users[user] = UserChange()
        return change


def _concerns(keys: Sequence[bytes], link: UserLink, erased: ErasedUser) -> bool:
    """Return whether a link is of a user who was erased."""
    indices = (link.user, link.into, link.direct)
    return any(erased.is_of(keys[index]) for index in indices if index is not None)


def retracts(entries: Entries) -> bool:
    """Return whether a stretch takes events back."""
    return any(len(own.retracted) for own in entries.tenants)


def event_count(entries: Entries) -> int:
    """Return how many events a stretch holds."""
    return sum(len(own.events) for own in entries.tenants)


def later_part(entries: Entries, sequence: int) -> Entries | None:
    """Return what of a stretch comes after a sequence within it; facts are given again.

    None: it cannot be told, as it is not known when each event was taken back.
    """
    if retracts(entries):
        return None
    return Entries(
        entries.epoch,
        sequence,
        entries.through_sequence,
        entries.accepted_at_us,
        [_later(own, sequence) for own in entries.tenants],
    )


def _later(own: TenantEntries, sequence: int) -> TenantEntries:
    return TenantEntries(
        own.tenant,
        own.item_ids,
        own.user_keys,
        own.types,
        own.events.picked(own.events.sequences > sequence),
        vectors=[part.picked(part.sequences > sequence) for part in own.vectors],
        facts=own.facts,
        erased=[one for one in own.erased if one.sequence > sequence],
        links=own.links,
    )


def _told(own: TenantEntries, events: EventColumns) -> Iterable[tuple[int, UserEvent]]:
    items, types = own.item_ids, own.types
    for row in events.rows():
        yield (
            row.user,
            UserEvent(
                items[row.item], types[row.type], row.value, row.time_us, row.weight, row.sequence
            ),
        )
