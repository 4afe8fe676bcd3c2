"""How a slate is made."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from operator import attrgetter
from typing import NamedTuple

import numpy as np

from services.ranker.domain.arrays import Float64s, Ordinals
from services.ranker.domain.candidates import Candidates, gather, given
from services.ranker.domain.eligibility import Drops, ItemFilter, eligible_items
from services.ranker.domain.features import features_of
from services.ranker.domain.generation import Generation
from services.ranker.domain.reasons import Reason, reasons_of
from services.ranker.domain.sources.popularity import PopularitySource
from services.ranker.domain.sources.rules import RuleSource
from services.ranker.domain.sources.source import Source
from services.ranker.domain.sources.vector import VectorSource
from services.ranker.domain.tenant_replica import TenantReplica
from services.ranker.domain.user_state import UserState

POLICY = "greedy-1"
POOL = 200
MAX_POOL = 1000
_RANK = attrgetter("rank")


class Degradation(Enum):
    """What a slate lacks."""

    VECTOR_OF_OTHER_GENERATION = "vector_of_other_generation"
    SCORER_NOT_FINITE = "scorer_not_finite"


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
    """Slots, best first, and how they came about."""

    slots: tuple[Slot, ...]
    drops: Drops
    degradations: tuple[Degradation, ...]


def make_slate(
    replica: TenantReplica,
    generation: Generation,
    user: UserState,
    count: int,
    wanted: ItemFilter,
    now: float,
) -> Slate:
    """Return the best `count` (1..1000) items for a user at `now` (unix seconds).

    Deterministic: the same state, user and time give the same slate.
    """
    eligible, drops = eligible_items(replica, user, wanted, now)
    view = _view_of(replica, generation, user, now)
    pool = min(max(POOL, count), MAX_POOL)
    candidates = gather(view.sources, eligible, pool, count)
    scores = _score(replica, generation, view, candidates)
    best = _best_first(scores)[:count]
    slots = _slots(replica, view, candidates, scores, best)
    return Slate(slots, drops, _degradations(view, scores))


def rank_items(
    replica: TenantReplica,
    generation: Generation,
    user: UserState,
    item_ids: Sequence[str],
    now: float,
) -> tuple[Slate, list[str]]:
    """Return given, distinct items, scored and ordered as for a slate, and those left unranked.

    Unranked, in the order given: unknown, deleted, expired and unavailable items.
    """
    servable = replica.catalogue.servable(now)
    found = [(item_id, replica.catalogue.find(item_id)) for item_id in item_ids]
    ranked = [place for _, place in found if place is not None and servable[place]]
    unranked = [id_ for id_, place in found if place is None or not servable[place]]
    view = _view_of(replica, generation, user, now)
    candidates = given(view.sources, np.array(ranked, dtype=np.int64))
    scores = _score(replica, generation, view, candidates)
    slots = _slots(replica, view, candidates, scores, _best_first(scores))
    return Slate(slots, Drops(), _degradations(view, scores)), unranked


@dataclass(frozen=True, slots=True)
class _View:
    """What one user looks like to the sources. `cold`: nothing to be personal about."""

    vector: VectorSource
    rules: RuleSource
    popularity: PopularitySource
    cold: bool
    other_generation: bool

    @property
    def sources(self) -> tuple[Source, ...]:
        return (self.vector, self.rules, self.popularity)


def _view_of(replica: TenantReplica, generation: Generation, user: UserState, now: float) -> _View:
    other_generation = user.vector is not None and user.generation_id != generation.generation_id
    vector = None if other_generation else user.vector
    positive = user.recent[user.recent["weight"] > 0][::-1]
    return _View(
        VectorSource(replica.index, vector),
        RuleSource(replica.rules, replica.popularity, positive["item"], positive["time"]),
        PopularitySource(replica.popularity, now),
        cold=vector is None and positive.size == 0,
        other_generation=other_generation,
    )


def _score(
    replica: TenantReplica, generation: Generation, view: _View, candidates: Candidates
) -> Float64s:
    """Return the score [n] that the order follows: the first outcome; popularity when cold."""
    if view.cold:
        popularity: Float64s = candidates.scores[view.sources.index(view.popularity)]
        return popularity
    features = features_of(candidates, replica.popularity.counts(candidates.ordinals))
    scores: Float64s = generation.scorer.scores(features)[:, 0].astype(np.float64)
    return scores


def _best_first(scores: Float64s) -> Ordinals:
    """Return places, largest score first, equal scores by ordinal, NaN last."""
    return np.argsort(-scores, kind="stable")


def _slots(
    replica: TenantReplica,
    view: _View,
    candidates: Candidates,
    scores: Float64s,
    best: Ordinals,
) -> tuple[Slot, ...]:
    ordinals = candidates.ordinals[best]
    ranks = candidates.ranks(ordinals)
    source_scores = _source_scores(view.sources, candidates.scores[:, best], ranks)
    reasons = reasons_of(replica.catalogue, view.rules, ordinals, ranks)
    # The decayed sum itself, 0 for never popular, reads better than its logarithm.
    shown = np.exp2(scores[best]) if view.cold else scores[best]
    return tuple(
        Slot(replica.catalogue.item_id(ordinal), score, sources, reason)
        for ordinal, score, sources, reason in zip(
            ordinals.tolist(), shown.tolist(), source_scores, reasons, strict=True
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


def _degradations(view: _View, scores: Float64s) -> tuple[Degradation, ...]:
    found = []
    if view.other_generation:
        found.append(Degradation.VECTOR_OF_OTHER_GENERATION)
    if np.isnan(scores).any():
        found.append(Degradation.SCORER_NOT_FINITE)
    return tuple(found)
