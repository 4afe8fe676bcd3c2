"""Log entries as the learner sees them."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Vector = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Event:
    """An accepted event. `value` is NaN when absent; `weight` < 0 is an explicit negative."""

    user_key: bytes
    item_id: str
    type: str
    value: float
    time_us: int
    weight: float


@dataclass(frozen=True, slots=True)
class ItemUpserted:
    """An item as it is now: serialised for the feed, and its content features by name."""

    item_id: str
    item: bytes
    features: dict[str, float]


@dataclass(frozen=True, slots=True)
class ItemDeleted:
    """An item that is gone."""

    item_id: str


@dataclass(frozen=True, slots=True)
class EmbeddingPut:
    """A vector that a backend set, for an item or (user_key) a user."""

    item_id: str | None
    user_key: bytes | None
    vector: Vector
    bias: float
    pinned: bool
    generation_id: str


@dataclass(frozen=True, slots=True)
class GenerationActivated:
    """A generation starts to serve. `tower` are the bytes of its item tower."""

    generation_id: str
    manifest: bytes
    tower: bytes
    dimension: int
    max_norm: float
    content_buckets: int
    length: int
    decay: float
    alpha: float
    regularization: float


@dataclass(frozen=True, slots=True)
class Nothing:
    """An entry that changes nothing shared: a tick, a user fact."""


Kind = Event | ItemUpserted | ItemDeleted | EmbeddingPut | GenerationActivated | Nothing


@dataclass(frozen=True, slots=True)
class LogEntry:
    """One entry of the log, with its columns."""

    sequence: int
    tenant: str
    accepted_at_us: int
    kind: Kind
