"""Items that rules ask for by an expression."""

from collections import OrderedDict
from typing import NamedTuple

import numpy as np

from services.common.arrays import Bools, Ordinals
from services.common.expressions.expression import Expression
from services.common.expressions.request import Request
from services.ranker.domain.tenant_replica import TenantReplica

_POPULAR = 2000
_FIRST = 500
_MOST_KEPT = 256


class _Named(NamedTuple):
    """Items of a mask: those of the most popular ones in their order, and the first of all.

    order, mask: what it was made of. whole: whether the first are all there are.
    """

    order: Ordinals
    mask: Bools
    popular: Ordinals
    first: Ordinals
    whole: bool


class NamedItems:
    """Remembers where the items of expressions are: to look for them takes longer than a slate."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, _Named] = OrderedDict()

    def some(
        self,
        replica: TenantReplica,
        expression: Expression,
        request: Request,
        eligible: Bools,
        most: int,
    ) -> Ordinals:
        """Return at most `most` eligible items for which an expression holds, some of them twice:
        first those among the most popular ones, then any.
        """
        replica.popularity.refresh_order()
        order = replica.popularity.order
        mask = replica.catalogue.mask(expression, request)
        if expression.depends_on_request:
            return _looked_for(order, eligible & mask, most)
        kept = self._kept.get(expression.text)
        # Both are the same objects as long as nothing changed.
        if kept is None or kept.order is not order or kept.mask is not mask:
            kept = self._kept[expression.text] = _named(order, mask)
            self._kept.move_to_end(expression.text)
            if len(self._kept) > _MOST_KEPT:
                self._kept.popitem(last=False)
        popular = kept.popular[eligible.take(kept.popular)][:most]
        if popular.size == most:
            return popular
        first = kept.first[eligible.take(kept.first)][: most - popular.size]
        if kept.whole or popular.size + first.size == most:
            return np.concatenate([popular, first])
        return _looked_for(order, eligible & mask, most)


def _named(order: Ordinals, mask: Bools) -> _Named:
    top = order[:_POPULAR]
    items: Ordinals = mask.nonzero()[0]
    return _Named(order, mask, top[mask[top]], items[:_FIRST].copy(), items.size <= _FIRST)


def _looked_for(order: Ordinals, items: Bools, most: int) -> Ordinals:
    top = order[:_POPULAR]
    popular = top[items[top]][:most]
    if popular.size == most:
        return popular
    return np.concatenate([popular, items.nonzero()[0]])[:most]
