"""What is popular just now in the categories of the latest items."""

import numpy as np

from services.common.arrays import NO_ORDINALS, Bools, Ordinals
from services.common.runs import distinct
from services.ranker.domain.tenant_replica import TenantReplica

_LATEST = 5
_CATEGORIES = 8
_POPULAR = 2000


def trending(replica: TenantReplica, latest: Ordinals, eligible: Bools, quota: int) -> Ordinals:
    """Return at most `quota` eligible items of the categories of the `latest` items, latest first,
    by what was popular in the last hundreds of events of all users; best first.

    Where no latest item has a category: among the most popular ones of all.
    """
    lists = replica.catalogue.fields.texts("categories")
    codes = [
        lists.codes[lists.starts[item] : lists.starts[item + 1]]
        for item in latest[:_LATEST].tolist()
    ]
    found: Ordinals
    if sum(part.size for part in codes):
        named = dict.fromkeys(np.concatenate(codes).tolist())
        members = [
            replica.catalogue.members(lists.values[code]) for code in list(named)[:_CATEGORIES]
        ]
        found = distinct(np.concatenate([NO_ORDINALS, *members]))
    else:
        replica.popularity.refresh_order()
        found = np.sort(replica.popularity.order[:_POPULAR])
    found = found[eligible[found]]
    levels = replica.popularity.trends(found)
    order = (-levels).argsort(kind="stable")[:quota]
    best: Ordinals = found[order[levels[order] > -np.inf]]
    return best
