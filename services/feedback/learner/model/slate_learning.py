"""What is learned from slates and what became of them: part of a tenant's state."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from services.common.arrays import Float32s
from services.common.ranking.scorer import Scorer, scores_or_nan
from services.feedback.learner.model.attribution_joiner import (
    AttributionConfig,
    AttributionJoiner,
    Joined,
    JoinerItem,
)
from services.feedback.learner.model.calibration import (
    Calibration,
    CalibrationConfig,
    CalibrationSums,
    Doubles,
)
from services.feedback.learner.model.choices.learning import (
    Choice,
    ChoiceChanges,
    ChoiceConfig,
    ChoiceLearning,
)
from services.feedback.learner.model.entries import GenerationActivated
from services.feedback.learner.model.impression import columns_of
from services.feedback.learner.model.outcome_definition import GenerationOutcomes
from services.feedback.learner.model.pending_slate import PendingSlate
from services.feedback.learner.model.returns import KnownReturn
from services.feedback.learner.model.scorer_head import DelayedLesson, HeadConfig, ScorerHead

_TOLD_EVERY = 512
"""Choices after which rankers hear again how sure the order is."""


@dataclass(frozen=True, slots=True)
class SlateConfig:
    """Constants of learning from slates."""

    joiner: AttributionConfig = field(default_factory=AttributionConfig)
    head: HeadConfig = field(default_factory=HeadConfig)
    choices: ChoiceConfig = field(default_factory=ChoiceConfig)
    calibration: CalibrationConfig = field(default_factory=CalibrationConfig)


@dataclass(frozen=True, slots=True)
class HeadChanges:
    """The head as it is now: parameters, accumulators [outcomes, columns + 3].

    slopes [outcomes], and slope_squares, their accumulators. Accumulators: None where slates taught
    nothing. choices: what goes with learning from events; None where they taught nothing.
    tell_posterior: rankers are to hear how sure it is of what choices taught.
    """

    generation_id: str
    outcomes: tuple[str, ...]
    parameters: Doubles
    accumulators: Doubles | None
    slopes: Doubles
    slope_squares: Doubles | None
    slates: int
    choices: ChoiceChanges | None = None
    tell_posterior: bool = False


@dataclass(frozen=True, slots=True)
class CalibrationChanges:
    """Sums of one surface and outcome as they are now."""

    surface: str
    outcome: str
    sums: CalibrationSums


@dataclass(frozen=True, slots=True)
class JoinerChanges:
    """What a step gave to the joiner: a fold gives it the same again."""

    now_us: int
    items: tuple[JoinerItem, ...]


@dataclass(frozen=True, slots=True)
class JoinerContents:
    """All that a joiner holds, for checkpoints; a part of it per chunk."""

    now_us: int
    evicted_served_at_us: int
    slates: tuple[PendingSlate, ...]
    early: tuple[JoinerItem, ...]


@dataclass(slots=True)
class SlateChanges:
    """What changed; `counts`: what became of slates and events, for metrics, in no frame."""

    input: JoinerChanges | None = None
    contents: JoinerContents | None = None
    head: HeadChanges | None = None
    calibration: list[CalibrationChanges] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)

    @property
    def anything(self) -> bool:
        """Whether there is anything to tell."""
        return (
            self.input is not None
            or self.contents is not None
            or self.head is not None
            or bool(self.calibration)
        )


def outcomes_of(generation: GenerationActivated) -> GenerationOutcomes:
    """Return the outcomes of a generation."""
    return GenerationOutcomes(generation.generation_id, generation.outcomes)


class SlateLearning:
    """AttributionJoiner, head and calibration of a tenant. Changed only by `step` and `fold`."""

    def __init__(self, outcomes: GenerationOutcomes, columns: int, config: SlateConfig) -> None:
        self.config = config
        self.joiner = AttributionJoiner(config.joiner)
        self.calibration = Calibration(config.calibration)
        self.outcomes = outcomes
        self._begin(columns, same_features=False)

    def activate(self, outcomes: GenerationOutcomes, columns: int, same_features: bool) -> None:
        """Learn for another generation from now on: its head starts anew.

        Slates of earlier generations stay, and train nothing, but for delayed outcomes that both
        have, where the scorers have the same features: generations come more often than users.
        """
        self.outcomes = outcomes
        self._begin(columns, same_features)

    def _begin(self, columns: int, same_features: bool) -> None:
        self.joiner.returns.expect(self.outcomes.definitions, keep=same_features)
        self.head = ScorerHead(self.outcomes, columns, self.config.head)
        self.choices = ChoiceLearning(columns, self.config.choices)

    def choose(self, choices: Sequence[Choice]) -> SlateChanges | None:
        """Learn the order from choices; return what changed, None when none taught."""
        weights = np.array([one.weight for one in self.outcomes.definitions], np.float64)
        before = self.choices.choices
        if not self.choices.learn(choices, self.head, weights):
            return None
        tell = _posterior_is_due(before, self.choices.choices)
        return SlateChanges(head=self._head_changes(slates=False, tell_posterior=tell))

    def due(self, now_us: int) -> bool:
        """Return whether a slate settles, or more of one is known, at this time of the log."""
        return self.joiner.due(now_us)

    def learn(
        self,
        items: Sequence[JoinerItem],
        now_us: int,
        scorer: Scorer | None,
        may_teach: Callable[[PendingSlate], bool] = lambda _: True,
    ) -> tuple[SlateChanges, Joined]:
        """Take the slates and the events that name one; return what changed, and what settled.

        scorer: of the generation that serves. may_teach: whether a slate that settles, or of which
        more is known, is learned from; others are left out of the answer, too.
        """
        joined = self.joiner.take(items, now_us, self.outcomes)
        changes = SlateChanges(counts=joined.counts)
        if not items and not joined.settled and not joined.known:
            return changes, joined
        changes.input = JoinerChanges(now_us, tuple(joined.mattered))
        joined.settled = [pending for pending in joined.settled if may_teach(pending)]
        joined.late = [one for one in joined.late if may_teach(one.pending)]
        joined.known = [one for one in joined.known if may_teach(one.pending)]
        # Before the head moves: what was predicted is in the slates.
        usable = [pending for pending in joined.settled if self.head.fits(pending)]
        late = [one for one in joined.late if self.head.fits(one.pending)]
        changes.calibration = [
            CalibrationChanges(*key, self.calibration.sums(key).copy())
            for key in self.calibration.add(self.outcomes, usable, late, joined.known)
        ]
        if self.head.train(usable, late, self._lessons(joined.known, scorer)):
            changes.head = self._head_changes(choices=False)
        return changes, joined

    def _lessons(self, known: Sequence[KnownReturn], scorer: Scorer | None) -> list[DelayedLesson]:
        """Return what delayed outcomes teach; slates of earlier generations are scored anew."""
        names, own = self.outcomes.names, self.outcomes.generation_id
        anew = [one for one in known if one.pending.slate.generation_id != own]
        logits = _scored(anew, scorer) if anew and scorer is not None else {}
        lessons = []
        for one in known:
            slate, column = one.pending.slate, names.index(one.outcome)
            if slate.generation_id != own:
                if slate.slate_id not in logits:
                    continue
                scores = logits[slate.slate_id]
                columns = columns_of(
                    slate.propensities, np.zeros_like(scores), scores, slate.features
                )
                slate = replace(slate, generation_id=own, outcomes=len(names), columns=columns)
            labels = np.zeros((len(slate.item_ids), len(names)), np.bool_)
            labels[:, column] = one.labels
            pending = PendingSlate(slate, one.pending.accepted_at_us, labels, one.pending.taken)
            lessons.append(DelayedLesson(pending, column))
        return lessons

    def _head_changes(
        self, *, slates: bool = True, choices: bool = True, tell_posterior: bool = False
    ) -> HeadChanges:
        """Return the head as it is now, with what goes with learning from slates and choices."""
        head = self.head
        return HeadChanges(
            head.generation_id,
            head.outcomes,
            head.parameters.copy(),
            head.accumulators.copy() if slates else None,
            head.slopes.copy(),
            head.slope_squares.copy() if slates else None,
            head.slates,
            self.choices.changes() if choices else None,
            tell_posterior,
        )

    def contents(self) -> SlateChanges:
        """Return all of it, for a checkpoint."""
        joiner = self.joiner
        return SlateChanges(
            contents=JoinerContents(
                joiner.now_us,
                joiner.evicted_served_at_us,
                tuple(joiner.held),
                tuple(joiner.early),
            ),
            head=self._head_changes(tell_posterior=self.choices.choices > 0),
            calibration=[
                CalibrationChanges(*key, sums.copy()) for key, sums in self.calibration.items()
            ],
        )

    def fold(self, changes: SlateChanges) -> None:
        """Apply what changed."""
        if changes.input is not None:
            self.joiner.take(changes.input.items, changes.input.now_us, self.outcomes)
        if changes.contents is not None:
            part = changes.contents
            self.joiner.now_us = part.now_us
            self.joiner.evicted_served_at_us = part.evicted_served_at_us
            for pending in part.slates:
                # A copy: what becomes of it here is not for others to see.
                self.joiner.restore(pending.copy())
            for item in part.early:
                self.joiner.restore_early(item)
        if changes.head is not None and changes.head.generation_id == self.head.generation_id:
            self.head.restore(
                changes.head.parameters, changes.head.accumulators, changes.head.slopes,
                changes.head.slope_squares, changes.head.slates,
            )  # fmt: skip
            if changes.head.choices is not None:
                self.choices.restore(changes.head.choices)
        for one in changes.calibration:
            self.calibration.restore((one.surface, one.outcome), one.sums.copy())


def _posterior_is_due(before: int, now: int) -> bool:
    """Return whether rankers hear how sure the order is, after so many choices before and now: at
    powers of two, later now and then. It takes 4 KB, and changes slowly.
    """
    if now < _TOLD_EVERY:
        return now.bit_length() > before.bit_length()
    return now // _TOLD_EVERY > before // _TOLD_EVERY


def _scored(known: Sequence[KnownReturn], scorer: Scorer) -> dict[str, Float32s]:
    """Return by slate what the scorer says of its items [items, outcomes], where that is finite."""
    slates = {one.pending.slate.slate_id: one.pending.slate for one in known}
    usable = [slate for slate in slates.values() if slate.width == len(scorer.features)]
    if not usable:
        return {}
    scores = scores_or_nan(scorer, np.concatenate([slate.features for slate in usable]))
    ends = np.cumsum([len(slate.item_ids) for slate in usable])[:-1]
    parts = zip(usable, np.split(scores, ends), strict=True)
    return {slate.slate_id: part for slate, part in parts if np.isfinite(part).all()}
