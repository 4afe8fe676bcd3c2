"""Slates made with NumPy, and written by protobuf's own classes: where no core is compiled."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from harken.ranker.v1 import ranker_service_pb2 as pb
from harken.ranker.v1 import slate_pb2
from services.common.arrays import Bools, Float32s, Float64s, Ordinals
from services.common.ranking.candidates import Candidates, beside, gather
from services.common.surfaces.sources import SIMILAR
from services.ranker.domain.eligibility import Drops, ItemFilter, eligible_items
from services.ranker.domain.encoded_slate import EncodedSlate
from services.ranker.domain.generation import Generation
from services.ranker.domain.outcome_blend import blend, weights_of
from services.ranker.domain.selection.plan import Plan
from services.ranker.domain.selection.pool import Pool
from services.ranker.domain.selection.select import select
from services.ranker.domain.selection.selection import Selection
from services.ranker.domain.slate import (
    Scored,
    Slate,
    View,
    make_slate,
    pool_of,
    rank_items,
    score,
    slate_of,
    view_of,
)
from services.ranker.domain.surface.drafts import NO_OTHER_SOURCES, OtherSources
from services.ranker.domain.surface.sources.merging import merged
from services.ranker.domain.surface.weighing import (
    SourceWeights,
    add_priors,
    log_odds,
    weigh_sources,
)
from services.ranker.domain.tenant_replica import TenantReplica
from services.ranker.domain.user_state import UserState
from services.ranker.slate_conversion import logged_columns, nested, slot_messages


class NumpySlates:
    """The reference for what the compiled core makes."""

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
        slate = make_slate(replica, generation, user, count, wanted, now, weights)
        slots = pb.RecommendResponse(slots=slot_messages(slate.slots)).SerializeToString()
        columns = logged_columns(slate).SerializeToString() if logged else b""
        return _encoded(slate, slots, columns)

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
        slate, unranked = rank_items(
            replica, generation, user, item_ids, count, wanted, now, weights
        )
        slots = pb.RankResponse(slots=slot_messages(slate.slots)).SerializeToString()
        return _encoded(slate, slots, b""), unranked

    def eligible(
        self,
        replica: TenantReplica,
        generation: Generation,
        user: UserState,
        wanted: ItemFilter,
        now: float,
    ) -> tuple[Bools, Drops]:
        """See Drafts."""
        return eligible_items(replica, user, wanted, now)

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
    ) -> "NumpyDraft":
        """See Drafts."""
        view = view_of(replica, generation, user, now)
        candidates = gather(view.sources, eligible, pool_of(count), count)
        if others is not None:
            candidates = beside(view.sources, candidates, others, pool_of(count))
        scored = score(replica, generation, view, candidates, overrides)
        outcomes = generation.scorer.outcomes
        weights = weights_of(outcomes, generation.outcome_weights(), overrides)
        return NumpyDraft(replica, view, candidates, scored, weights)

    def merged(
        self, lists: list[tuple[Ordinals, Float64s]], eligible: Bools, count: int
    ) -> Ordinals:
        """See Drafts."""
        return merged(lists, eligible, count)

    def select(self, pool: Pool, plan: Plan, count: int, seed: int) -> Selection:
        """See Drafts."""
        return select(pool, plan, count, seed)


@dataclass(frozen=True, slots=True)
class NumpyDraft:
    """See Draft."""

    _replica: TenantReplica
    _view: View
    _candidates: Candidates
    _scored: Scored
    weights: Float64s

    @property
    def ordinals(self) -> Ordinals:
        """See Draft."""
        return self._candidates.ordinals

    @property
    def features(self) -> Float32s:
        """See Draft."""
        return self._scored.features

    @property
    def head(self) -> Float64s | None:
        """See Draft."""
        return None if self._scored.head is None else self._scored.head.parameters

    def weighed(
        self, sources: SourceWeights | None, given: Ordinals, priors: Float64s
    ) -> tuple[Float64s, Float64s]:
        """See Draft."""
        scores = self._scored.scores.copy()
        against = np.maximum(-self.weights, 0.0)
        penalties = blend(self._scored.logits, against) if against.any() else None
        utilities = log_odds(scores, penalties, self.weights)
        if sources is not None:
            weigh_sources(sources, self._candidates.ranks, self.ordinals, utilities)
        add_priors(given, priors, self.ordinals, utilities)
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
        """See Draft."""
        assert places is not None
        slate = slate_of(self._replica, self._view, self._candidates, self._scored, places)
        chances = [1.0] * places.size if propensities is None else propensities.tolist()
        slots = [
            slot._replace(propensity=chance)
            for slot, chance in zip(slate.slots, chances, strict=True)
        ]
        more = [b""] * places.size if beside is None else beside
        messages = slot_messages(slots)
        self._add_others(messages, places, others)
        wire = b"".join(
            # What comes one after the other is one message.
            nested(field, message.SerializeToString() + own)
            for message, own in zip(messages, more, strict=True)
        )
        shown = replace(slate, slots=tuple(slots))
        columns = logged_columns(shown).SerializeToString() if logged else b""
        return _encoded(shown, wire, columns)

    def _add_others(
        self, slots: Sequence[slate_pb2.Slot], places: Ordinals, others: OtherSources
    ) -> None:
        ranks = {
            name: {item: rank for rank, item in reversed([*enumerate(found.tolist(), 1)])}
            for name, found in others.lists
        }
        proposed = self._candidates.ranks.max(axis=0)
        for slot, place in zip(slots, places.tolist(), strict=True):
            item = int(self.ordinals[place])
            by = [name for name, own in ranks.items() if item in own]
            for name in by:
                rank = ranks[name][item]
                slot.sources.add(source=name, score=-float(rank), rank=rank)
            if others.resembled is not None and by == [SIMILAR] and not proposed[place]:
                slot.reason.code = slate_pb2.REASON_CODE_SIMILAR
                slot.reason.because_item_id = self._replica.catalogue.item_id(others.resembled)


def _encoded(slate: Slate, slots: bytes, columns: bytes) -> EncodedSlate:
    return EncodedSlate(slots, len(slate.slots), slate.drops, slate.degradations, columns)
