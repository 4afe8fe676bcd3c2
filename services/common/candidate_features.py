"""Candidates of one request -> feature matrix of the scorer. Training and serving share it.

A source offers its best items (a list) and can score any candidate (hydration), so that a
candidate found by one source carries the true scores of all. Per source:

    <source>_in   1 if the source listed the candidate, else 0
    <source>_rr   1 / log2(rank + 2) in the source's list (rank from 0), 0 outside it

and per source and per signal (which scores candidates but lists none):

    <name>_z      (score - mean) / std over the candidates of this request; 0 where std is 0,
                  so what knows nothing of this user is silent
    <name>_zd     the same times `depth` of the user's history: newcomers lean on other things
                  than regulars do

and ``log_count``: log2(1 + events of the item). Ranks follow the order of the list given.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

SOURCES = ("vector", "rules", "popularity")
SIGNALS = ("rules_log", "last", "position", "session", "recent", "own_count", "own_recency")
"""rules_log, last: `relative_log` of the rules' score, of all recent items and of the latest alone.
position, session: log2 of what is popular at the user's place in his history, in his session.
recent: log2 of what was popular in the latest events of all users.
own_count, own_recency: how often, and how lately, the user himself had the candidate."""
COLUMNS: tuple[str, ...] = (
    *(f"{source}_in" for source in SOURCES),
    *(f"{source}_rr" for source in SOURCES),
    *(f"{name}_z" for name in (*SOURCES, *SIGNALS)),
    *(f"{name}_zd" for name in (*SOURCES, *SIGNALS)),
    "log_count",
)
_SCORED = len(SOURCES) + len(SIGNALS)
_MIDDLE_DEPTH = 5.0
_DEPTH_SCALE = 3.0
_LEAST_SHARE = 0.01


@dataclass(frozen=True)
class CandidateConfig:
    """per_source: items a source may list, > 0. floor_log2: > 0; where candidates have no events, a
    level this far (in half-lives) below the best counts as this far.
    """

    per_source: int = 200
    floor_log2: float = 30.0


def depth(history: int) -> float:
    """Return (log2(1 + recent items) - 5) / 3: about -1.7 for newcomers, 0 at 31, 0.55 at 100."""
    return (math.log2(1 + history) - _MIDDLE_DEPTH) / _DEPTH_SCALE


def relative_log(scores: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
    """Return log(score / best + 0.01) of scores [c] >= 0; zeros when none is positive."""
    best = float(scores.max(initial=0.0))
    if best <= 0:
        return np.zeros(scores.size)
    return np.log(np.asarray(scores, np.float64) / best + _LEAST_SHARE)


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
    user_depth: float,
    config: CandidateConfig,
) -> npt.NDArray[np.float32]:
    """float32 [c, len(COLUMNS)], all finite.

    candidates: [c] ascending. lists: per source its ordinals, best first, all of them candidates.
    scores: per source and signal [c], the hydrated score of every candidate (vector: dot product;
    rules: 0 where no rule; popularity, position, session, recent: log2 level, minus infinity
    without events). counts: [c] events. user_depth: `depth` of the user.
    """
    matrix = np.zeros((candidates.size, len(COLUMNS)), np.float32)
    for number, source in enumerate(SOURCES):
        listed = np.searchsorted(candidates, lists[source])
        matrix[listed, number] = 1.0
        matrix[listed, len(SOURCES) + number] = 1.0 / np.log2(np.arange(listed.size) + 2.0)
    table = np.stack([np.asarray(scores[name], np.float64) for name in (*SOURCES, *SIGNALS)])
    first = 2 * len(SOURCES)
    standardised = _standardised(_floored(table, config.floor_log2)).T
    matrix[:, first : first + _SCORED] = standardised
    matrix[:, first + _SCORED : first + 2 * _SCORED] = standardised * user_depth
    matrix[:, -1] = np.log2(1.0 + np.asarray(counts, np.float64))
    return matrix


def _floored(table: npt.NDArray[np.float64], floor: float) -> npt.NDArray[np.float64]:
    """Levels that are minus infinity become one below the least; none is too far below the best.

    So what is new is not buried under what is known to be unpopular.
    """
    for row in table:
        known = np.isfinite(row)
        if known.all():
            continue
        if not known.any():
            row[:] = 0.0
            continue
        row[~known] = row[known].min() - 1.0
        np.maximum(row, row.max() - floor, out=row)
    return table


def _standardised(table: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """z-scores of each row; zeros where the spread is not above rounding."""
    if table.shape[1] == 0:
        return table
    centred = table - table.mean(axis=1, keepdims=True)
    spread = np.sqrt(np.mean(centred * centred, axis=1))
    told = spread > 1e-9 * np.maximum(1.0, np.abs(table).max(axis=1))
    scale = np.divide(1.0, spread, out=np.zeros_like(spread), where=told)
    standardised: npt.NDArray[np.float64] = centred * scale[:, np.newaxis]
    return standardised
