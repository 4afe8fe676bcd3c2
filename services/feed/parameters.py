"""What was learned of a tenant, as columns: the sections of a frame. Arrays only.

`items` columns hold indices into the `item_ids` of the frame's tenant. All values are absolute, so
that folding the same changes gives the same state everywhere.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from services.common.content_codes import NO_CONTENT, ContentCode

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]


MAX_SLOTS = 4096
"""Slots of an item's row of rules, at most."""


class RefusedParametersError(ValueError):
    """Parameters are wrong; nothing of them was folded."""


@dataclass(frozen=True, slots=True)
class ItemFacts:
    """What rankers know about an item. Categories and tags are each there once; times are unix
    microseconds, None: there is none. content: what it is like.
    """

    item_id: str
    categories: tuple[str, ...] = ()
    available: bool = True
    expire_time_us: int | None = None
    title: str = ""
    owner: str = ""
    tags: tuple[str, ...] = ()
    numbers: Mapping[str, float] = field(default_factory=dict)
    publish_time_us: int | None = None
    update_time_us: int | None = None
    content: ContentCode = NO_CONTENT

    @property
    def expires_at(self) -> float:
        """Unix seconds from which on it is in no slate; infinity when it never expires."""
        return float("inf") if self.expire_time_us is None else self.expire_time_us / 1e6


@dataclass(frozen=True, slots=True)
class CatalogueChanges:
    """Items as they are now, and ids of items that are gone. Who is in both is gone."""

    upserted: tuple[ItemFacts, ...] = ()
    deleted: tuple[str, ...] = ()


class Document(NamedTuple):
    """What is configured by name, as it is now. kind: "surface" or "experiment". revision: from 1.
    body: the message of its kind, serialized; empty: it is gone.
    """

    kind: str
    name: str
    revision: int
    body: bytes

    @property
    def key(self) -> tuple[str, str]:
        """What it is found by."""
        return self.kind, self.name


@dataclass(frozen=True, slots=True)
class VectorRows:
    """New vectors of items: items [n]; vectors [n, d]; biases [n]; pinned [n].

    learned: they were moved by events, not placed. unit: what all values are multiples of (see
    services/feedback/learner/model/item_step.py); 0: of nothing.
    """

    items: Ints
    vectors: Floats
    biases: Floats
    pinned: Flags
    learned: bool = False
    unit: float = 0.0


@dataclass(frozen=True, slots=True)
class VectorRollback:
    """Vectors return to those of a version. count: how often that happened, this time included."""

    generation_id: str
    to_version: int
    reason: str
    count: int


@dataclass(frozen=True, slots=True)
class RuleCells:
    """New cells of sequential rules, each [n]; weight 0 frees a slot."""

    sources: Ints
    slots: Ints
    targets: Ints
    weights: Floats


@dataclass(frozen=True, slots=True)
class PopularityRows:
    """New popularity, each [n].

    levels: log2 of the sum over events of weight * 2^(unix seconds / half-life); minus infinity
    without events. counts: events of positive weight.
    """

    items: Ints
    levels: Doubles
    counts: Doubles


@dataclass(frozen=True, slots=True)
class TrendRows:
    """New levels [n] of what is popular just now; see frame.proto."""

    items: Ints
    levels: Doubles


@dataclass(frozen=True, slots=True)
class PlaceCells:
    """New levels of what is popular at places in a history, each [n]; see frame.proto."""

    items: Ints
    places: Ints
    levels: Doubles


@dataclass(slots=True, kw_only=True)
class ColumnSections:
    """The sections that are columns and nothing else, by the name of their field in a frame; None:
    nothing changed. See COLUMNS in parameters_codec.
    """

    rules: RuleCells | None = None
    popularity: PopularityRows | None = None
    context_popularity: PlaceCells | None = None
    trends: TrendRows | None = None


class OutcomeFigures(NamedTuple):
    """Predicted against actual of an outcome on a surface: examples, means, calibration error."""

    surface: str
    outcome: str
    examples: float
    predicted: float
    actual: float
    calibration_error: float


@dataclass(frozen=True, slots=True)
class HeadParameters:
    """The head of the scorer of a generation: float64 [outcomes, columns + 3].

    slopes: float64 [outcomes], of logits by orders. slates: how many it has learned from. figures:
    predicted against actual, where it changed.
    """

    generation_id: str
    outcomes: tuple[str, ...]
    parameters: Doubles
    slopes: Doubles
    slates: int = 0
    figures: tuple[OutcomeFigures, ...] = ()


@dataclass(frozen=True, slots=True)
class PosteriorParameters:
    """How sure the order of a generation is: see OrderPosterior in frame.proto.

    precisions float32 [columns + 1, columns + 1], symmetric; temperature > 0.
    """

    generation_id: str
    precisions: Floats
    temperature: float


@dataclass(frozen=True, slots=True)
class UserVectors:
    """What user vectors have become: vectors [n, d]. For whoever shows them, never for learning."""

    user_keys: Sequence[bytes]
    vectors: Floats
