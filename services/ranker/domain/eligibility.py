"""Which items a slate may hold: filters, and how many items each drops.

Filters come before the sources, so no source wastes a candidate on an item that cannot be shown.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from services.common.arrays import NO_ORDINALS, Bools, Ordinals
from services.common.expressions.expression import Expression
from services.common.expressions.request import Request
from services.ranker.domain.catalogue import Catalogue
from services.ranker.domain.seen_rule import ALL_FOREVER, SeenRule
from services.ranker.domain.tenant_replica import TenantReplica
from services.ranker.domain.user_state import UserState

NOTHING_ASKED = Request()


class ItemFilter(NamedTuple):
    """What a surface and a caller want left out. Empty `categories`: all. `seen_rule`: what counts
    as seen. `gates`, `expression`: what holds for items that stay, given `request`. `owner`: whose
    items are left out. `shown`: items that the last slates had.
    """

    categories: tuple[str, ...] = ()
    excluded_categories: tuple[str, ...] = ()
    excluded_item_ids: tuple[str, ...] = ()
    allow_seen: bool = False
    seen_rule: SeenRule = ALL_FOREVER
    gates: tuple[Expression, ...] = ()
    owner: str = ""
    expression: Expression | None = None
    shown: Ordinals = NO_ORDINALS
    request: Request = NOTHING_ASKED

    @property
    def is_plain(self) -> bool:
        """Whether nothing but ids, what is seen and categories is looked at."""
        return not (self.gates or self.owner or self.expression or self.shown.size)


class Drops(NamedTuple):
    """How many items of the catalogue each filter dropped.

    Filters run in the order of slate.proto; an item counts where it is dropped first.
    """

    unavailable: int = 0
    excluded: int = 0
    seen: int = 0
    category: int = 0
    gate: int = 0
    own: int = 0
    expression: int = 0
    shown: int = 0


def eligible_items(
    replica: TenantReplica, user: UserState, wanted: ItemFilter, now: float
) -> tuple[Bools, Drops]:
    """Return the mask [size] of items that a slate may hold, and what was dropped."""
    catalogue = replica.catalogue
    eligible = replica.eligible(now)
    remaining = [int(np.count_nonzero(eligible))]
    eligible[catalogue.find_all(wanted.excluded_item_ids)] = False
    remaining.append(int(np.count_nonzero(eligible)))
    if not wanted.allow_seen:
        eligible[user.seen.hidden(wanted.seen_rule, replica.users.kinds, now)] = False
    remaining.append(int(np.count_nonzero(eligible)))
    keep_categories(catalogue, eligible, wanted)
    remaining.append(int(np.count_nonzero(eligible)))
    drops = Drops(
        unavailable=catalogue.unservable_count(now),
        excluded=remaining[0] - remaining[1],
        seen=remaining[1] - remaining[2],
        category=remaining[2] - remaining[3],
    )
    return eligible, keep_wanted(catalogue, eligible, remaining[3], wanted, drops)


def keep(eligible: Bools, mask: Bools) -> int:
    """Clear from `eligible` what is not in a mask; return how many are left."""
    eligible &= mask
    return int(np.count_nonzero(eligible))


def keep_wanted(
    catalogue: Catalogue,
    eligible: Bools,
    count: int,
    wanted: ItemFilter,
    drops: Drops,
    keep: Callable[[Bools, Bools], int] = keep,
) -> Drops:
    """Clear from `eligible`, of which there are `count`, what gates, owner, expression and the last
    slates leave out.

    Return `drops` with what was dropped. keep: who does it.
    """
    if wanted.is_plain:
        return drops
    gated = count
    for gate in wanted.gates:
        gated = keep(eligible, catalogue.mask(gate, wanted.request))
    others = keep(eligible, ~catalogue.owned_by(wanted.owner)) if wanted.owner else gated
    expressed = others
    if wanted.expression is not None:
        expressed = keep(eligible, catalogue.mask(wanted.expression, wanted.request))
    left = expressed
    if wanted.shown.size:
        eligible[wanted.shown] = False
        left = int(np.count_nonzero(eligible))
    return drops._replace(
        gate=count - gated,
        own=gated - others,
        expression=others - expressed,
        shown=expressed - left,
    )


def unknown_categories(catalogue: Catalogue, wanted: ItemFilter) -> list[str]:
    """Return the categories of the filter that no item has, each once, in their order."""
    named = dict.fromkeys((*wanted.categories, *wanted.excluded_categories))
    return [category for category in named if catalogue.members(category).size == 0]


def keep_categories(catalogue: Catalogue, eligible: Bools, wanted: ItemFilter) -> None:
    """Clear from `eligible` what the filter's categories leave out."""
    if wanted.categories:
        kept = np.zeros_like(eligible)
        for category in wanted.categories:
            kept[catalogue.members(category)] = True
        eligible &= kept
    for category in wanted.excluded_categories:
        eligible[catalogue.members(category)] = False
