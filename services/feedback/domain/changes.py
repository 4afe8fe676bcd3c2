"""What one step changed for one tenant, columnar and absolute.

Items are referred to by index into `item_ids`, users by index into `user_keys`. A fold of the
same changes gives the same bytes everywhere. A checkpoint is the same thing, of everything.
"""

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from services.feedback.domain.entries import GenerationActivated

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class VectorChanges:
    """New vectors. items [n]; vectors [n, d]; biases [n]; pinned [n]."""

    items: Ints
    vectors: Floats
    biases: Floats
    pinned: Flags


@dataclass(frozen=True, slots=True)
class BaseChanges:
    """What the item tower made. items [n]; vectors [n, d]."""

    items: Ints
    vectors: Floats


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
class EventColumns:
    """Events in log order, each [n]. `users` and `items` are indices, `types` into type names."""

    users: Ints
    items: Ints
    types: Ints
    values: Doubles
    times_us: Ints
    sequences: Ints
    weights: Floats


@dataclass(frozen=True, slots=True)
class UserChanges:
    """Events of users, and new vectors: vector_users [m]; vectors [m, d]; pinned [m]."""

    user_keys: list[bytes]
    types: list[str]
    events: EventColumns
    vector_users: Ints
    vectors: Floats
    pinned: Flags


@dataclass(frozen=True, slots=True)
class RecentItems:
    """Recent items of users, for checkpoints: `items` [sum of lengths], oldest first."""

    user_keys: list[bytes]
    items: Ints
    weights: Floats
    times_us: Ints
    lengths: Ints
    pinned_users: Ints


@dataclass(slots=True)
class Changes:
    """All that changed for a tenant."""

    tenant: str
    item_ids: list[str] = field(default_factory=list)
    activated: GenerationActivated | None = None
    upserted: list[tuple[str, bytes]] = field(default_factory=list)
    deleted: list[str] = field(default_factory=list)
    vectors: VectorChanges | None = None
    bases: BaseChanges | None = None
    rules: RuleChanges | None = None
    popularity: PopularityChanges | None = None
    users: UserChanges | None = None
    recent: RecentItems | None = None
    gramian: Doubles | None = None
    factor_gramian: Doubles | None = None
