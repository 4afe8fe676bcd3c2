"""Entries of the log as columns: what takes effect without learning. Arrays only."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

_NO_INTS: Ints = np.zeros(0, np.int64)


class EventRow(NamedTuple):
    """An event: a value of each column of EventColumns."""

    user: int
    item: int
    type: int
    value: float
    time_us: int
    sequence: int
    weight: float
    accepted_us: int


class EventColumns:
    """Events, each column [n]: indices of users, items and types; values, NaN when none was given;
    event times, unix microseconds; log sequences; weights, negative for explicit negatives and 0
    for events that only count; unix microseconds of their acceptance.

    Of retracted events: in the order of their retractions, all else that of the events.

    alone: the event, where it was given as a row; None: they were given as columns. Most stretches
    of a quiet log have one event, and whoever looks at `alone` first needs no arrays of one: they
    are made when asked for.
    """

    __slots__ = (
        "accepted_us", "alone", "items", "sequences", "times_us", "types", "users", "values",
        "weights",
    )  # fmt: skip

    users: Ints
    items: Ints
    types: Ints
    values: Doubles
    times_us: Ints
    sequences: Ints
    weights: Floats
    accepted_us: Ints
    alone: EventRow | None

    def __init__(
        self,
        users: Ints,
        items: Ints,
        types: Ints,
        values: Doubles,
        times_us: Ints,
        sequences: Ints,
        weights: Floats,
        accepted_us: Ints,
    ) -> None:
        self.alone = None
        self.users, self.items, self.types = users, items, types
        self.values, self.times_us, self.sequences = values, times_us, sequences
        self.weights, self.accepted_us = weights, accepted_us

    @classmethod
    def of_one(cls, row: EventRow) -> "EventColumns":
        """Return one event; its weight is rounded to float32."""
        made = cls.__new__(cls)
        made.alone = row
        return made

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> np.ndarray:
            """Make the columns of an event that is alone: only these can be missing."""
            if name not in self.__slots__ or name == "alone":
                raise AttributeError(name)
            row = self.alone
            self.__init__(
                np.array([row.user], np.int64), np.array([row.item], np.int64),
                np.array([row.type], np.int64), np.array([row.value], np.float64),
                np.array([row.time_us], np.int64), np.array([row.sequence], np.int64),
                np.array([row.weight], np.float32), np.array([row.accepted_us], np.int64),
            )  # fmt: skip
            self.alone = row
            return getattr(self, name)

    def __len__(self) -> int:
        """Return how many events there are."""
        return len(self.users) if self.alone is None else 1

    def rows(self) -> Iterable[EventRow]:
        """Return the events one by one."""
        if self.alone is not None:
            return (self.alone,)
        columns = (
            self.users, self.items, self.types, self.values, self.times_us, self.sequences,
            self.weights, self.accepted_us,
        )  # fmt: skip
        return map(EventRow._make, zip(*(column.tolist() for column in columns), strict=True))

    def acceptances(self) -> tuple[Sequence[int], Sequence[int]]:
        """Return when they were accepted, unix microseconds, and their sequences."""
        if self.alone is not None:
            return (self.alone.accepted_us,), (self.alone.sequence,)
        return self.accepted_us.tolist(), self.sequences.tolist()

    def picked(self, rows: Flags) -> "EventColumns":
        """Return some of the events."""
        return EventColumns(
            self.users[rows],
            self.items[rows],
            self.types[rows],
            self.values[rows],
            self.times_us[rows],
            self.sequences[rows],
            self.weights[rows],
            self.accepted_us[rows],
        )


NO_EVENTS = EventColumns(
    _NO_INTS, _NO_INTS, _NO_INTS, np.zeros(0, np.float64), _NO_INTS, _NO_INTS,
    np.zeros(0, np.float32), _NO_INTS,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class UserVectors:
    """Vectors [n, dimension] that a backend set for users [n] (indices), in log order.

    pinned [n]: it stays until the next one is set; otherwise the user's next event replaces it.
    """

    generation_id: str
    users: Ints
    vectors: Floats
    pinned: Flags
    sequences: Ints

    def picked(self, rows: Flags) -> "UserVectors":
        """Return some of the vectors."""
        return UserVectors(
            self.generation_id,
            self.users[rows],
            self.vectors[rows],
            self.pinned[rows],
            self.sequences[rows],
        )


@dataclass(frozen=True, slots=True)
class UserFact:
    """All attributes and consent of a user (index) as of a revision: a serialised
    google.protobuf.Struct and harken.common.v1.Consent.
    """

    user: int
    revision: int
    attributes: bytes
    consent: bytes = b""


@dataclass(frozen=True, slots=True)
class ItemVisibility:
    """What hides or shows items, each column [n], in log order; of an item the last counts.

    listed: False when the item was deleted. expires_at_us: unix microseconds, 0: never.
    """

    items: Ints
    listed: Flags
    available: Flags
    expires_at_us: Ints
    sequences: Ints


class ShownSlate(NamedTuple):
    """A slate that a user was shown on a surface that goes by what was shown there lately.

    items: indices of those that were in it. slates: by how many of the last ones the surface goes.
    """

    slate_id: str
    user_key: bytes
    surface: str
    items: Sequence[int]
    slates: int


class ErasedUser(NamedTuple):
    """A user that was erased: all before `sequence` is void, and so are facts of a revision up to
    `erased_at_us`.

    No user_key: the log does not know it any more; tombstone: its SHA-256.
    """

    erasure_id: str
    user_key: bytes
    tombstone: bytes
    erased_at_us: int
    sequence: int

    def is_of(self, user_key: bytes) -> bool:
        """Return whether it erases a user."""
        if self.user_key:
            return self.user_key == user_key
        return self.tombstone == hashlib.sha256(user_key).digest()


def erased_among(erasures: Sequence[ErasedUser], user_keys: Iterable[bytes]) -> set[bytes]:
    """Return which of some users were erased; each key is hashed once at most."""
    named = {one.user_key for one in erasures if one.user_key}
    unnamed = {one.tombstone for one in erasures if not one.user_key}
    if not unnamed:
        return named.intersection(user_keys)
    return {key for key in user_keys if key in named or hashlib.sha256(key).digest() in unnamed}


class UserLink(NamedTuple):
    """A user (index) is another one from a log sequence on, or, not `merged`, by itself again.

    into: the user that it is, or was; direct: whom it was merged into, which may be merged itself;
    indices, None: not known. since_us: unix microseconds.
    """

    user: int
    into: int | None
    direct: int | None
    merged: bool
    revision: int
    since_us: int
    source: str
    sequence: int


class TenantEntries(NamedTuple):
    """Entries of one tenant. There are events or retracted events, never both."""

    tenant: str
    item_ids: Sequence[str] = ()
    user_keys: Sequence[bytes] = ()
    types: Sequence[str] = ()
    events: EventColumns = NO_EVENTS
    retracted: EventColumns = NO_EVENTS
    vectors: Sequence[UserVectors] = ()
    facts: Sequence[UserFact] = ()
    items: ItemVisibility | None = None
    shown: Sequence[ShownSlate] = ()
    erased: Sequence[ErasedUser] = ()
    links: Sequence[UserLink] = ()


class Entries(NamedTuple):
    """A stretch of the log: all entries after a sequence through another one, by tenant.

    accepted_at_us: unix microseconds when its last entry was accepted.
    """

    epoch: int
    after_sequence: int
    through_sequence: int
    accepted_at_us: int
    tenants: Sequence[TenantEntries] = ()
