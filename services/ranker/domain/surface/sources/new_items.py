"""Items with few events, the latest published first."""

from services.common.arrays import Bools, Ordinals
from services.ranker.domain.surface.sources.kept import Finds
from services.ranker.domain.tenant_replica import TenantReplica

_LOOKED_AT = 2000


def new_items(
    replica: TenantReplica, finds: Finds, eligible: Bools, quota: int, below: int, now: float
) -> Ordinals:
    """Return at most `quota` eligible items with fewer than `below` events, newest first.

    Among the newest 2,000 items of a second ago: what is new and has few events is there.
    """

    def newest() -> Ordinals:
        return replica.catalogue.fields.newest(
            replica.eligible(now), _LOOKED_AT, 0, round(now * 1e6)
        )

    found = finds.newest.of(None, now, newest)
    found = found[eligible[found]]
    chosen: Ordinals = found[replica.popularity.counts(found) < below][:quota]
    return chosen
