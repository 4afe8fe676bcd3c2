"""What is popular just now in the categories of the latest items."""

from functools import partial

import numpy as np

from services.common.arrays import NO_ORDINALS, Bools, Ordinals
from services.common.runs import distinct
from services.ranker.domain.surface.sources.kept import Finds
from services.ranker.domain.tenant_replica import TenantReplica

_LATEST = 5
_CATEGORIES = 8
_OF_CATEGORY = 200
_POPULAR = 2000


def trending(
    replica: TenantReplica, finds: Finds, latest: Ordinals, eligible: Bools, quota: int, now: float
) -> Ordinals:
    """Return at most `quota` eligible items of the categories of the `latest` items, latest first,
    by what was popular in the last hundreds of events of all users; best first.

    Of each category the 200 first of a second ago. Where no latest item has one: among the most
    popular ones of all.
    """
    lists = replica.catalogue.fields.texts("categories")
    named: dict[int, None] = {}
    for item in latest[:_LATEST].tolist():
        named.update(
            dict.fromkeys(lists.codes[lists.starts[item] : lists.starts[item + 1]].tolist())
        )
    if named:
        categories = [lists.values[code] for code in list(named)[:_CATEGORIES]]
        found = distinct(
            np.concatenate(
                [
                    finds.trending.of(category, now, partial(_first, replica, category))
                    for category in categories
                ]
            )
        )
    else:
        replica.popularity.refresh_order()
        found = np.sort(replica.popularity.order[:_POPULAR])
    return _best(replica, found[eligible.take(found)], quota)


def _first(replica: TenantReplica, category: str) -> Ordinals:
    """Return the first of a category that are there, whoever asks."""
    members = replica.catalogue.members(category)
    return _best(replica, members, _OF_CATEGORY) if members.size else NO_ORDINALS


def _best(replica: TenantReplica, items: Ordinals, count: int) -> Ordinals:
    """Return the first of items, given by ordinal, that were popular lately at all."""
    levels = replica.popularity.trends(items)
    known = levels > -np.inf
    items, levels = items[known], levels[known]
    if items.size > count:
        # What is as good as the last of the first, too: which of them count is by ordinal.
        least = np.partition(levels, items.size - count)[items.size - count]
        good = levels >= least
        items, levels = items[good], levels[good]
    best: Ordinals = items[(-levels).argsort(kind="stable")[:count]]
    return best
