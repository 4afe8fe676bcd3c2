"""What a scorer is fitted on: candidates with their features, and which of them were taken.

One test-then-train pass over the validation window with the services' own code in this process
(services/evaluation/system): trained vectors are put, the past is learned, and before each tie
group the candidates of its user are recorded as the ranker makes them.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from services.common.candidate_features import COLUMNS
from services.common.ranking.scorer import Scorer
from services.feedback.generations.domain.bootstrap_models import OUTCOMES
from services.feedback.learner.model.entries import EmbeddingPut, Kind
from services.feedback.learner.model.tenant_state import LearningConfig
from services.system.generation import SystemGeneration, bootstrap_generation
from services.system.history_entries import HistoryEntries
from services.system.learner import SystemLearner
from services.system.replica import SystemReplica
from services.system.timeline import make_timeline
from services.trainer.fold_in_model import FoldInOptions
from services.trainer.timeline import Floats, Ints
from services.trainer.training_data import TrainingData

_STEP = 1000
_SHOWN = 200
WINDOW = 200_000
"""Events of the validation window that are looked at, at most."""


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

    def __init__(self) -> None:
        self.features = COLUMNS
        self.outcomes = OUTCOMES
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
    vectors: Floats,
    at_most: int,
    config: LearningConfig,
    fold_in: FoldInOptions | None = None,
    warm_up: int = 200_000,
    window: int = WINDOW,
    progress: Callable[[int], None] = lambda _: None,
) -> list[CandidateGroup]:
    """Return the candidates of up to `at_most` groups, evenly over the validation window.

    vectors: [N, d], where items start. fold_in: how users are encoded. At most `warm_up`
    events before the validation window are learned, and `window` of it looked at.
    """
    begin = max(data.validation_start - warm_up, 0)
    end = min(len(data.events), data.validation_start + window)
    events = data.events.slice(begin, end)
    contents = {one.item_id: one for one in data.contents if one is not None}
    timeline = make_timeline(
        events,
        data.weights[begin:end],
        data.validation_start - begin,
        first_items=data.item_ids,
    )
    scorer = RecordingScorer()
    generation = _generation(vectors.shape[1], fold_in or FoldInOptions(), scorer)
    learner = SystemLearner(config)
    replica = SystemReplica(generation.ranker, len(events.user_ids), core=config.core)
    entries = HistoryEntries(timeline, contents)

    def learn(kinds: Sequence[Kind], now_us: int) -> None:
        for step in learner.take(kinds, now_us):
            replica.fold(step)

    for step in learner.activate(generation.learner):
        replica.fold(step)
    for kinds in _parts(entries.listed()):
        learn(kinds, 0)
    for kinds in _parts(_puts(data, vectors, generation.learner.generation_id)):
        learn(kinds, 0)
    times = timeline.events.times_us
    for start in range(0, timeline.split, _STEP):
        rows = np.arange(start, min(start + _STEP, timeline.split))
        learn(entries.of(rows), int(times[rows[-1]]))
    code_of = {item: code for code, item in enumerate(data.item_ids)}
    every = max(timeline.groups // max(at_most, 1), 1)
    seen = _seen(timeline.events.users, timeline.events.items, timeline.split)
    found: list[CandidateGroup] = []
    for number in range(timeline.groups):
        rows = timeline.group(number)
        user = int(timeline.events.users[rows[0]])
        mine = seen.setdefault(user, set())
        fresh = [
            row
            for row in rows.tolist()
            if timeline.weights[row] > 0 and int(timeline.events.items[row]) not in mine
        ]
        if number % every == 0 and fresh:
            wanted = {
                timeline.item_ids[timeline.events.items[row]]: timeline.events.types[
                    timeline.events.kinds[row]
                ]
                for row in fresh
            }
            time_s = int(times[rows[0]]) / 1e6
            group = _group(replica, scorer, entries.keys[user], time_s, wanted, code_of)
            if group is not None:
                found.append(replace(group, event=begin + int(rows[0]), user=user))
        mine.update(timeline.events.items[rows].tolist())
        learn(entries.of(rows), int(times[rows[-1]]))
        progress(int(timeline.starts[number + 1]))
    return found


def _group(
    replica: SystemReplica,
    scorer: RecordingScorer,
    user_key: bytes,
    time_s: float,
    wanted: dict[str, str],
    code_of: dict[str, int],
) -> CandidateGroup | None:
    """Return the candidates, None for a user of whom nothing is known (no features are made)."""
    items: Ints | None = None
    scorer.first = 0
    while True:
        slate = replica.slate(user_key, _SHOWN, time_s)
        recorded = scorer.taken()
        if recorded is None:
            return None
        features = recorded
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
        0,
        0,
    )


def _generation(
    dimension: int, fold_in: FoldInOptions, scorer: RecordingScorer
) -> SystemGeneration:
    """Return the bootstrap generation with this encoder and scorer; vectors are put afterwards."""
    base = bootstrap_generation(dimension)
    learner = replace(
        base.learner,
        length=fold_in.length,
        decay=fold_in.decay,
        alpha=fold_in.alpha,
        regularization=fold_in.regularization,
    )
    encoder = replace(
        base.ranker.encoder,
        length=fold_in.length,
        decay=fold_in.decay,
        alpha=fold_in.alpha,
        regularization=fold_in.regularization,
    )
    return SystemGeneration(learner, replace(base.ranker, scorer=scorer, encoder=encoder))


def _puts(data: TrainingData, vectors: Floats, generation_id: str) -> list[Kind]:
    return [
        EmbeddingPut(item_id, None, vector, 0.0, False, generation_id)
        for item_id, vector in zip(data.item_ids, vectors, strict=True)
        if vector.any()
    ]


def _parts(kinds: list[Kind]) -> list[list[Kind]]:
    return [kinds[begin : begin + _STEP] for begin in range(0, len(kinds), _STEP)]


def _seen(
    users: npt.NDArray[np.integer], items: npt.NDArray[np.integer], end: int
) -> dict[int, set[int]]:
    seen: dict[int, set[int]] = {}
    for user, item in zip(users[:end].tolist(), items[:end].tolist(), strict=True):
        seen.setdefault(user, set()).add(item)
    return seen
