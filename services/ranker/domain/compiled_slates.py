"""Slates made by the compiled core: `slate` is their twin in NumPy, and says what is computed.

The core does what lies between retrieval and scorer, and after it. It touches little memory and
makes no objects, as most of a slate's time goes into reaching both.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from services.common.arrays import NO_ORDINALS, Bools, Float32s, Float64s, Ordinals
from services.common.compiled_core import CompiledCore
from services.common.ranking.features import FEATURES
from services.common.ranking.scorer import Scorer, scores_or_nan
from services.ranker.domain.degradation import Degradation
from services.ranker.domain.eligibility import (
    Drops,
    ItemFilter,
    keep_categories,
    keep_wanted,
)
from services.ranker.domain.encoded_slate import EncodedSlate
from services.ranker.domain.generation import Generation
from services.ranker.domain.outcome_blend import weights_of
from services.ranker.domain.selection.compiled_select import compiled_select
from services.ranker.domain.selection.plan import Plan
from services.ranker.domain.selection.pool import Pool
from services.ranker.domain.selection.selection import Selection
from services.ranker.domain.slate import pool_of, rankable
from services.ranker.domain.surface.drafts import NO_OTHER_SOURCES, OtherSources
from services.ranker.domain.surface.weighing import SourceWeights
from services.ranker.domain.tenant_replica import TenantReplica
from services.ranker.domain.user_state import UserState

if TYPE_CHECKING:
    from harken_native import _core

SLOTS_OF_RECOMMEND = 2
SLOTS_OF_RANK = 1
"""Numbers of the field `slots` in RecommendResponse and in RankResponse."""
_ROOM = 10_000
"""More than there can be candidates: three sources of a thousand, a thousand each of three others
and of the caller, and 50 each of the 50 rules of a surface."""


@dataclass(slots=True)
class CompiledDraft:
    """Candidates of one slate, weighed; good until its maker begins the next one. See Draft."""

    _draft: _core.SlateDraft
    ordinals: Ordinals
    features: Float32s
    raw: Float32s
    weights: Float64s
    head: Float64s | None
    _item_ids: list[str]
    _listed: Bools
    _other_generation: bool

    def weighed(
        self, sources: SourceWeights | None, given: Ordinals, priors: Float64s
    ) -> tuple[Float64s, Float64s]:
        """See Draft."""
        scores, utilities = np.empty((2, self.ordinals.size))
        self._draft.weigh(
            self.raw, self.weights, self.head, self.features,
            None if sources is None else (sources.quotas, sources.weights, sources.lists),
            given, priors, scores, utilities,
        )  # fmt: skip
        return scores, utilities

    def finished(
        self,
        count: int,
        field: int,
        logged: bool,
        places: Ordinals | None = None,
        propensities: Float64s | None = None,
        others: OtherSources = NO_OTHER_SOURCES,
        beside: list[bytes] | None = None,
    ) -> EncodedSlate:
        """See Draft; without places: the best `count`."""
        slots, items, finite, shown = self._draft.finish(
            self.raw, self.weights, self.head, self.features, self._item_ids, self._listed, count,
            field, logged, places, propensities, others.lists, others.alike(),
            -1 if others.resembled is None else others.resembled, beside,
        )  # fmt: skip
        degradations = []
        if self._other_generation:
            degradations.append(Degradation.VECTOR_OF_OTHER_GENERATION)
        if not finite:
            degradations.append(Degradation.SCORER_NOT_FINITE)
        return EncodedSlate(slots, items, Drops(), tuple(degradations), shown or b"")


class CompiledSlates:
    """Makes slates for one event loop, one after the other."""

    def __init__(self, core: CompiledCore) -> None:
        self._draft = core.SlateDraft()
        self._selector = core.PlaceSelector()
        self._weighed: tuple[Generation, Mapping[str, float], Float64s] | None = None
        # Memory of the slate before is warm.
        self._ordinals: Ordinals = np.empty(_ROOM, np.int64)
        self._eligible: Bools = np.empty(0, np.bool_)
        self._features = np.zeros(_ROOM * len(FEATURES), np.float32)
        self._scored: Float32s = np.empty((_ROOM, 1), np.float32)

    def recommend(
        self,
        replica: TenantReplica,
        generation: Generation,
        user: UserState,
        count: int,
        wanted: ItemFilter,
        now: float,
        weights: Mapping[str, float],
        logged: bool,
    ) -> EncodedSlate:
        """See SlateMaker."""
        return self._made(
            replica, generation, user, None, count, wanted, now, weights, SLOTS_OF_RECOMMEND, logged
        )

    def rank(
        self,
        replica: TenantReplica,
        generation: Generation,
        user: UserState,
        item_ids: Sequence[str],
        count: int,
        wanted: ItemFilter,
        now: float,
        weights: Mapping[str, float],
    ) -> tuple[EncodedSlate, list[str]]:
        """See SlateMaker."""
        asked, unranked = rankable(replica.catalogue, item_ids, now)
        slate = self._made(
            replica, generation, user, asked, count, wanted, now, weights, SLOTS_OF_RANK, False
        )
        return slate, unranked

    def _made(
        self,
        replica: TenantReplica,
        generation: Generation,
        user: UserState,
        asked: Ordinals | None,
        count: int,
        wanted: ItemFilter,
        now: float,
        overrides: Mapping[str, float],
        field: int,
        logged: bool,
    ) -> EncodedSlate:
        eligible, drops = self.eligible(replica, generation, user, wanted, now)
        drafted = self.draft(replica, generation, user, eligible, asked, count, now, overrides)
        slate = drafted.finished(count if asked is None else asked.size, field, logged)
        return slate._replace(drops=drops)

    def eligible(
        self,
        replica: TenantReplica,
        generation: Generation,
        user: UserState,
        wanted: ItemFilter,
        now: float,
    ) -> tuple[Bools, Drops]:
        """See Drafts."""
        index = replica.spaces[generation.generation_id].index
        serving = index.held() if replica.index is index else replica.index.held()
        return self._chosen_from(replica, serving, user, wanted, now)

    def draft(
        self,
        replica: TenantReplica,
        generation: Generation,
        user: UserState,
        eligible: Bools,
        others: Ordinals | None,
        count: int,
        now: float,
        overrides: Mapping[str, float],
    ) -> CompiledDraft:
        """See Drafts."""
        draft, catalogue, popularity = self._draft, replica.catalogue, replica.popularity
        space = replica.spaces[generation.generation_id]
        index = space.index
        listed = catalogue.listed()
        vector = space.user_vector(user, listed)
        pool = pool_of(count)
        popularity.refresh_order()
        candidates = draft.gather(
            user.recent,
            replica.rules.targets,
            replica.rules.weights,
            popularity.table,
            popularity.order,
            popularity.touched,
            popularity.is_touched,
            eligible,
            NO_ORDINALS if vector is None else index.search(vector, eligible, pool)[0],
            others,
            pool,
            count,
            now,
            now / popularity.half_life_seconds,
            self._ordinals,
        )
        columns = len(generation.scorer.features)
        features = self._features[: candidates * columns].reshape(candidates, columns)
        content = catalogue.content
        dots = None if vector is None else index.dots(vector, self._ordinals[:candidates])
        draft.features(
            dots,
            None if vector is None else index.held(),
            popularity.table,
            content.buckets,
            content.weights,
            features,
        )
        head = replica.head
        learned = head is not None and head.generation_id == generation.generation_id
        return CompiledDraft(
            draft,
            self._ordinals[:candidates],
            features,
            self._scores(generation.scorer, features),
            self._weights_of(generation, overrides),
            head.parameters if head is not None and learned else None,
            catalogue.item_ids(),
            listed,
            vector is None and user.put is not None,
        )

    def merged(
        self, lists: list[tuple[Ordinals, Float64s]], eligible: Bools, count: int
    ) -> Ordinals:
        """See Drafts."""
        into: Ordinals = np.empty(count, np.int64)
        return into[: self._draft.merge(lists, eligible, into)]

    def select(self, pool: Pool, plan: Plan, count: int, seed: int) -> Selection:
        """See Drafts."""
        return compiled_select(self._selector, pool, plan, count, seed)

    def _scores(self, scorer: Scorer, features: Float32s) -> Float32s:
        """As `scores_or_nan`; a matrix is multiplied here, a tenth of what it takes the runtime."""
        affine = scorer.affine
        if affine is None:
            return scores_or_nan(scorer, features)
        if self._scored.shape[1] != affine.offsets.size:
            self._scored = np.empty((_ROOM, affine.offsets.size), np.float32)
        scores = self._scored[: len(features)]
        self._draft.affine(features, *affine, scores)
        return scores

    def _weights_of(self, generation: Generation, overrides: Mapping[str, float]) -> Float64s:
        """As `outcome_blend.weights_of`; most slates are of one generation and surface."""
        last = self._weighed
        if last is None or last[0] is not generation or last[1] is not overrides:
            outcomes = generation.scorer.outcomes
            weights = weights_of(outcomes, generation.outcome_weights(), overrides)
            last = self._weighed = generation, overrides, weights
        return last[2]

    def _chosen_from(
        self, replica: TenantReplica, held: Bools, user: UserState, wanted: ItemFilter, now: float
    ) -> tuple[Bools, Drops]:
        """As `eligibility.eligible_items`."""
        catalogue, rule = replica.catalogue, wanted.seen_rule
        servable = catalogue.servable(now)
        if self._eligible.size != servable.size:
            self._eligible = np.empty(servable.size, np.bool_)
        eligible = self._eligible
        there, without_excluded, left = self._draft.eligible(
            servable,
            held,
            catalogue.find_all(wanted.excluded_item_ids)
            if wanted.excluded_item_ids
            else NO_ORDINALS,
            None if wanted.allow_seen else user.seen.entries(),
            None if rule.is_all_forever else replica.users.kinds.hides_us(rule),
            round(now * 1e6),
            eligible,
        )
        in_category = left
        if wanted.categories or wanted.excluded_categories:
            keep_categories(catalogue, eligible, wanted)
            in_category = int(np.count_nonzero(eligible))
        drops = Drops(
            unavailable=catalogue.unservable_count(now),
            excluded=there - without_excluded,
            seen=without_excluded - left,
            category=left - in_category,
        )
        return eligible, keep_wanted(
            catalogue, eligible, in_category, wanted, drops, self._draft.keep
        )
