"""How a slate is made."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from typing import NamedTuple

import numpy as np

from services.common.arrays import Float32s, Float64s, Ordinals
from services.common.ranking.candidates import POOL, Candidates, beside, gather
from services.common.ranking.features import features_of
from services.common.ranking.scorer import scores_or_nan
from services.common.ranking.signals import Signals
from services.common.ranking.sources.popularity import PopularitySource
from services.common.ranking.sources.rules import RuleSource
from services.common.ranking.sources.source import Source
from services.common.ranking.sources.vector import VectorSource
from services.ranker.domain.catalogue import Catalogue
from services.ranker.domain.degradation import Degradation
from services.ranker.domain.eligibility import Drops, ItemFilter, eligible_items
from services.ranker.domain.generation import Generation
from services.ranker.domain.outcome_blend import NO_OVERRIDES, blend, probabilities, weights_of
from services.ranker.domain.reasons import Reason, reasons_of
from services.ranker.domain.scorer_head import ScorerHead
from services.ranker.domain.shown_columns import MAX_LOGGED, ShownColumns
from services.ranker.domain.tenant_replica import TenantReplica
from services.ranker.domain.user_state import UserState

POLICY = "greedy-1"
MAX_POOL = 1000
_RANK = attrgetter("rank")


class SourceScore(NamedTuple):
    """A source that proposed an item: its score in the source's own unit, and rank from 1."""

    source: str
    score: float
    rank: int


class Slot(NamedTuple):
    """One item of a slate. `sources`: strongest first."""

    item_id: str
    score: float
    sources: tuple[SourceScore, ...]
    reason: Reason
    propensity: float = 1.0


@dataclass(frozen=True, slots=True)
class Slate:
    """Slots, best first, and how they came about; `shown`: what is logged of them."""

    slots: tuple[Slot, ...]
    drops: Drops
    degradations: tuple[Degradation, ...]
    shown: ShownColumns = field(compare=False)


def make_slate(
    replica: TenantReplica,
    generation: Generation,
    user: UserState,
    count: int,
    wanted: ItemFilter,
    now: float,
    weights: Mapping[str, float] = NO_OVERRIDES,
) -> Slate:
    """Return the best `count` (1..1000) items for a user at `now` (unix seconds).

    `weights`: of outcomes by name, where they differ from the generation's.
    Deterministic: the same state, user and time give the same slate.
    """
    eligible, drops = eligible_items(replica, user, wanted, now)
    view = view_of(replica, generation, user, now)
    candidates = gather(view.sources, eligible, pool_of(count), count)
    scored = score(replica, generation, view, candidates, weights)
    best = _best_first(scored.scores)[:count]
    slots = _slots(replica, view, candidates, scored.scores, best)
    return Slate(slots, drops, _degradations(view, scored.scores), scored.shown(best))


def slate_of(
    replica: TenantReplica,
    view: "View",
    candidates: Candidates,
    scored: "Scored",
    places: Ordinals,
) -> Slate:
    """Return the slate of candidates at these places, in this order, without drops."""
    slots = _slots(replica, view, candidates, scored.scores, places)
    return Slate(slots, Drops(), _degradations(view, scored.scores[places]), scored.shown(places))


def rank_items(
    replica: TenantReplica,
    generation: Generation,
    user: UserState,
    item_ids: Sequence[str],
    count: int,
    wanted: ItemFilter,
    now: float,
    weights: Mapping[str, float] = NO_OVERRIDES,
) -> tuple[Slate, list[str]]:
    """Return given, distinct items in the order that a slate has, and those left unranked.

    The slate is the one that `make_slate` makes from the same arguments. Items that it would not
    choose from are scored as if they stood beside those it does. Unranked, in the order given:
    unknown, deleted, expired and unavailable items.
    """
    asked, unranked = rankable(replica.catalogue, item_ids, now)
    view = view_of(replica, generation, user, now)
    eligible, drops = eligible_items(replica, user, wanted, now)
    usual = gather(view.sources, eligible, pool_of(count), count)
    candidates = beside(view.sources, usual, asked, pool_of(count))
    scored = score(replica, generation, view, candidates, weights)
    best = _best_first(scored.scores)
    best = best[np.isin(candidates.ordinals[best], asked)]
    slots = _slots(replica, view, candidates, scored.scores, best)
    slate = Slate(slots, drops, _degradations(view, scored.scores[best]), scored.shown(best))
    return slate, unranked


def pool_of(count: int) -> int:
    """Return how many items each source proposes for a slate of `count`."""
    return min(max(POOL, count), MAX_POOL)


