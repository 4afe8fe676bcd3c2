"""What a scorer is fitted on: candidates with their features, and which of them were taken.

As a generation served (see serving), the candidates of its user are recorded before each tie group,
as the ranker makes them.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from services.common.candidate_features import COLUMNS
from services.common.ranking.scorer import Scorer
from services.feedback.learner.model.tenant_state import LearningConfig
from services.system.generation import SystemGeneration
from services.trainer.serving import Serving, Turn
from services.trainer.timeline import Floats, Ints
from services.trainer.training_data import TrainingData

_SHOWN = 200


@dataclass(frozen=True, slots=True)
class CandidateGroup:
    """Candidates before one tie group.

    features: float32 [c, COLUMNS]. items: [c] codes of the training data, -1 where not known.
    taken: [targets] rows of `features`; types: [targets] event types of them. missed: items of the
    group that were no candidates. event: number of the group's first event.
    """

    features: Floats
    items: Ints
    taken: Ints
    types: tuple[str, ...]
    missed: int
    event: int
    user: int


class RecordingScorer(Scorer):
    """Stands in for a scorer: keeps the features, and brings chosen rows to the front.

    So whoever asks for a slate learns which rows belong to which items, through public functions.
    """

    def __init__(self, outcomes: Sequence[str]) -> None:
        self.features = COLUMNS
        self.outcomes = tuple(outcomes)
        self.recorded: Floats | None = None
        self.first = 0

    def taken(self) -> Floats | None:
        """Return the features recorded since the last call, None for none."""
        recorded, self.recorded = self.recorded, None
        return recorded

    def scores(self, features: Floats) -> Floats:
        """Return scores [n, outcomes] that put row `first` on top, and later ones behind it."""
        self.recorded = features.copy()
        places = np.roll(np.arange(len(features)), self.first)
        ordered = 1.0 - 2.0 * places / max(len(features), 1)
        return np.repeat(ordered[:, None], len(self.outcomes), axis=1).astype(np.float32)


def collect_groups(
    data: TrainingData,
    generation: SystemGeneration,
    start: int,
    end: int,
    at_most: int,
    config: LearningConfig,
    progress: Callable[[int], None] = lambda _: None,
) -> list[CandidateGroup]:
    """Return the candidates of up to `at_most` groups, evenly over events `start` to `end`.

    generation: serves from `start` on; it has seen nothing of what comes then.
    """
    serving = Serving(data, start, end, generation.learner.dimension, config)
    scorer = RecordingScorer(generation.ranker.scorer.outcomes)
    serving.adopt(generation, scorer)
    code_of = {item: code for code, item in enumerate(data.item_ids)}
    every = max(serving.groups // max(at_most, 1), 1)
    found: list[CandidateGroup] = []
    for turn in serving.turns(every, progress):
        group = _group(serving, scorer, turn, code_of)
        if group is not None:
            found.append(group)
    return found


def _group(
    serving: Serving, scorer: RecordingScorer, turn: Turn, code_of: dict[str, int]
) -> CandidateGroup | None:
    """Return the candidates, None where nothing is new to the user, or nothing is shown."""
    wanted = {
        item: kind
        for item, kind, fresh in zip(turn.item_ids, turn.types, turn.fresh, strict=True)
        if fresh
    }
    if not wanted:
        return None
    items: Ints | None = None
    scorer.first = 0
    while True:
        slate = serving.slate(turn, _SHOWN)
        features = scorer.taken()
        if features is None or not len(features):
            return None
        rows = len(features)
        if items is None:
            items = np.full(rows, -1, np.int64)
        span = np.arange(scorer.first, min(scorer.first + len(slate), rows))
        items[span] = [code_of[item] for item in slate[: len(span)]]
        scorer.first += max(len(slate), 1)
        if scorer.first >= rows:
            break
    place = {int(item): row for row, item in enumerate(items.tolist()) if item >= 0}
    codes = [(code_of[item], kind) for item, kind in wanted.items()]
    hits = [(place[code], kind) for code, kind in codes if code in place]
    return CandidateGroup(
        features,
        items,
        np.array([row for row, _ in hits], np.int64),
        tuple(kind for _, kind in hits),
        len(codes) - len(hits),
        turn.event,
        turn.user,
    )
