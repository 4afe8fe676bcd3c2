"""What one step changed for one tenant, columnar and absolute.

Items are referred to by index into `item_ids`, users by index into `user_keys`. A fold of the
same changes gives the same bytes everywhere. A checkpoint is the same thing, of everything.
"""

from dataclasses import dataclass, field

from services.feed.parameters import (
    ColumnSections,
    Document,
    Doubles,
    Flags,
    Floats,
    Ints,
    UserVectors,
    VectorRollback,
    VectorRows,
)
from services.feedback.learner.model.entries import GenerationActivated, GenerationStaged
from services.feedback.learner.model.slate_learning import SlateChanges
from services.feedback.learner.model.space_status import SpaceStatus


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


@dataclass(slots=True)
class SpaceChanges:
    """What changed in the vectors of one generation; Gramians in checkpoints only.

    factor [d, d]: what others encode users with from now on; published_gramian: what it is made of.
    """

    generation_id: str
    vectors: VectorRows | None = None
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
class HiddenEvents:
    """Events that recent items do not show, for checkpoints; each [n], by user and sequence."""

    users: Ints
    items: Ints
    weights: Floats
    times_us: Ints
    sequences: Ints


@dataclass(frozen=True, slots=True)
class Influence:
    """How much users moved what is shared, for checkpoints (see daily_cap).

    days, counts: [users], or empty in checkpoints of before there was a cap. Stretches beyond the
    cap: beyond_users (index into user_keys), beyond_first, beyond_last [n], oldest first.
    """

    days: Ints
    counts: Ints
    beyond_users: Ints
    beyond_first: Ints
    beyond_last: Ints


GRANTED_CODES = (False, True, None)
"""What users decide, by code on the wire."""


@dataclass(frozen=True, slots=True)
class Decisions:
    """Decisions about learning, for checkpoints: users (index into user_keys), log sequences, and
    codes [n] of GRANTED_CODES, of each user oldest first.
    """

    users: Ints
    sequences: Ints
    codes: Ints


@dataclass(frozen=True, slots=True)
class Held:
    """Events that moved nothing shared (see held_events), for checkpoints.

    users (index into user_keys), sequences, items: [n], ascending of each user.
    """

    users: Ints
    sequences: Ints
    items: Ints


@dataclass(frozen=True, slots=True)
class AllowanceChanges:
    """What items have of what all share (see item_allowance), for checkpoints.

    items [n]; sums float64 [n, columns]; figures, places: of the tenant, empty where not said.
    """

    items: Ints
    sums: Doubles
    figures: Doubles
    places: Doubles


@dataclass(frozen=True, slots=True)
class RecentItems:
    """Recent items of users, for checkpoints: `items` [sum of lengths], oldest first.

    links: user (index), log sequence, and who it is from then on (empty: itself), of each user
    oldest first. merged_events: user, log sequence of the event, and of the merge.
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
    held: Held
    touched_users: Ints
    touched_since_us: int
    consents: Decisions
    links: list[tuple[int, int, bytes]]
    merged_events: list[tuple[int, int, int]]


@dataclass(slots=True)
class Changes(ColumnSections):
    """All that changed for a tenant. `active`: the generation that serves after it.

    events: of positive weight so far, for checkpoints.
    beyond_influence: events that only their users felt (see daily_cap), held: those that were
    too many of one item (see item_allowance); not part of frames.
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
    documents: list[Document] = field(default_factory=list)
    users: UserVectors | None = None
    recent: RecentItems | None = None
    slates: SlateChanges | None = None
    events: float | None = None
    allowance: AllowanceChanges | None = None
    beyond_influence: int = 0
    held: int = 0

    @property
    def vectors(self) -> VectorRows | None:
        """New vectors of the generation that serves, if any."""
        own = (space.vectors for space in self.spaces if space.generation_id == self.active)
        return next((vectors for vectors in own if vectors is not None), None)