def rankable(
    catalogue: Catalogue, item_ids: Sequence[str], now: float
) -> tuple[Ordinals, list[str]]:
    """Return the ordinals of those items that can be ranked at `now`, and the ids of others."""
    servable = catalogue.servable(now)
    found = [(item_id, catalogue.find(item_id)) for item_id in item_ids]
    ranked = [place for _, place in found if place is not None and servable[place]]
    unranked = [id_ for id_, place in found if place is None or not servable[place]]
    return np.array(ranked, dtype=np.int64), unranked


@dataclass(frozen=True, slots=True)
class View:
    """What one user looks like to the sources."""

    vector: VectorSource
    rules: RuleSource
    popularity: PopularitySource
    signals: Signals
    other_generation: bool

    @property
    def sources(self) -> tuple[Source, ...]:
        """Return what proposes items."""
        return (self.vector, self.rules, self.popularity)


def view_of(replica: TenantReplica, generation: Generation, user: UserState, now: float) -> View:
    """Return what a user looks like to the sources at `now` (unix seconds)."""
    space = replica.spaces[generation.generation_id]
    vector = space.user_vector(user, replica.catalogue.listed())
    positive = user.positive
    items, times = positive["item"], positive["time"]
    rules = RuleSource(replica.rules, replica.popularity, items, times)
    return View(
        VectorSource(space.index, vector),
        rules,
        PopularitySource(replica.popularity, now),
        Signals(replica.popularity, rules, replica.catalogue.content, times, now),
        other_generation=vector is None and user.put is not None,
    )


@dataclass(frozen=True, slots=True)
class Scored:
    """Scores [n] that the order follows, and what they came from."""

    scores: Float64s
    features: Float32s
    raw: Float32s
    logits: Float64s
    head: ScorerHead | None

    def shown(self, best: Ordinals) -> ShownColumns:
        """Return what is logged of the items at these places, best first."""
        first = best[:MAX_LOGGED]
        logits = self.logits[first]
        predicted = logits if self.head is None else self.head.at_places(logits)
        return ShownColumns(
            first.size,
            self.raw[first],
            probabilities(predicted).astype(np.float32),
            self.features[first],
        )


def score(
    replica: TenantReplica,
    generation: Generation,
    view: View,
    candidates: Candidates,
    overrides: Mapping[str, float],
) -> Scored:
    """Return scores: outcomes by weight."""
    counts = replica.popularity.counts(candidates.ordinals)
    features = features_of(candidates, view.signals, counts, len(generation.scorer.features))
    raw = scores_or_nan(generation.scorer, features)
    head = replica.head
    if head is not None and head.generation_id != generation.generation_id:
        head = None
    logits = raw.astype(np.float64) if head is None else head.logits(raw, features)
    outcomes = generation.scorer.outcomes
    weights = weights_of(outcomes, generation.outcome_weights(), overrides)
    return Scored(blend(logits, weights), features, raw, logits, head)


def _best_first(scores: Float64s) -> Ordinals:
    """Return places, largest score first, equal scores by ordinal, NaN last."""
    order: Ordinals = (-scores).argsort(kind="stable")
    return order


def _slots(
    replica: TenantReplica,
    view: View,
    candidates: Candidates,
    scores: Float64s,
    best: Ordinals,
) -> tuple[Slot, ...]:
    ordinals = candidates.ordinals[best]
    ranks = candidates.ranks[:, best]
    source_scores = _source_scores(view.sources, candidates.scores[:, best], ranks)
    reasons = reasons_of(replica.catalogue, view.rules, ordinals, ranks)
    return tuple(
        Slot(replica.catalogue.item_id(ordinal), score, sources, reason)
        for ordinal, score, sources, reason in zip(
            ordinals.tolist(), scores[best].tolist(), source_scores, reasons, strict=True
        )
    )


def _source_scores(
    sources: Sequence[Source], scores: Float64s, ranks: Ordinals
) -> list[tuple[SourceScore, ...]]:
    """Return per item the sources that proposed it, by rank; of equal ranks in their order."""
    names = [source.name for source in sources]
    return [
        tuple(
            sorted(
                (
                    SourceScore(name, score, rank)
                    for name, score, rank in zip(names, item_scores, item_ranks, strict=True)
                    if rank
                ),
                key=_RANK,
            )
        )
        for item_scores, item_ranks in zip(scores.T.tolist(), ranks.T.tolist(), strict=True)
    ]


def _degradations(view: View, scores: Float64s) -> tuple[Degradation, ...]:
    found = []
    if view.other_generation:
        found.append(Degradation.VECTOR_OF_OTHER_GENERATION)
    if np.isnan(scores).any():
        found.append(Degradation.SCORER_NOT_FINITE)
    return tuple(found)
