"""Slates made by the compiled core: `slate` is their twin in NumPy, and says what is computed.

The core does what lies between retrieval and scorer, and after it. It touches little memory and
makes no objects, as most of a slate's time goes into reaching both.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from services.common.arrays import NO_ORDINALS, Bools, Float32s, Float64s, Ordinals
from services.common.compiled_core import CompiledCore
from services.common.ranking.features import FEATURES
from services.common.ranking.scorer import Scorer, scores_or_nan
from services.ranker.domain.degradation import Degradation
from services.ranker.domain.eligibility import Drops, ItemFilter, keep_categories
from services.ranker.domain.encoded_slate import EncodedSlate
from services.ranker.domain.generation import Generation
from services.ranker.domain.outcome_blend import weights_of
from services.ranker.domain.slate import pool_of, rankable
from services.ranker.domain.tenant_replica import TenantReplica
from services.ranker.domain.user_state import UserState

SLOTS_OF_RECOMMEND = 2
SLOTS_OF_RANK = 1
"""Numbers of the field `slots` in RecommendResponse and in RankResponse."""
_ROOM = 8192
"""More than there can be candidates: three sources of a thousand, as many to fill up or to rank."""


class CompiledSlates:
    """Makes slates for one event loop, one after the other."""

    def __init__(self, core: CompiledCore) -> None:
        self._draft = core.SlateDraft()
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
        draft, catalogue, popularity = self._draft, replica.catalogue, replica.popularity
        space = replica.spaces[generation.generation_id]
        index, held = space.index, space.index.held()
        serving = held if replica.index is index else replica.index.held()
        eligible, drops = self._chosen_from(replica, serving, user, wanted, now)
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
            asked,
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
            None if vector is None else held,
            popularity.table,
            content.buckets,
            content.weights,
            features,
        )
        head = replica.head
        learned = head is not None and head.generation_id == generation.generation_id
        slots, items, finite, shown = draft.finish(
            self._scores(generation.scorer, features),
            self._weights_of(generation, overrides),
            head.parameters if head is not None and learned else None,
            features,
            catalogue.item_ids(),
            listed,
            count if asked is None else asked.size,
            field,
            logged,
        )
        degradations = []
        if vector is None and user.put is not None:
            degradations.append(Degradation.VECTOR_OF_OTHER_GENERATION)
        if not finite:
            degradations.append(Degradation.SCORER_NOT_FINITE)
        return EncodedSlate(slots, items, drops, tuple(degradations), shown or b"")

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
        return eligible, Drops(
            unavailable=catalogue.unservable_count(now),
            excluded=there - without_excluded,
            seen=without_excluded - left,
            category=left - in_category,
        )
