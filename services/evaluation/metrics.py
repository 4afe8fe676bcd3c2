"""Metrics of one true item in one ranking.

With r the rank of the true item, from 1, and a cut-off k:

    HR@k   = 1 if r <= k else 0
    NDCG@k = 1 / log2(r + 1) if r <= k else 0     (one relevant item: the ideal gain is 1)
    MRR@k  = 1 / r if r <= k else 0

The true item is ranked among all items that the user has not seen; nothing is sampled (sampled
metrics inflate several times: Krichene & Rendle, KDD 2020).
"""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

CUTOFF = 10


@dataclass(frozen=True, slots=True)
class Metrics:
    """Means over `events` scored events, each in [0, 1]; 0 when there were none."""

    events: int
    hit_rate: float
    ndcg: float
    mrr: float


class MetricSums:
    """Adds up scored events."""

    def __init__(self, cutoff: int = CUTOFF) -> None:
        self._cutoff = cutoff
        self._events = 0
        self._hits = 0
        self._ndcg = 0.0
        self._mrr = 0.0

    def add(self, rank: int | None) -> None:
        """Count an event whose true item has `rank`, from 1; None means beyond the cut-off.

        Raises:
            ValueError: the rank is below 1.

        """
        if rank is not None and rank < 1:
            raise ValueError(f"ranks begin at 1, got {rank}")
        self._events += 1
        if rank is None or rank > self._cutoff:
            return
        self._hits += 1
        self._ndcg += 1.0 / math.log2(rank + 1)
        self._mrr += 1.0 / rank

    def means(self) -> Metrics:
        """Return the means so far."""
        count = max(self._events, 1)
        return Metrics(self._events, self._hits / count, self._ndcg / count, self._mrr / count)


def gains(ranks: npt.NDArray[np.floating], cutoff: int) -> npt.NDArray[np.float64]:
    """Return HR, NDCG and MRR of ranks [n], as [n, 3]; ranks may lie between two (mean ranks)."""
    found = ranks <= cutoff
    safe = np.where(found, ranks, 1.0).astype(np.float64)
    return np.stack([found, found / np.log2(safe + 1), found / safe], axis=1).astype(np.float64)


def ratio(better: float, base: float) -> float | None:
    """Return `better` / `base`; None when there is nothing to divide by."""
    return better / base if base > 0 else None
