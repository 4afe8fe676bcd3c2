"""`full` with a baseline beside its own sources: what it would be worth as one more of them.

The baseline lists its best items as the other sources do, and scores all candidates. Four weights
are learned, for what the features of a source are (services/common/candidate_features.py):

    in, rr    whether it lists the candidate, and 1 / log2(1 + rank) in its list
    z, zd     its score, standardised over the candidates, and the same times the user's depth

They are learned together with those of all other columns, on top of what `full` makes of the
candidates by then, from nothing on, by the learner's own conditional logit and its constants
(services/feedback/learner/model/choices/learning.py): a choice a ranked group, without its guard.
That alone makes another order than that of `full`, so what a baseline is worth shows against the
arm with nothing beside. A baseline stays as it was fitted, unless it learns by itself.
"""

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from services.common.arrays import NO_ORDINALS, Bools, Float64s, Ordinals
from services.common.candidate_features import depth
from services.common.ranking.candidates import Candidates, gather
from services.common.ranking.sources.source import NOTHING
from services.evaluation.arm import Moment, Ranking
from services.evaluation.score_arm import Scorer
from services.evaluation.system.arms import SlateArm, ranking_of
from services.feedback.learner.model.choices.learning import Choice, ChoiceConfig, ChoiceLearning
from services.feedback.learner.model.outcome_definition import GenerationOutcomes, OutcomeDefinition
from services.feedback.learner.model.scorer_head import HeadConfig, ScorerHead
from services.ranker.domain.eligibility import ItemFilter, eligible_items
from services.ranker.domain.slate import View, pool_of, score, view_of
from services.system.timeline import Flags

NOTHING_BESIDE = "nothing"
_MORE = 4
_WEIGHTS = np.ones(1)
_OUTCOMES = GenerationOutcomes("", (OutcomeDefinition("order", frozenset(), None, 1.0),))


class BesideArm(SlateArm):
    """An arm that ranks as `full` and one more source would, over the replica of `full`."""

    def __init__(self, name: str, full: SlateArm, scorer: Scorer | None, known: Flags) -> None:
        """`known` [items]: what the baseline has seen, and so can say something about. Without a
        scorer nothing is beside.
        """
        super().__init__(
            f"{full.name}+{name}", full.replica, full.keys, full.item_ids, full.count,
            full.allow_seen,
        )  # fmt: skip
        self.fit_seconds = full.fit_seconds
        self._scorer = scorer
        self._known = known
        own = full.replica.generation.scorer.features
        self._moves: Flags = np.array([not one.startswith("own_") for one in own] + [True] * _MORE)
        self._head = ScorerHead(_OUTCOMES, self._moves.size, HeadConfig())
        self.learning = ChoiceLearning(self._moves.size, ChoiceConfig())
        self._code_at: npt.NDArray[np.int64] = np.zeros(0, np.int64)

    def rank(self, moment: Moment) -> Ranking:
        """See Arm; then learn from what was chosen."""
        tenant, generation = self.replica.tenant, self.replica.generation
        user, now = self.replica.user(self.keys[moment.user]), moment.time_us / 1e6
        eligible, _ = eligible_items(tenant, user, ItemFilter(allow_seen=self.allow_seen), now)
        view = view_of(tenant, generation, user, now)
        beside = _Beside(self._scores(moment, eligible.size))
        candidates = gather((*view.sources, beside), eligible, pool_of(self.count), self.count)
        own = replace(candidates, scores=candidates.scores[:-1], ranks=candidates.ranks[:-1])
        scored = score(tenant, generation, view, own, {})
        weights = np.maximum(generation.outcome_weights(), 0.0)
        order = (scored.logits @ (weights / max(weights.sum(), 1e-12))).astype(np.float32)
        codes = self._code_at[candidates.ordinals]
        features = np.concatenate([scored.features, _features(candidates, view)], axis=1)
        blended = order + features @ self.learning.weights
        shown = codes[(-blended).argsort(kind="stable")][: self.count]
        # What the user had is chosen again for other reasons than what a source says.
        new = ~np.isin(codes, moment.items)
        for target in moment.targets.tolist():
            place = np.flatnonzero(codes[new] == target)
            if place.size:
                choice = Choice(features[new], order[new, np.newaxis], int(place[0]), self._moves)
                self.learning.learn([choice], self._head, _WEIGHTS)
                break
        return ranking_of(shown.astype(np.int32), moment)

    def _scores(self, moment: Moment, size: int) -> Float64s | None:
        """Return what the baseline says of each ordinal, NOTHING of an item that it has not seen;
        None where it knows nothing of the user.
        """
        if self._code_at.size < size:
            catalogue = self.replica.tenant.catalogue
            new = range(self._code_at.size, size)
            more = [self.code_of[catalogue.item_id(ordinal)] for ordinal in new]
            self._code_at = np.concatenate([self._code_at, np.array(more, np.int64)])
        if self._scorer is None or moment.items.size == 0:
            return None
        said = self._scorer.scores(moment.items, moment.times_us, moment.time_us)
        sayable = self._known & ~np.isnan(said)
        return np.where(sayable, said, NOTHING)[self._code_at].astype(np.float64)


class _Beside:
    """A source: scores [ordinals], NOTHING where it has nothing to say; None: nowhere."""

    name = "beside"

    def __init__(self, scores: Float64s | None) -> None:
        self._scores = scores

    def propose(self, eligible: Bools, count: int) -> Ordinals:
        """Return the best `count` of the eligible items by score."""
        if self._scores is None:
            return NO_ORDINALS
        there = np.flatnonzero(eligible & (self._scores != NOTHING))
        return there[(-self._scores[there]).argsort(kind="stable")[:count]]

    def scores_of(self, ordinals: Ordinals) -> Float64s:
        """Return the scores of given items."""
        if self._scores is None:
            return np.full(ordinals.size, NOTHING)
        return self._scores[ordinals]


def _features(candidates: Candidates, view: View) -> npt.NDArray[np.float32]:
    """Return float32 [n, _MORE] of the last source."""
    scores, ranks = candidates.scores[-1], candidates.ranks[-1]
    rows = np.zeros((scores.size, _MORE), np.float32)
    listed = ranks > 0
    rows[:, 0] = listed
    rows[listed, 1] = 1.0 / np.log2(1.0 + ranks[listed])
    said = scores != NOTHING
    if said.any():
        spread = scores[said].std()
        if spread > 1e-9 * max(1.0, np.abs(scores[said]).max()):
            rows[said, 2] = (scores[said] - scores[said].mean()) / spread
    rows[:, 3] = rows[:, 2] * depth(view.signals.history)
    return rows
