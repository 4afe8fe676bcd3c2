"""Items with few events, the latest published first."""

from services.common.arrays import Bools, Ordinals
from services.ranker.domain.surface.sources.kept import Finds
from services.ranker.domain.tenant_replica import TenantReplica

_LOOKED_AT = 2000


def new_items(
    replica: TenantReplica, finds: Finds, eligible: Bools, quota: int, below: int, now: float
) -> Ordinals:
    """Return at most `quota` eligible items with fewer than `below` events, newest first.

    Of those that had so few a second ago, among the 2,000 newest of then: what is new is there.
    """

    def with_few_events(items: Ordinals) -> Ordinals:
        few: Ordinals = items[replica.popularity.counts(items) < below]
        return few

    def newest() -> Ordinals:
        return with_few_events(
            replica.catalogue.fields.newest(replica.eligible(now), _LOOKED_AT, 0, round(now * 1e6))
        )

    found = finds.newest.of(below, now, newest)
    return with_few_events(found[eligible.take(found)])[:quota]
