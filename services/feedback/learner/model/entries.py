"""Log entries as the learner sees them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from services.common.fold_in import FoldInEncoder
from services.feed.parameters import Document
from services.feedback.learner.model.impression import Impression
from services.feedback.learner.model.outcome_definition import OutcomeDefinition

Vector = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Event:
    """An accepted event. `value` is NaN when absent; `weight` < 0 is an explicit negative.

    `slate_id` is empty when it names no slate.
    """

    user_key: bytes
    item_id: str
    type: str
    value: float
    time_us: int
    weight: float
    slate_id: str = ""


@dataclass(frozen=True, slots=True)
class EventRetracted:
    """An accepted event is taken back; `sequence` is that of the event."""

    event: Event
    sequence: int


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
    """A generation starts to serve: the first of a tenant, or one that was staged.

    `tower` are the bytes of its item tower. `outcomes` and `columns` are what its scorer predicts,
    and from how many features; `scorer` are its bytes, empty where nothing is to be learned from
    what would have been shown.
    """

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
    outcomes: tuple[OutcomeDefinition, ...] = ()
    columns: int = 0
    scorer: bytes = field(default=b"", repr=False)

    @property
    def encoder(self) -> FoldInEncoder:
        """How its user vectors are made."""
        return FoldInEncoder(
            self.length, self.decay, self.alpha, self.regularization, self.max_norm
        )


@dataclass(frozen=True, slots=True)
class TrainedVectors:
    """Start vectors from a trained file: rows by item id; vectors [n, d]; biases [n]."""

    rows: Mapping[str, int]
    vectors: Vector
    biases: Vector


FeaturesOf = Callable[[bytes], Mapping[str, float]]
"""Content features of an item, given its payload."""


@dataclass(frozen=True, slots=True)
class StagedStart:
    """Where the items of a staged generation start.

    features_of: for items without a trained vector.
    """

    features_of: FeaturesOf
    trained: TrainedVectors | None


@dataclass(frozen=True, slots=True)
class GenerationStaged:
    """A generation is built beside the one that serves; `now`: it serves as soon as it is.

    `start` is None when all items have their places already (in checkpoints).
    """

    generation: GenerationActivated
    start: StagedStart | None
    now: bool


@dataclass(frozen=True, slots=True)
class GenerationRetired:
    """A generation that does not serve is dropped."""

    generation_id: str


@dataclass(frozen=True, slots=True)
class UserErased:
    """A user is not known any more. user_key: empty where only its SHA-256, the tombstone, is.

    What the events taught is taken back with `UserUnlearned`.
    """

    erasure_id: str
    user_key: bytes
    tombstone: bytes


@dataclass(frozen=True, slots=True)
class UserUnlearned:
    """What an erased user taught is taken back; `events` are all that stand, in log order."""

    erasure_id: str
    events: tuple["LogEntry", ...] = ()


@dataclass(frozen=True, slots=True)
class LearningConsent:
    """Whether others may learn from a user from now on; None: undecided."""

    user_key: bytes
    granted: bool | None


@dataclass(frozen=True, slots=True)
class UserLinked:
    """A session or user is another user from now on; `into` is empty: by itself."""

    user_key: bytes
    into: bytes


@dataclass(frozen=True, slots=True)
class Nothing:
    """An entry that changes nothing shared: a tick."""


Kind = (
    Event
    | EventRetracted
    | Impression
    | ItemUpserted
    | ItemDeleted
    | EmbeddingPut
    | GenerationActivated
    | GenerationStaged
    | GenerationRetired
    | Document
    | UserErased
    | UserUnlearned
    | LearningConsent
    | UserLinked
    | Nothing
)


@dataclass(frozen=True, slots=True)
class LogEntry:
    """One entry of the log, with its columns."""

    sequence: int
    tenant: str
    accepted_at_us: int
    kind: Kind
