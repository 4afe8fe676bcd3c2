"""How well a tower places new items: events on held-out items, as if those had just appeared."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from services.trainer.fold_in_model import FoldIn, FoldInOptions
from services.trainer.ranking import Quality, quality_of, ranks_of
from services.trainer.timeline import Floats, Groups, Histories, Ints, Timeline


@dataclass(frozen=True, slots=True)
class Placement:
    """Quality on events of held-out items: among those items alone, and among all."""

    among_held_out: Quality
    among_all: Quality


def hold_out(counts: Ints, share: float, seed: int, least: int = 1) -> tuple[Ints, Ints]:
    """Return (train, held-out) rows of items with at least `least` events, drawn at random."""
    eligible = np.flatnonzero(counts >= least)
    generator = np.random.Generator(np.random.Philox(key=[seed, 1]))
    chosen = generator.permutation(eligible)[: int(len(eligible) * share)]
    return np.setdiff1d(eligible, chosen), np.sort(chosen)


def placements(
    timeline: Timeline,
    groups: Groups,
    base: Floats,
    held_out: Ints,
    towers: Mapping[str, Floats],
    options: FoldInOptions,
) -> dict[str, Placement]:
    """Return, per named tower, how it places the held-out items.

    base: [N, d] vectors; towers: vectors [len(held_out), d] that stand in for those of held-out
    items. Users are folded in from items that are not held out.
    """
    new = np.zeros(len(base), np.bool_)
    new[held_out] = True
    known = base.copy()
    known[held_out] = 0
    fold_in = FoldIn(known, options)

    def users(histories: Histories) -> Floats:
        return fold_in(histories)

    concerned = [
        bool(new[timeline.items[first:last]].any())
        for first, last in zip(groups.first, groups.last, strict=True)
    ]
    part = groups.take(np.array(concerned, np.bool_))
    result: dict[str, Placement] = {}
    for name, vectors in towers.items():
        table = known.copy()
        table[held_out] = vectors
        alone = ranks_of(timeline, part, options.length, users, table, candidates=new)
        every = ranks_of(timeline, part, options.length, users, table, counted=new)
        result[name] = Placement(quality_of(alone), quality_of(every))
    return result
