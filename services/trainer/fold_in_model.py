"""User vectors by the services' own fold-in, and the same while item vectors are learned online."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from services.common.fold_in import base_inverse, fold_in, recency_weights
from services.common.tied_ranks import tied_ranks
from services.feedback.learner.model.item_step import (
    ItemStepConfig,
    bpr_step,
    draw_negatives,
)
from services.trainer.ials import gramian
from services.trainer.ranking import ranks_of
from services.trainer.timeline import Floats, Groups, Histories, Timeline

_STEP = 1000


@dataclass(frozen=True, slots=True)
class FoldInOptions:
    """Constants of the encoder FOLD_IN, as in harken.feedback.v1.Encoder."""

    length: int = 30
    decay: float = 0.8
    alpha: float = 0.3
    regularization: float = 0.2


class FoldIn:
    """Histories -> user vectors over one table of item vectors."""

    def __init__(self, table: Floats, options: FoldInOptions) -> None:
        self._table = table
        self._options = options
        self._inverse = base_inverse(gramian(table), options.alpha, options.regularization)

    def __call__(self, histories: Histories) -> Floats:
        """Return user vectors [n, d]."""
        ranks = tied_ranks(histories.times_s)
        weights = recency_weights(histories.items, ranks, self._options.decay) * histories.weights
        return fold_in(self._table, histories.items, weights, self._inverse)


def online_ranks(
    timeline: Timeline,
    groups: Groups,
    base: Floats,
    options: FoldInOptions,
    step: ItemStepConfig,
    start: Floats | None = None,
) -> npt.NDArray[np.float64]:
    """Return ranks of test-then-train: groups are scored, then their events move item vectors.

    Steps of 1000 groups, scored with the vectors of the step's start. base: [N, d], where items
    are pulled to; start: where they are, default base.
    """
    table = (base if start is None else start).copy()
    found: list[npt.NDArray[np.float64]] = []
    for begin in range(0, len(groups), _STEP):
        part = groups.take(slice(begin, begin + _STEP))
        model = FoldIn(table, options)
        found.append(ranks_of(timeline, part, options.length, model, table))
        places = np.concatenate(
            [np.arange(a, b) for a, b in zip(part.first, part.last, strict=True)]
        )
        negatives = draw_negatives(timeline.global_order[places], len(table), step)
        rows, moved = bpr_step(
            model(timeline.histories(places, options.length)),
            timeline.items[places],
            timeline.weights[places],
            negatives,
            table,
            base,
            step,
        )
        table[rows] = moved
    return np.concatenate(found) if found else np.zeros(0)
