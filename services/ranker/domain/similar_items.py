"""Items whose vectors point the same way as that of an item."""

import numpy as np

from services.common.similarity import cosine_to_rows
from services.ranker.domain.eligibility import Drops, ItemFilter, keep_categories, keep_wanted
from services.ranker.domain.tenant_replica import TenantReplica

_ROUGH_EXTRA = 16


class NoVectorError(LookupError):
    """The item is unknown, or has no vector."""


def similar_items(
    replica: TenantReplica, item_id: str, count: int, wanted: ItemFilter, now: float
) -> list[tuple[str, float]]:
    """Return at most `count` (id, cosine) pairs, most similar first, without the item itself.

    The item itself may be unavailable or expired, but not deleted.

    Raises:
        NoVectorError: the item is not in the catalogue, or has no vector.

    """
    ordinal = replica.catalogue.find(item_id)
    if ordinal is None or not (
        replica.catalogue.listed()[ordinal] and replica.index.held()[ordinal]
    ):
        raise NoVectorError(f"item {item_id!r} has no vector")
    eligible = replica.eligible(now)
    keep_categories(replica.catalogue, eligible, wanted)
    # Nobody is told how many were dropped.
    keep_wanted(replica.catalogue, eligible, 0, wanted, Drops())
    eligible[ordinal] = False
    # The nearest by float32, a few more than wanted: the exact cosine decides.
    shortlist = replica.index.nearest(ordinal, eligible, count + _ROUGH_EXTRA)
    vector = replica.index.vectors(np.array([ordinal]))[0]
    cosines = cosine_to_rows(vector, replica.index.vectors(shortlist))
    best = np.lexsort((shortlist, -cosines))[:count]
    return [(replica.catalogue.item_id(shortlist[place]), float(cosines[place])) for place in best]
