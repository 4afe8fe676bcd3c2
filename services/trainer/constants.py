"""Choosing the constants of online learning on the validation window: test-then-train."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from services.feedback.learner.model.item_step import ItemStepConfig
from services.trainer.fold_in_model import FoldIn, FoldInOptions, online_ranks
from services.trainer.ranking import Quality, quality_of, ranks_of
from services.trainer.timeline import Floats, Groups, Timeline
from services.trainer.vector_scale import bounded, scaled

NORMS = (0.25, 0.5, 1.0)
# Of the ridge, for vectors of median norm 0.5: what it weighs against them goes with their square.
RIDGES = (0.2, 0.5, 1.0)


@dataclass(frozen=True, slots=True)
class Constants:
    """What was chosen, and how good it is on the window with item vectors learned or fixed."""

    fold_in: FoldInOptions
    median_norm: float
    online: Quality
    frozen: Quality


def choose_constants(
    timeline: Timeline,
    groups: Groups,
    vectors: Floats,
    step: ItemStepConfig,
    fold_in: FoldInOptions | None = None,
    median_norm: float | None = None,
    start: Floats | None = None,
    progress: Callable[[int], None] = lambda _: None,
) -> Constants:
    """Return the best of a small grid by online NDCG@10; what is given is not searched.

    vectors: [N, d] base vectors of any length. start: [N, d] unit-like vectors of items that have
    none, scaled along with them; default zero.
    """
    best: Constants | None = None
    tried = 0
    for norm in NORMS if median_norm is None else (median_norm,):
        table = scaled_table(vectors, start, norm, step.max_norm)
        for ridge in RIDGES if fold_in is None else (0.0,):
            options = fold_in or replace(FoldInOptions(), regularization=ridge * (norm / 0.5) ** 2)
            online = quality_of(online_ranks(timeline, groups, table, options, step))
            tried += 1
            progress(tried)
            if best is None or online.ndcg > best.online.ndcg:
                best = Constants(options, norm, online, online)
    assert best is not None
    table = scaled_table(vectors, start, best.median_norm, step.max_norm)
    model = FoldIn(table, best.fold_in)
    frozen = quality_of(ranks_of(timeline, groups, best.fold_in.length, model, table))
    return replace(best, frozen=frozen)


def trials(fold_in: FoldInOptions | None, median_norm: float | None) -> int:
    """Return how many trials `choose_constants` makes."""
    return (len(NORMS) if median_norm is None else 1) * (len(RIDGES) if fold_in is None else 1)


def scaled_table(
    vectors: Floats, start: Floats | None, median_norm: float, max_norm: float
) -> Floats:
    """Return vectors [N, d] of this median norm, none above `max_norm`; rows of zero are those of
    `start`, which has median norm 1, scaled and bounded alike.
    """
    table = scaled(vectors, median_norm, max_norm)[0]
    if start is None:
        return table
    empty = ~table.any(axis=1)
    table[empty] = bounded(start[empty], max_norm, median_norm)
    return table
