"""Items with few events, the latest published first."""

from services.common.arrays import Bools, Ordinals
from services.ranker.domain.tenant_replica import TenantReplica

_LOOKED_AT = 4


def new_items(
    replica: TenantReplica, eligible: Bools, quota: int, below: int, now_us: int
) -> Ordinals:
    """Return at most `quota` eligible items with fewer than `below` events, newest first.

    Among the newest 4 `quota` items only: what is new and has few events is there.
    """
    newest = replica.catalogue.fields.newest(eligible, _LOOKED_AT * quota, 0, now_us)
    found: Ordinals = newest[replica.popularity.counts(newest) < below][:quota]
    return found
