"""Candidates of one request -> feature matrix of the scorer. Training and serving share it.

A source offers its best items (a list) and can score any candidate (hydration), so that a
candidate found by one source carries the true scores of all. Per source three columns:

    <source>_in   1 if the source listed the candidate, else 0
    <source>_z    (score - mean) / std over the candidates of this request; 0 where std is 0,
                  so a source that knows nothing of this user is silent
    <source>_rr   1 / log2(rank + 2) in the source's list (rank from 0), 0 outside it

and ``log_count``: log2(1 + events of the item). Ranks follow the order of the list given.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

SOURCES = ("vector", "rules", "popularity")
COLUMNS: tuple[str, ...] = (
    *(f"{source}_{kind}" for source in SOURCES for kind in ("in", "z", "rr")),
    "log_count",
)


@dataclass(frozen=True)
class CandidateConfig:
    """per_source: items a source may list, > 0. floor_log2: a popularity level this far (in
    half-lives) below the best candidate's counts as this far, so items without events stay finite.
    """

    per_source: int = 200
    floor_log2: float = 30.0


def top(
    ordinals: npt.NDArray[np.int64], scores: npt.NDArray[np.floating], count: int
) -> npt.NDArray[np.int64]:
    """The ``count`` best ordinals, best first; ties by ordinal; non-finite scores left out."""
    finite = np.isfinite(scores)
    ordinals, scores = ordinals[finite], scores[finite]
    if ordinals.size > count:
        edge = np.partition(scores, ordinals.size - count)[ordinals.size - count]
        inside = scores >= edge
        ordinals, scores = ordinals[inside], scores[inside]
    order: npt.NDArray[np.int64] = ordinals[np.lexsort((ordinals, -scores))][:count]
    return order


def union(lists: Sequence[npt.NDArray[np.int64]]) -> npt.NDArray[np.int64]:
    """Candidates of all lists, ascending, each once."""
    return np.unique(np.concatenate(lists)) if lists else np.zeros(0, np.int64)


def feature_matrix(
    candidates: npt.NDArray[np.int64],
    lists: Mapping[str, npt.NDArray[np.int64]],
    scores: Mapping[str, npt.NDArray[np.floating]],
    counts: npt.NDArray[np.floating],
    config: CandidateConfig,
) -> npt.NDArray[np.float32]:
    """float32 [c, len(COLUMNS)], all finite.

    candidates: [c] ascending. lists: per source its ordinals, best first, all of them candidates.
    scores: per source [c], the hydrated score of every candidate (vector: dot product; rules: 0
    where no rule; popularity: log2 level, minus infinity without events). counts: [c] events.
    """
    matrix = np.zeros((candidates.size, len(COLUMNS)), np.float32)
    for number, source in enumerate(SOURCES):
        listed = np.searchsorted(candidates, lists[source])
        score = np.asarray(scores[source], np.float64)
        if source == "popularity":
            score = _floored(score, config.floor_log2)
        matrix[listed, 3 * number] = 1.0
        matrix[:, 3 * number + 1] = _standardised(score)
        matrix[listed, 3 * number + 2] = 1.0 / np.log2(np.arange(listed.size) + 2.0)
    matrix[:, -1] = np.log2(1.0 + np.asarray(counts, np.float64))
    return matrix


def _floored(levels: npt.NDArray[np.float64], depth: float) -> npt.NDArray[np.float64]:
    """Levels relative to the best, not below ``-depth``; all 0 when nothing has events."""
    best = float(levels.max(initial=-np.inf))
    if not np.isfinite(best):
        return np.zeros_like(levels)
    return np.maximum(levels - best, -depth)


def _standardised(score: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """z-scores; zeros when the spread is not above rounding."""
    if score.size == 0:
        return score
    centred = score - score.mean()
    spread = float(np.sqrt(np.mean(centred * centred)))
    if spread <= 1e-9 * max(1.0, float(np.abs(score).max())):
        return np.zeros_like(score)
    standardised: npt.NDArray[np.float64] = centred / spread
    return standardised
