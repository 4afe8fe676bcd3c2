"""How a slate of a surface is made: one function, stage by stage.

filters -> candidates (the sources of every slate, and those that the surface or the caller asks
for) -> scorer -> selector (rules, diversity, exploration). Which slots that makes on the wire, and
why each is there, is for others to say.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from services.common.arrays import NO_ORDINALS, Bools, Float64s, Ordinals
from services.common.runs import distinct
from services.common.surfaces.defaults import SOURCE_QUOTA
from services.common.surfaces.sources import BASE, GIVEN, NEW, SIMILAR, TRENDING
from services.ranker.domain.eligibility import Drops, ItemFilter
from services.ranker.domain.generation import Generation
from services.ranker.domain.selection.policies import Thompson
from services.ranker.domain.selection.pool import Pool
from services.ranker.domain.selection.select import select
from services.ranker.domain.selection.selection import Selection
from services.ranker.domain.surface.configured import AtMost, Cap, Rule, Source, Surface
from services.ranker.domain.surface.drafts import Draft, Drafts
from services.ranker.domain.surface.planning import plan_of, rules_on, wanted_by_rules
from services.ranker.domain.surface.sources.kept import Finds
from services.ranker.domain.surface.sources.new_items import new_items
from services.ranker.domain.surface.sources.similar import resembled_item, similar
from services.ranker.domain.surface.sources.trending import trending
from services.ranker.domain.tenant_replica import TenantReplica
from services.ranker.domain.user_state import UserState

_NOT_ASKED_FOR = Source(quota=0)
_CLOSEST = 1e-9
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
    priors: Float64s | None = None
    last_slates: Sequence[Ordinals] = ()


@dataclass(frozen=True, slots=True)
class Shaped:
    """A slate that was selected of a draft.

    considered: candidates of the draft that were selected from, ascending; what the selection says
    is of these. utilities: of these, before boosts. places: candidates of the draft that are the
    slate. proposed: what each other source proposed, best first. failed: sources that took too
    long. new: of those considered, which ones the share of new items is for. deviations: float64
    [draws, considered], of Thompson sampling.
    """

    draft: Draft
    considered: Ordinals
    places: Ordinals
    selection: Selection
    drops: Drops
    proposed: Mapping[str, Ordinals]
    failed: tuple[str, ...]
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
    proposed, failed = _proposed(replica, generation, user, surface, wish, eligible, finds, clock)
    wanted = wanted_by_rules(replica, rules, request, eligible)
    others = distinct(np.concatenate([wanted, *proposed.values()]))
    draft = drafts.draft(
        replica, generation, user, eligible, others if others.size else None,
        wish.count, wish.now, surface.outcome_weights,
    )  # fmt: skip
    ordinals = draft.ordinals
    scores = draft.scores()
    utilities = log_odds(scores, draft.weights)
    _weigh_sources(surface, draft, proposed, ordinals, utilities)
    _add_priors(wish, ordinals, utilities)
    new = None
    if surface.exploration.new_share > 0:
        new = replica.popularity.counts(ordinals) < surface.new_item_events
    most = considered_at_most(rules, wish.count)
    considered = _considered(utilities, most, ordinals.searchsorted(wanted), new)
    new = None if new is None else new[considered]
    deviations = _deviations(replica, generation, surface, draft, considered, wish.seed)
    selection = selected(
        replica,
        generation,
        surface,
        rules,
        wish,
        ordinals[considered],
        utilities[considered],
        new,
        deviations,
    )
    return Shaped(
        draft, considered, considered[selection.places], selection, drops, proposed, failed, scores,
        new, deviations, utilities[considered],
    )  # fmt: skip


def selected(
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
    pool = Pool(utilities, index.vectors(ordinals) if spreads else None, new, deviations)
    return select(pool, plan, wish.count, wish.seed)


def considered_at_most(rules: Sequence[Rule], count: int) -> int:
    """Return how many of the best candidates may be in a slate of `count`.

    The best may all be of one seller: where rules bar items, those behind them are needed.
    """
    barred = any(isinstance(rule, AtMost | Cap) for rule in rules)
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


def _considered(utilities: Float64s, most: int, wanted: Ordinals, new: Bools | None) -> Ordinals:
    """Return candidates that may be in the slate: the best `most`, what rules ask for, and what is
    new where that has a share; of too many, what rules ask for stays, and then the best.
    """
    if utilities.size <= most:
        return np.arange(utilities.size)
    worth = np.where(np.isnan(utilities), -np.inf, utilities)
    chosen = np.zeros(utilities.size, np.bool_)
    chosen[np.argpartition(-worth, most)[:most]] = True
    chosen[wanted] = True
    if new is not None:
        chosen |= new
    considered: Ordinals = chosen.nonzero()[0]
    if considered.size > _MOST_CONSIDERED:
        worth[wanted] = np.inf
        best = np.argpartition(-worth[considered], _MOST_CONSIDERED)[:_MOST_CONSIDERED]
        considered = np.sort(considered[best])
    return considered


def log_odds(scores: Float64s, weights: Float64s) -> Float64s:
    """Return scores [n] as log odds: where between the least and the most that weights [outcomes]
    allow.
    """
    least, most = float(np.minimum(weights, 0).sum()), float(np.maximum(weights, 0).sum())
    if most <= least:
        return np.where(np.isnan(scores), np.nan, 0.0)
    share = np.clip((scores - least) / (most - least), _CLOSEST, 1.0 - _CLOSEST)
    odds: Float64s = np.log(share / (1.0 - share))
    return odds


def _proposed(
    replica: TenantReplica,
    generation: Generation,
    user: UserState,
    surface: Surface,
    wish: Wish,
    eligible: Bools,
    finds: Finds,
    clock: Callable[[], float],
) -> tuple[dict[str, Ordinals], tuple[str, ...]]:
    """Return what sources beside those of every slate propose, and which of them are too late."""
    latest = user.positive["item"]
    index = replica.spaces[generation.generation_id].index
    resembled = resembled_item(index, replica.catalogue.listed(), latest)
    now, below = wish.now, surface.new_item_events
    by_name: dict[str, Callable[[int], Ordinals]] = {
        TRENDING: lambda quota: trending(replica, finds, latest, eligible, quota, now),
        NEW: lambda quota: new_items(replica, finds, eligible, quota, below, now),
        SIMILAR: lambda quota: similar(index, finds, resembled, eligible, quota, now),
    }
    proposed: dict[str, Ordinals] = {}
    failed: list[str] = []
    for name, source in by_name.items():
        setting = surface.sources.get(name, _NOT_ASKED_FOR)
        quota = SOURCE_QUOTA if setting.quota is None else setting.quota
        if quota == 0:
            continue
        began = clock()
        found = source(quota)
        if setting.limit_seconds is not None and clock() - began > setting.limit_seconds:
            failed.append(name)
        else:
            proposed[name] = found
    given = surface.sources.get(GIVEN, Source()).quota
    if wish.given.size and given != 0:
        proposed[GIVEN] = wish.given[eligible[wish.given]][:given]
    return proposed, tuple(failed)


def _weigh_sources(
    surface: Surface,
    draft: Draft,
    proposed: Mapping[str, Ordinals],
    ordinals: Ordinals,
    utilities: Float64s,
) -> None:
    """Apply quotas of the sources of every slate, and weights of what one source alone proposed.

    What is beyond all quotas comes last; it stays, so that no slate is short for it.
    """
    if not surface.sources:
        return
    ranks = draft.ranks()
    lists = np.zeros((len(BASE) + len(proposed), ordinals.size), np.bool_)
    weights = np.ones(lists.shape[0])
    for row, name in enumerate(BASE):
        setting = surface.sources.get(name, Source())
        quota = np.iinfo(np.int32).max if setting.quota is None else setting.quota
        lists[row] = (ranks[row] > 0) & (ranks[row] <= quota)
        weights[row] = setting.weight
    for row, (name, found) in enumerate(proposed.items(), len(BASE)):
        lists[row, ordinals.searchsorted(found)] = True
        weights[row] = surface.sources.get(name, Source()).weight
    times = lists.sum(axis=0)
    alone = times == 1
    utilities[alone] += np.log(weights)[lists[:, alone].argmax(axis=0)]
    utilities[(times == 0) & ranks.any(axis=0)] = np.nan


def _add_priors(wish: Wish, ordinals: Ordinals, utilities: Float64s) -> None:
    if wish.priors is None or not wish.given.size:
        return
    places = ordinals.searchsorted(wish.given)
    there = places < ordinals.size
    there[there] = ordinals[places[there]] == wish.given[there]
    utilities[places[there]] += wish.priors[there]
