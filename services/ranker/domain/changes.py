"""What one frame changes for one tenant: plain arrays, as the feed's columns hold them.

`items` columns hold indices into `TenantChanges.item_ids`. All values are absolute, so that
folding the same changes gives the same state everywhere.
"""

from dataclasses import dataclass, field

from services.ranker.domain.arrays import Float32s, Float64s, Ordinals
from services.ranker.domain.generation import Generation
from services.ranker.domain.scorer_head import ScorerHead


class RefusedChangesError(ValueError):
    """Changes are wrong; nothing of them was folded."""


@dataclass(frozen=True, slots=True)
class ItemFacts:
    """What filters need to know about an item.

    `expires_at`: unix seconds from which on it is in no slate; infinity when it never expires.
    """

    item_id: str
    categories: tuple[str, ...] = ()
    available: bool = True
    expires_at: float = float("inf")


@dataclass(frozen=True, slots=True)
class CatalogueChanges:
    """Items as they are now, and ids of items that are gone. Who is in both is gone."""

    upserted: tuple[ItemFacts, ...] = ()
    deleted: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class VectorChanges:
    """New vectors of items: items [n], vectors [n, dimension], biases [n]."""

    generation_id: str
    items: Ordinals
    vectors: Float32s
    biases: Float32s


@dataclass(frozen=True, slots=True)
class VectorRollback:
    """Vectors of a generation went back to earlier ones; `count`: how often so far."""

    generation_id: str
    count: int


@dataclass(frozen=True, slots=True)
class RuleChanges:
    """Cells of the rule table: sources, slots, targets, weights, all [n]. Weight 0 frees a slot."""

    sources: Ordinals
    slots: Ordinals
    targets: Ordinals
    weights: Float32s


@dataclass(frozen=True, slots=True)
class PopularityChanges:
    """Popularity of items, all [n].

    `levels`: log2 of the sum over events of weight * 2^(unix seconds / half-life); minus infinity
    without events. `counts`: events of positive weight.
    """

    items: Ordinals
    levels: Float64s
    counts: Float64s


@dataclass(frozen=True, slots=True)
class PlaceChanges:
    """What is popular at places in a history: cells [n], levels log2. See PlacePopularity."""

    items: Ordinals
    places: Ordinals
    levels: Float64s


@dataclass(frozen=True, slots=True)
class FactorChange:
    """What user vectors of a generation are encoded with: [dimension, dimension]."""

    generation_id: str
    factor: Float32s


@dataclass(frozen=True, slots=True)
class TenantChanges:
    """All that one frame changes for one tenant.

    activated: serves from now on. staged: is built beside the one that serves. retired: ids of
    generations that are dropped. vectors: of the one that serves; other_vectors: of others;
    factors: of either.
    """

    item_ids: tuple[str, ...] = ()
    activated: Generation | None = None
    staged: Generation | None = None
    retired: tuple[str, ...] = ()
    catalogue: CatalogueChanges = field(default_factory=CatalogueChanges)
    vectors: VectorChanges | None = None
    other_vectors: tuple[VectorChanges, ...] = ()
    rollback: VectorRollback | None = None
    rules: RuleChanges | None = None
    popularity: PopularityChanges | None = None
    places: PlaceChanges | None = None
    factors: tuple[FactorChange, ...] = ()
    head: ScorerHead | None = None
