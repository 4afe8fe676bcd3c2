"""Entries of the log and frames of the learner, made from plain events and vectors."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from harken.common.v1 import subject_pb2
from harken.internal.feed.v1 import entries_pb2, frame_pb2
from services.common.position import Position
from services.common.user_key import Pseudonyms
from services.feed import parameters
from services.feed.entries import (
    NO_EVENTS,
    Entries,
    EventColumns,
    TenantEntries,
    UserFact,
    UserVectors,
)
from services.feed.entries_codec import encode
from services.feed.parameters_codec import write_user_vectors

GENERATION = "g1"
ACCEPTED_US = 1_700_000_000_000_000


def user(name: str) -> subject_pb2.Subject:
    return subject_pb2.Subject(user_id=name)


def key(name: str) -> bytes:
    return Pseudonyms().key_of("", user(name))


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


Numbered = tuple[int, Happening]
"""Sequence and event."""


@dataclass
class Script:
    """Writes stretches of the log, one after the other, and frames."""

    epoch: int = 1
    sequence: int = 0
    version: int = 0

    def events(self, happenings: Sequence[Happening] = (), gap: int = 0) -> entries_pb2.Entries:
        """Return the next stretch, with `gap` entries of other kinds at its end; one at least."""
        return encode(self.stretch(happenings, gap))

    def stretch(self, happenings: Sequence[Happening] = (), gap: int = 0) -> Entries:
        """Return the same before it is encoded."""
        after = self.sequence
        tenants: dict[str, list[Numbered]] = {}
        for happening in happenings:
            self.sequence += 1
            tenants.setdefault(happening.tenant, []).append((self.sequence, happening))
        self.sequence += gap if happenings else max(gap, 1)
        return self._stretch(after, [_told(*own) for own in tenants.items()])

    def retraction(self, numbered: Sequence[Numbered]) -> entries_pb2.Entries:
        """Return a stretch that takes events of one tenant, by their sequences, back."""
        after = self.sequence
        self.sequence += len(numbered)
        own = _told(numbered[0][1].tenant, numbered)
        retracted = TenantEntries(
            own.tenant, own.item_ids, own.user_keys, own.types, retracted=own.events
        )
        return encode(self._stretch(after, [retracted]))

    def put(
        self,
        name: str,
        vector: Sequence[float],
        pinned: bool = False,
        generation: str = GENERATION,
    ) -> entries_pb2.Entries:
        """Return a stretch in which a backend sets a user's vector."""
        after = self.sequence
        self.sequence += 1
        vectors = UserVectors(
            generation, np.array([0]), np.array([vector], np.float32), np.array([pinned]),
            np.array([self.sequence]),
        )  # fmt: skip
        own = TenantEntries("default", user_keys=[key(name)], vectors=[vectors])
        return encode(self._stretch(after, [own]))

    def fact(self, name: str, revision: int, attributes: bytes) -> entries_pb2.Entries:
        """Return a stretch with a fact about a user."""
        after = self.sequence
        self.sequence += 1
        own = TenantEntries(
            "default", user_keys=[key(name)], facts=[UserFact(0, revision, attributes)]
        )
        return encode(self._stretch(after, [own]))

    def of_tenant(self, own: TenantEntries) -> Entries:
        """Return the stretch of one entry, whose sequence was counted already."""
        return self._stretch(self.sequence - 1, [own])

    def _stretch(self, after: int, tenants: list[TenantEntries]) -> Entries:
        return Entries(self.epoch, after, self.sequence, ACCEPTED_US, tenants)

    def learned(
        self,
        vectors: Mapping[str, Sequence[float]] | None = None,
        generation: str = GENERATION,
        tenant: str = "default",
    ) -> frame_pb2.Frame:
        """Return the next frame, as of all entries so far; vectors are by user."""
        self.version += 1
        frame = frame_pb2.Frame(
            epoch=self.epoch, after_version=self.version - 1, version=self.version,
            through_sequence=self.sequence,
        )  # fmt: skip
        if vectors:
            rows = np.array(list(vectors.values()), np.float32)
            users = parameters.UserVectors([key(name) for name in vectors], rows)
            write_user_vectors(generation, users, frame.tenants.add(tenant=tenant).users)
        return frame

    @property
    def position(self) -> bytes:
        return Position(0, self.epoch, self.sequence).encode()


def _told(tenant: str, numbered: Sequence[Numbered]) -> TenantEntries:
    happenings = [happening for _, happening in numbered]
    users = list(dict.fromkeys(h.user for h in happenings))
    items = list(dict.fromkeys(h.item for h in happenings))
    types = list(dict.fromkeys(h.type for h in happenings))
    places = [{name: n for n, name in enumerate(names)} for names in (users, items, types)]
    events = NO_EVENTS
    if happenings:
        events = EventColumns(
            np.array([places[0][h.user] for h in happenings]),
            np.array([places[1][h.item] for h in happenings]),
            np.array([places[2][h.type] for h in happenings]),
            np.array([np.nan if h.value is None else h.value for h in happenings]),
            np.array([h.time_us for h in happenings], np.int64),
            np.array([sequence for sequence, _ in numbered], np.int64),
            np.array([h.weight for h in happenings], np.float32),
            np.full(len(happenings), ACCEPTED_US),
        )
    return TenantEntries(tenant, items, [key(name) for name in users], types, events)
