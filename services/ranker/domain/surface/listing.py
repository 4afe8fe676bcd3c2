"""Lists that nobody in particular asks for: slates of a surface in an order of its own.

filters -> the first of the order -> selector (rules, diversity), as `shaping` has them. The order
stands in the place of sources and scorer.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import Enum
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

from services.common.arrays import Bools, Float64s, Ordinals
from services.common.runs import distinct
from services.ranker.domain.eligibility import Drops
from services.ranker.domain.generation import Generation
from services.ranker.domain.selection.plan import NO_EXPLORATION
from services.ranker.domain.selection.selection import Selection
from services.ranker.domain.surface.configured import Surface
from services.ranker.domain.surface.drafts import Drafts
from services.ranker.domain.surface.planning import rules_on, wanted_by_rules
from services.ranker.domain.surface.shaping import Wish, considered_at_most, selected
from services.ranker.domain.surface.sources.kept import Finds
from services.ranker.domain.tenant_replica import TenantReplica
from services.ranker.domain.user_state import UserState

_EVER = -(1 << 63)
_KEPT = 20_000
"""Items that trend, of a moment ago: to sort all of a large catalogue takes too long."""


class _Ordered(NamedTuple):
    """The first items of an order [n], best first, and what they are ordered by [n]."""

    ordinals: Ordinals
    by: Float64s


def _trending(
    replica: TenantReplica, finds: Finds, eligible: Bools, most: int, now: float
) -> _Ordered:
    def of_all() -> Ordinals:
        return _most_trending(replica, np.arange(replica.catalogue.size), _KEPT)

    order = finds.trends.of(None, now, of_all)
    first = order[eligible[order]][:most]
    if first.size < most and order.size == _KEPT:
        # Of those that are kept most are left out; so there are few to look through.
        first = _most_trending(replica, np.flatnonzero(eligible), most)
    return _Ordered(first, replica.popularity.trends(first))


def _most_trending(replica: TenantReplica, items: Ordinals, most: int) -> Ordinals:
    """Return the first `most` of items, given ascending, that trend at all; equal ones by
    ordinal.
    """
    levels = replica.popularity.trends(items)
    trending = levels > -np.inf
    items, levels = items[trending], levels[trending]
    if items.size > most:
        # All of the last one's level stay in: which of them count is by ordinal.
        enough = levels >= -np.partition(-levels, most - 1)[most - 1]
        items, levels = items[enough], levels[enough]
    first: Ordinals = items[(-levels).argsort(kind="stable")[:most]]
    return first


def _latest(
    replica: TenantReplica, finds: Finds, eligible: Bools, most: int, now: float
) -> _Ordered:
    first = replica.catalogue.fields.newest(eligible, most, _EVER, round(now * 1e6))
    return _Ordered(first, replica.catalogue.fields.time("publish_time").us[first] / 1e6)


class Order(Enum):
    """What a list is in the order of; the value names it as a source."""

    TRENDING = "trending"
    LATEST = "latest"


_Find = Callable[[TenantReplica, Finds, Bools, int, float], _Ordered]
_ORDERS: Mapping[Order, _Find] = MappingProxyType(
    {Order.TRENDING: _trending, Order.LATEST: _latest}
)


@dataclass(frozen=True, slots=True)
class Listed:
    """A list of k items.

    by [k]: what they are ordered by; NaN: a rule put it there, it has none. ranks [k]: from 1,
    among all that the list may hold; 0: it has none. more: whether there may be a next page.
    """

    items: Ordinals
    by: Float64s
    ranks: Ordinals
    selection: Selection
    drops: Drops
    more: bool


def listed(
    drafts: Drafts,
    replica: TenantReplica,
    generation: Generation,
    surface: Surface,
    order: Order,
    wish: Wish,
    finds: Finds,
) -> Listed:
    """Return a list as a surface shapes it: nothing is left to chance.

    Utilities are log(1 / rank): so a boost by a factor divides the rank.
    """
    nobody = UserState(0, unknown=True)
    request = wish.filter.request
    eligible, drops = drafts.eligible(replica, generation, nobody, wish.filter, wish.now)
    rules = rules_on(surface, request)
    most = considered_at_most(rules, wish.count)
    if order is Order.LATEST:
        # Nor do rules bring what is to be published later.
        published = replica.catalogue.fields.time("publish_time").us[: eligible.size]
        eligible = eligible & (published <= round(wish.now * 1e6))
    first = _ORDERS[order](replica, finds, eligible, most, wish.now)
    wanted = wanted_by_rules(replica, rules, request, eligible, finds)
    ordinals = distinct(np.concatenate([first.ordinals, wanted]))
    places = ordinals.searchsorted(first.ordinals)
    by, ranks = np.full(ordinals.size, np.nan), np.zeros(ordinals.size, np.int64)
    by[places], ranks[places] = first.by, np.arange(1, places.size + 1)
    utilities = np.full(ordinals.size, np.nan)
    utilities[places] = -np.log(ranks[places])
    without_chance = replace(surface, exploration=NO_EXPLORATION)
    selection = selected(
        drafts, replica, generation, without_chance, rules, wish, ordinals, utilities
    )
    shown = selection.places
    return Listed(
        ordinals[shown], by[shown], ranks[shown], selection, drops, shown.size == wish.count
    )
