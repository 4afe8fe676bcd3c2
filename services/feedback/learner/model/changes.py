"""What one step changed for one tenant, columnar and absolute.

Items are referred to by index into `item_ids`, users by index into `user_keys`. A fold of the
same changes gives the same bytes everywhere. A checkpoint is the same thing, of everything.
"""

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from services.feedback.learner.model.entries import GenerationActivated, GenerationStaged
from services.feedback.learner.model.slate_learning import SlateChanges
from services.feedback.learner.model.space_status import SpaceStatus

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class VectorChanges:
    """New vectors. items [n]; vectors [n, d]; biases [n]; pinned [n].

    learned: they were moved by events, not placed. unit: what all values are multiples of (see
    item_step.unit_of); 0: of nothing.
    """

    items: Ints
    vectors: Floats
    biases: Floats
    pinned: Flags
    learned: bool = False
    unit: float = 0.0


@dataclass(frozen=True, slots=True)
class BaseChanges:
    """Where items start. items [n]; vectors [n, d]; trained [n]: not by the item tower."""

    items: Ints
    vectors: Floats
    trained: Flags


@dataclass(frozen=True, slots=True)
class ReferenceRows:
    """Where the reference differs, for checkpoints. items [n]; vectors [n, d]."""

    items: Ints
    vectors: Floats


@dataclass(frozen=True, slots=True)
class VectorRollback:
    """Vectors return to those of a version. count: how often that happened, this time included."""

    generation_id: str
    to_version: int
    reason: str
    count: int


@dataclass(slots=True)
class SpaceChanges:
    """What changed in the vectors of one generation; Gramians in checkpoints only.

    factor [d, d]: what others encode users with from now on; published_gramian: what it is made of.
    """

    generation_id: str
    vectors: VectorChanges | None = None
    bases: BaseChanges | None = None
    status: SpaceStatus | None = None
    gramian: Doubles | None = None
    factor_gramian: Doubles | None = None
    reference_gramian: Doubles | None = None
    reference_factor_gramian: Doubles | None = None
    reference: ReferenceRows | None = None
    factor: Floats | None = None
    published_gramian: Doubles | None = None


@dataclass(frozen=True, slots=True)
class RuleChanges:
    """New cells of sequential rules, each [n]."""

    sources: Ints
    slots: Ints
    targets: Ints
    weights: Floats


@dataclass(frozen=True, slots=True)
class PopularityChanges:
    """New popularity, each [n]."""

    items: Ints
    levels: Doubles
    counts: Doubles


@dataclass(frozen=True, slots=True)
class PlaceChanges:
    """New levels of what is popular at places in a history, each [n]; places: 0..COLUMNS - 1."""

    items: Ints
    places: Ints
    levels: Doubles


@dataclass(frozen=True, slots=True)
class UserVectors:
    """What user vectors have become: vectors [n, d]. For whoever shows them, never for learning."""

    user_keys: list[bytes]
    vectors: Floats


@dataclass(frozen=True, slots=True)
class HiddenEvents:
    """Events that recent items do not show, for checkpoints; each [n], by user and sequence."""

    users: Ints
    items: Ints
    weights: Floats
    times_us: Ints
    sequences: Ints


@dataclass(frozen=True, slots=True)
class Influence:
    """How much users moved what is shared, for checkpoints (see daily_influence).

    days, counts: [users], or empty in checkpoints of before there was a cap. Stretches beyond the
    cap: beyond_users (index into user_keys), beyond_first, beyond_last [n], oldest first.
    """

    days: Ints
    counts: Ints
    beyond_users: Ints
    beyond_first: Ints
    beyond_last: Ints


@dataclass(frozen=True, slots=True)
class RecentItems:
    """Recent items of users, for checkpoints: `items` [sum of lengths], oldest first.

    touched_users [n]: whose vector is to be sent; touched_since_us: since when, of the tenant.
    """

    user_keys: list[bytes]
    items: Ints
    weights: Floats
    times_us: Ints
    sequences: Ints
    lengths: Ints
    pinned_users: Ints
    hidden: HiddenEvents
    influence: Influence
    touched_users: Ints
    touched_since_us: int


@dataclass(slots=True)
class Changes:
    """All that changed for a tenant. `active`: the generation that serves after it.

    beyond_influence: events that only their users felt (see daily_influence); not part of frames.
    """

    tenant: str
    item_ids: list[str] = field(default_factory=list)
    active: str = ""
    activated: GenerationActivated | None = None
    staged: GenerationStaged | None = None
    retired: list[str] = field(default_factory=list)
    upserted: list[tuple[str, bytes]] = field(default_factory=list)
    deleted: list[str] = field(default_factory=list)
    spaces: list[SpaceChanges] = field(default_factory=list)
    rollback: VectorRollback | None = None
    rules: RuleChanges | None = None
    popularity: PopularityChanges | None = None
    places: PlaceChanges | None = None
    users: UserVectors | None = None
    recent: RecentItems | None = None
    slates: SlateChanges | None = None
    beyond_influence: int = 0

    @property
    def vectors(self) -> VectorChanges | None:
        """New vectors of the generation that serves, if any."""
        own = (space.vectors for space in self.spaces if space.generation_id == self.active)
        return next((vectors for vectors in own if vectors is not None), None)
