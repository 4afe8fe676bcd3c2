"""What one frame changes for one tenant, with the generations that it names."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from services.feed.parameters import (
    CatalogueChanges,
    ColumnSections,
    Document,
    Floats,
    VectorRollback,
    VectorRows,
)
from services.ranker.domain.generation import Generation
from services.ranker.domain.order_posterior import OrderPosterior
from services.ranker.domain.scorer_head import ScorerHead


@dataclass(slots=True)
class TenantChanges(ColumnSections):
    """All that one frame changes for one tenant; `items` columns are indices into `item_ids`.

    activated: serves from now on. staged: is built beside the one that serves. retired: ids of
    generations that are dropped. vectors, factors: of items, and what users are encoded with, by
    generation.
    """

    item_ids: tuple[str, ...] = ()
    activated: Generation | None = None
    staged: Generation | None = None
    retired: tuple[str, ...] = ()
    catalogue: CatalogueChanges = field(default_factory=CatalogueChanges)
    documents: tuple[Document, ...] = ()
    vectors: Mapping[str, VectorRows] = field(default_factory=dict)
    factors: Mapping[str, Floats] = field(default_factory=dict)
    rollback: VectorRollback | None = None
    head: ScorerHead | None = None
    order_posterior: OrderPosterior | None = None
