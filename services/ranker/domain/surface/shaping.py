"""How a slate of a surface is made: one function, stage by stage.

filters -> candidates (the sources of every slate, and those that the surface or the caller asks
for) -> scorer -> selector (rules, diversity, exploration). Which slots that makes on the wire, and
why each is there, is for others to say.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from services.common.arrays import NO_ORDINALS, Bools, Float64s, Ordinals
from services.common.surfaces.defaults import SOURCE_QUOTA
from services.common.surfaces.sources import GIVEN, NEW, SIMILAR, TRENDING
from services.ranker.domain.eligibility import Drops, ItemFilter
from services.ranker.domain.generation import Generation
from services.ranker.domain.item_index import ItemIndex
from services.ranker.domain.selection.policies import Thompson
from services.ranker.domain.selection.pool import Pool, Vectors
from services.ranker.domain.selection.selection import Selection
from services.ranker.domain.surface.configured import AtMost, Cap, Rule, Source, Surface
from services.ranker.domain.surface.drafts import Draft, Drafts
from services.ranker.domain.surface.planning import plan_of, rules_on, wanted_by_rules
from services.ranker.domain.surface.sources.kept import Finds
from services.ranker.domain.surface.sources.new_items import new_items
from services.ranker.domain.surface.sources.similar import resembled_item, similar
from services.ranker.domain.surface.sources.trending import trending
from services.ranker.domain.surface.weighing import source_weights
from services.ranker.domain.tenant_replica import TenantReplica
from services.ranker.domain.user_state import UserState

_NOT_ASKED_FOR = Source(quota=0)
NO_PRIORS: Float64s = np.empty(0)
_CONSIDERED = 200
_MOST_CONSIDERED = 4000
"""What the log of a decision takes."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What one request wants of a surface's slate.

    given: the caller's candidates [m], ordinals, each once, with priors [m]. last_slates: what the
    user was shown on this surface, newest first. seed: 0..2^64 - 1.
    """

    count: int
    filter: ItemFilter
    now: float
    seed: int
    given: Ordinals = field(default_factory=lambda: NO_ORDINALS)
    priors: Float64s = field(default_factory=lambda: NO_PRIORS)
    last_slates: Sequence[Ordinals] = ()


class Shaped(NamedTuple):
    """A slate that was selected of a draft.

    considered: candidates of the draft that were selected from, ascending; what the selection says
    is of these. utilities: of these, before boosts. places: candidates of the draft that are the
    slate. proposed: what each other source proposed, best first. resembled: the item that what is
    similar is so to. failed: sources that did, by what; None: too late. new: of those considered,
    which ones the share of new items is for. deviations: float64 [draws, considered], of Thompson
    sampling.
    """

    draft: Draft
    considered: Ordinals
    places: Ordinals
    selection: Selection
    drops: Drops
    proposed: Mapping[str, Ordinals]
    resembled: int | None
    failed: Mapping[str, Exception | None]
    scores: Float64s
    new: Bools | None
    deviations: Float64s | None
    utilities: Float64s


def shaped_slate(
    drafts: Drafts,
    replica: TenantReplica,
    generation: Generation,
    user: UserState,
    surface: Surface,
    wish: Wish,
    finds: Finds,
    clock: Callable[[], float],
) -> Shaped:
    """Return the slate of a surface for a user. `finds`: of the replica's sources, kept between
    slates. `clock`: seconds, for the limits of sources.
    """
    request = wish.filter.request
    eligible, drops = drafts.eligible(replica, generation, user, wish.filter, wish.now)
    rules = rules_on(surface, request)
    latest = user.positive_items
    index = replica.spaces[generation.generation_id].index
    resembled = resembled_item(index, replica.catalogue.listed(), latest)
    proposed, failed = _proposed(
        drafts, replica, index, latest, resembled, surface, wish, eligible, finds, clock
    )
    wanted = wanted_by_rules(replica, rules, request, eligible, finds)
    others = np.concatenate([wanted, *proposed.values()])
    draft = drafts.draft(
        replica, generation, user, eligible, others if others.size else None,
        wish.count, wish.now, surface.outcome_weights,
    )  # fmt: skip
    ordinals = draft.ordinals
    scores, utilities = draft.weighed(source_weights(surface, proposed), wish.given, wish.priors)
    new = None
    if surface.exploration.new_share > 0:
        new = replica.popularity.counts(ordinals) < surface.new_item_events
    most = considered_at_most(rules, wish.count)
    considered = _considered(utilities, most, ordinals, wanted, new)
    new = None if new is None else new[considered]
    deviations = _deviations(replica, generation, surface, draft, considered, wish.seed)
    of_considered = utilities.take(considered)
    selection = selected(
        drafts,
        replica,
        generation,
        surface,
        rules,
        wish,
        ordinals.take(considered),
        of_considered,
        new,
        deviations,
    )
    return Shaped(
        draft, considered, considered[selection.places], selection, drops, proposed, resembled,
        failed, scores, new, deviations, of_considered,
    )  # fmt: skip


def selected(
    drafts: Drafts,
    replica: TenantReplica,
    generation: Generation,
    surface: Surface,
    rules: Sequence[Rule],
    wish: Wish,
    ordinals: Ordinals,
    utilities: Float64s,
    new: Bools | None = None,
    deviations: Float64s | None = None,
) -> Selection:
    """Return what rules, diversity and exploration of a surface make of candidates `ordinals` [n].

    new [n]: which ones the share of new items is for; None: none. deviations [m, n]: by how much
    utilities were drawn above.
    """
    plan = plan_of(replica, surface, rules, wish.filter.request, ordinals, wish.last_slates)
    index = replica.spaces[generation.generation_id].index
    spreads = surface.diversity is not None and surface.diversity.strength > 0
    pool = Pool(utilities, Vectors(*index.table(), ordinals) if spreads else None, new, deviations)
    return drafts.select(pool, plan, wish.count, wish.seed)


def considered_at_most(rules: Sequence[Rule], count: int) -> int:
    """Return how many of the best candidates may be in a slate of `count`.

    The best may all be of one seller: where rules bar items, those behind them are needed.
    """
    barred = any(isinstance(rule, (AtMost, Cap)) for rule in rules)
    return _MOST_CONSIDERED if barred else max(_CONSIDERED, 3 * count)


def _deviations(
    replica: TenantReplica,
    generation: Generation,
    surface: Surface,
    draft: Draft,
    considered: Ordinals,
    seed: int,
) -> Float64s | None:
    """Return by how much utilities are drawn above, where a surface asks for that and it is known
    how sure they are.
    """
    policy, posterior = surface.exploration.policy, replica.order_posterior
    if not isinstance(policy, Thompson) or posterior is None:
        return None
    if posterior.generation_id != generation.generation_id:
        return None
    return posterior.draws(draft.features[considered], policy.scale, seed)


def _considered(
    utilities: Float64s, most: int, ordinals: Ordinals, wanted: Ordinals, new: Bools | None
) -> Ordinals:
    """Return candidates that may be in the slate: the best `most`, what rules ask for, and what is
    new where that has a share; of too many, what rules ask for stays, and then the best.
    """
    if utilities.size <= most:
        return np.arange(utilities.size)
    places = ordinals.searchsorted(wanted)
    worth = np.where(np.isnan(utilities), -np.inf, utilities)
    chosen = np.zeros(utilities.size, np.bool_)
    chosen[np.argpartition(-worth, most)[:most]] = True
    chosen[places] = True
    if new is not None:
        chosen |= new
    considered: Ordinals = chosen.nonzero()[0]
    if considered.size > _MOST_CONSIDERED:
        worth[places] = np.inf
        best = np.argpartition(-worth[considered], _MOST_CONSIDERED)[:_MOST_CONSIDERED]
        considered = np.sort(considered[best])
    return considered


def _proposed(
    drafts: Drafts,
    replica: TenantReplica,
    index: ItemIndex,
    latest: Ordinals,
    resembled: int | None,
    surface: Surface,
    wish: Wish,
    eligible: Bools,
    finds: Finds,
    clock: Callable[[], float],
) -> tuple[dict[str, Ordinals], dict[str, Exception | None]]:
    """Return what sources beside those of every slate propose, and which of them failed, by what;
    None: they took too long.
    """
    now, below = wish.now, surface.new_item_events
    by_name: dict[str, Callable[[int], Ordinals]] = {
        TRENDING: lambda quota: trending(
            replica, finds, drafts.merged, latest, eligible, quota, now
        ),
        NEW: lambda quota: new_items(replica, finds, eligible, quota, below, now),
        SIMILAR: lambda quota: similar(index, finds, resembled, eligible, quota, now),
    }
    proposed: dict[str, Ordinals] = {}
    failed: dict[str, Exception | None] = {}
    for name, source in by_name.items():
        setting = surface.sources.get(name, _NOT_ASKED_FOR)
        quota = SOURCE_QUOTA if setting.quota is None else setting.quota
        if quota == 0:
            continue
        began = clock()
        try:
            found = source(quota)
        except Exception as error:  # a slate without one of its sources is better than none
            failed[name] = error
            continue
        if setting.limit_seconds is not None and clock() - began > setting.limit_seconds:
            failed[name] = None
        else:
            proposed[name] = found
    given = surface.sources.get(GIVEN, Source()).quota
    if wish.given.size and given != 0:
        proposed[GIVEN] = wish.given[eligible[wish.given]][:given]
    return proposed, failed
