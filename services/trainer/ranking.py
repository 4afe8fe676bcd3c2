"""How high a model ranks what users did next: tie-safe, among all items, nothing sampled."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from services.trainer.timeline import Floats, Groups, Histories, Ints, Timeline

CUTOFF = 10
_BATCH_CELLS = 1 << 23

UserVectors = Callable[[Histories], Floats]
"""Histories of n users -> vectors [n, d]; zero rows for users of whom nothing is known."""


@dataclass(frozen=True, slots=True)
class Quality:
    """Means over `events`; an item that the user had before is not scored."""

    events: int
    hit_rate: float
    ndcg: float

    def as_metrics(self, prefix: str) -> dict[str, float]:
        """Return named figures, as a manifest keeps them."""
        return {
            f"{prefix}_hr10": self.hit_rate,
            f"{prefix}_ndcg10": self.ndcg,
            f"{prefix}_events": float(self.events),
        }


def quality_of(ranks: npt.NDArray[np.floating]) -> Quality:
    """Return means of ranks [n] from 1; tied ones may lie between two."""
    if ranks.size == 0:
        return Quality(0, 0.0, 0.0)
    hit = ranks <= CUTOFF
    gain = np.where(hit, 1.0 / np.log2(ranks + 1.0), 0.0)
    return Quality(int(ranks.size), float(hit.mean()), float(gain.mean()))


def sample_groups(groups: Groups, at_most: int, seed: int) -> Groups:
    """Return at most so many groups, drawn without replacement, in their order."""
    if len(groups) <= at_most:
        return groups
    generator = np.random.Generator(np.random.Philox(key=seed))
    return groups.take(np.sort(generator.choice(len(groups), at_most, replace=False)))


def ranks_of(
    timeline: Timeline,
    groups: Groups,
    length: int,
    user_vectors: UserVectors,
    items: Floats,
    candidates: npt.NDArray[np.bool_] | None = None,
    counted: npt.NDArray[np.bool_] | None = None,
) -> npt.NDArray[np.float64]:
    """Return the rank of every first-seen item of the groups, among items not seen before.

    items: [N, d] vectors, the score is the dot product. candidates: [N], which items are ranked;
    counted: [N], events on which are counted; default all. Ties share their mean rank.
    """
    counted = candidates if counted is None else counted
    batch = max(1, _BATCH_CELLS // max(len(items), 1))
    found: list[npt.NDArray[np.float64]] = []
    for begin in range(0, len(groups), batch):
        part = groups.take(slice(begin, begin + batch))
        vectors = user_vectors(timeline.histories(part.first, length))
        scores = vectors @ items.T
        if candidates is not None:
            scores[:, ~candidates] = -np.inf
        for row in range(len(part)):
            first, last = int(part.first[row]), int(part.last[row])
            seen = timeline.seen(first)
            targets = np.setdiff1d(timeline.items[first:last], seen)
            if counted is not None:
                targets = targets[counted[targets]]
            if targets.size:
                found.append(_ranks(scores[row], seen, targets))
    return np.concatenate(found) if found else np.zeros(0)


def _ranks(scores: Floats, seen: Ints, targets: Ints) -> npt.NDArray[np.float64]:
    wanted = scores[targets]
    scores[seen] = -np.inf
    above = (scores[None, :] > wanted[:, None]).sum(axis=1)
    level = (scores[None, :] == wanted[:, None]).sum(axis=1)
    ranks: npt.NDArray[np.float64] = above + (level + 1) / 2.0
    return ranks
