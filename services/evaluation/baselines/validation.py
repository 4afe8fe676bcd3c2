"""Choosing options of a baseline on the last tenth of the training part."""

import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from services.evaluation.arm import Moment
from services.evaluation.baselines.train_part import TrainPart
from services.evaluation.metrics import gains
from services.evaluation.past import Past
from services.evaluation.ranking import rank_by_scores
from services.evaluation.score_arm import Scorer
from services.system.timeline import tie_order

_SHARE = 0.1
GROUPS = 600
"""Tie groups that are ranked, spread over the last tenth."""


def grid(**values: Sequence[Any]) -> list[dict[str, Any]]:
    """Return all combinations of options."""
    return [
        dict(zip(values, combination, strict=True))
        for combination in itertools.product(*values.values())
    ]


def head_of(train: TrainPart) -> TrainPart:
    """Return the part of training that candidates are fitted on."""
    return train.slice(0, _cut(train))


def choose(
    train: TrainPart,
    candidates: Sequence[Mapping[str, Any]],
    scorer_of: Callable[..., Scorer],
    groups: int = GROUPS,
) -> Mapping[str, Any]:
    """Return the candidate whose scorer has the largest NDCG@10; of equal ones the first.

    `scorer_of(**candidate)` returns a scorer fitted on `head_of(train)`. Same protocol as the
    test: tie groups, fresh history, items that the user has seen left out.
    """
    best, best_value = candidates[0], -1.0
    for candidate in candidates:
        value = ndcg(train, scorer_of(**candidate), groups)
        if value > best_value:
            best, best_value = candidate, value
    return best


def ndcg(train: TrainPart, scorer: Scorer, groups: int = GROUPS) -> float:
    """Return the mean NDCG@10 on the last tenth of training."""
    begin = _cut(train)
    everything = np.ones(len(train), np.bool_)
    past = Past(train.users, train.items, train.times_us, everything)
    past.reveal(np.arange(begin))
    unknown = np.bincount(train.items[:begin], minlength=train.n_items) == 0
    seconds = train.times_us[begin:] // 1_000_000
    order, starts = tie_order(seconds, train.users[begin:])
    order += begin
    chosen = set(np.linspace(0, starts.size - 2, min(groups, starts.size - 1)).astype(int).tolist())
    total, count = 0.0, 0
    for number in range(starts.size - 1):
        events = order[starts[number] : starts[number + 1]]
        user = int(train.users[events[0]])
        if number in chosen:
            seen = past.items(user)
            targets = np.unique(train.items[events])
            targets = targets[~np.isin(targets, seen)]
            if targets.size:
                hidden = unknown.copy()
                hidden[seen] = True
                now_us = int(train.times_us[events[0]])
                moment = Moment(user, now_us, seen, past.times_us(user), hidden, seen, targets)
                scores = scorer.scores(seen, moment.times_us, now_us)
                total += float(gains(rank_by_scores(scores, moment, 10).ranks, 10)[:, 1].sum())
                count += targets.size
        past.reveal_of(user, events)
    return total / max(count, 1)


def _cut(train: TrainPart) -> int:
    return int(len(train) * (1 - _SHARE))
