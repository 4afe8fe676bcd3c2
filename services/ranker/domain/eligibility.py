"""Which items a slate may hold: filters, and how many items each drops.

Filters come before the sources, so no source wastes a candidate on an item that cannot be shown.
"""

from typing import NamedTuple

import numpy as np

from services.common.arrays import Bools
from services.ranker.domain.catalogue import Catalogue
from services.ranker.domain.seen_rule import ALL_FOREVER, SeenRule
from services.ranker.domain.tenant_replica import TenantReplica
from services.ranker.domain.user_state import UserState


class ItemFilter(NamedTuple):
    """What a caller wants left out. Empty `categories`: all. `seen_rule`: what counts as seen."""

    categories: tuple[str, ...] = ()
    excluded_categories: tuple[str, ...] = ()
    excluded_item_ids: tuple[str, ...] = ()
    allow_seen: bool = False
    seen_rule: SeenRule = ALL_FOREVER


class Drops(NamedTuple):
    """How many items of the catalogue each filter dropped.

    Filters run in the order unavailable, excluded, seen, category; an item counts where it is
    dropped first.
    """

    unavailable: int = 0
    excluded: int = 0
    seen: int = 0
    category: int = 0


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
    return eligible, Drops(
        unavailable=catalogue.unservable_count(now),
        excluded=remaining[0] - remaining[1],
        seen=remaining[1] - remaining[2],
        category=remaining[2] - remaining[3],
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
