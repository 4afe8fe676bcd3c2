"""What is popular just now in the categories of the latest items."""

from collections.abc import Callable
from functools import partial

import numpy as np

from services.common.arrays import Bools, Float64s, Ordinals
from services.ranker.domain.surface.sources.kept import Finds
from services.ranker.domain.tenant_replica import TenantReplica

_LATEST = 5
_CATEGORIES = 8
_OF_CATEGORY = 200
_POPULAR = 2000


def trending(
    replica: TenantReplica,
    finds: Finds,
    merged: Callable[[list[tuple[Ordinals, Float64s]], Bools, int], Ordinals],
    latest: Ordinals,
    eligible: Bools,
    quota: int,
    now: float,
) -> Ordinals:
    """Return at most `quota` eligible items of the categories of the `latest` items, latest first,
    by what was popular in the last hundreds of events of all users; best first.

    Of each category the 200 first of a second ago. Where no latest item has one: among the most
    popular ones of all. merged: see Drafts.
    """
    lists = replica.catalogue.fields.texts("categories")
    named: dict[int, None] = {}
    for item in latest[:_LATEST].tolist():
        for code in lists.codes[lists.starts[item] : lists.starts[item + 1]].tolist():
            named[code] = None
    if named:
        categories = [lists.values[code] for code in list(named)[:_CATEGORIES]]
        firsts = [
            finds.trending.of(category, now, partial(_first, replica, category))
            for category in categories
        ]
    else:
        firsts = [finds.trending.of(None, now, partial(_popular, replica))]
    return merged(firsts, eligible, quota)


def _first(replica: TenantReplica, category: str) -> tuple[Ordinals, Float64s]:
    """Return the first of a category that are there, whoever asks."""
    return _best(replica, replica.catalogue.members(category), _OF_CATEGORY)


def _popular(replica: TenantReplica) -> tuple[Ordinals, Float64s]:
    replica.popularity.refresh_order()
    return _best(replica, np.sort(replica.popularity.order[:_POPULAR]), _POPULAR)


def _best(replica: TenantReplica, items: Ordinals, count: int) -> tuple[Ordinals, Float64s]:
    """Return the first of items, given by ordinal, that were popular lately; and how much."""
    levels = replica.popularity.trends(items)
    order = (-levels).argsort(kind="stable")[:count]
    best = order[levels[order] > -np.inf]
    return items[best], levels[best]
