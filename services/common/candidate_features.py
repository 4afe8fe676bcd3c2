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

and of the item ``log_count``: log2(1 + events), and ``young``: 5 / (5 + events), which is 1 before
its first event; ``young_vector``: young times vector_z, as the vectors of young items are where
their content puts them; ``content_z``: the z-score of likeness by content to the user's recent
items, and ``young_content``: young times that. Ranks follow the order of the list given.

Where `among` [c] is given, only the candidates that it marks are those of the request: what is
relative (z, the best) is relative to them, and the others are seen as if they stood beside them.
"""

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

SOURCES = ("vector", "rules", "popularity")
SIGNALS = ("rules_log", "last", "position", "session", "recent", "own_count", "own_recency")
"""rules_log, last: `relative_log` of the rules' score, of all recent items and of the latest alone.
position, session: log2 of what is popular at the user's place in his history, in his session.
recent: log2 of what was popular in the latest events of all users.
own_count, own_recency: how often, and how lately, the user himself had the candidate."""
LATER_SIGNALS = ("trend", "history")
"""Signals that came later: their columns are the last ones, so that older ones stay where they are.
trend: log2 of what was popular in the last hundreds of events of all users.
history: `relative_log` of the rules' score where all recent items count alike."""
ROWS = (*SOURCES, *SIGNALS, *LATER_SIGNALS, "content")
"""Scores of candidates that features are made from, in their order. content: see content_table."""
COLUMNS: tuple[str, ...] = (
    *(f"{source}_in" for source in SOURCES),
    *(f"{source}_rr" for source in SOURCES),
    *(f"{name}_z" for name in (*SOURCES, *SIGNALS)),
    *(f"{name}_zd" for name in (*SOURCES, *SIGNALS)),
    "log_count",
    *(f"{name}_{form}" for name in LATER_SIGNALS for form in ("z", "zd")),
    "young",
    "young_vector",
    "content_z",
    "young_content",
)
OLDEST_COLUMNS = COLUMNS.index("log_count") + 1
"""So many first columns a generation has at least: those that were there before later ones."""
_YOUNG = COLUMNS.index("young")
_SCORED = len(SOURCES) + len(SIGNALS)
_CONTENT = ROWS.index("content")
_MIDDLE_DEPTH = 5.0
_DEPTH_SCALE = 3.0
_LEAST_SHARE = 0.01
_YOUNG_EVENTS = 5.0
_FLOOR_LOG2 = 30.0
"""Half-lives below the best: where some candidates have no events, less counts as this."""


def are_first_columns(names: Sequence[str]) -> bool:
    """Return whether these are columns from the first one on, with all of the oldest."""
    return len(names) >= OLDEST_COLUMNS and tuple(names) == COLUMNS[: len(names)]


def depth(history: int) -> float:
    """Return (log2(1 + recent items) - 5) / 3: about -1.7 for newcomers, 0 at 31, 0.55 at 100."""
    return (math.log2(1 + history) - _MIDDLE_DEPTH) / _DEPTH_SCALE


def relative_log(
    scores: npt.NDArray[np.floating], among: npt.NDArray[np.bool_] | None = None
) -> npt.NDArray[np.float64]:
    """Return log(score / best + 0.01) of scores [c] >= 0; zeros when none is positive."""
    best = float((scores if among is None else scores[among]).max(initial=0.0))
    if best <= 0:
        return np.zeros(scores.size)
    return np.log(np.asarray(scores, np.float64) / best + _LEAST_SHARE)


def feature_matrix(
    ranks: npt.NDArray[np.int64],
    table: npt.NDArray[np.float64],
    counts: npt.NDArray[np.floating],
    user_depth: float,
    among: npt.NDArray[np.bool_] | None = None,
) -> npt.NDArray[np.float32]:
    """float32 [c, len(COLUMNS)], all finite.

    ranks: [sources, c], where a source lists candidates, from 1; 0: it does not. table: [ROWS,
    c], the hydrated score of every candidate (vector: dot product; rules: 0 where no rule;
    popularity, position, session, recent, trend: log2 level, minus infinity without events;
    content: 0 where it is not known); it is changed. counts: [c] events. user_depth: `depth` of the
    user.
    """
    rows = np.zeros((len(COLUMNS), ranks.shape[1]))
    first, sources = 2 * len(SOURCES), len(SOURCES)
    listed = ranks > 0
    rows[:sources] = listed
    np.divide(1.0, np.log2(ranks + 1.0, where=listed, out=rows[sources:first]), where=listed,
              out=rows[sources:first])  # fmt: skip
    standardised = np.empty_like(table)
    _standardise(_floored(table, among), standardised, among)
    rows[first : first + _SCORED] = standardised[:_SCORED]
    np.multiply(standardised[:_SCORED], user_depth, out=rows[first + _SCORED : OLDEST_COLUMNS - 1])
    rows[OLDEST_COLUMNS - 1] = np.log2(1.0 + counts)
    later = standardised[_SCORED:_CONTENT]
    rows[OLDEST_COLUMNS:_YOUNG:2] = later
    np.multiply(later, user_depth, out=rows[OLDEST_COLUMNS + 1 : _YOUNG : 2])
    rows[_YOUNG] = _YOUNG_EVENTS / (_YOUNG_EVENTS + counts)
    np.multiply(rows[_YOUNG], standardised[SOURCES.index("vector")], out=rows[_YOUNG + 1])
    rows[_YOUNG + 2] = standardised[_CONTENT]
    np.multiply(rows[_YOUNG], standardised[_CONTENT], out=rows[_YOUNG + 3])
    return rows.T.astype(np.float32, order="C")


def _floored(
    table: npt.NDArray[np.float64], among: npt.NDArray[np.bool_] | None
) -> npt.NDArray[np.float64]:
    """Levels that are minus infinity become one below the least; none is too far below the best.

    So what is new is not buried under what is known to be unpopular.
    """
    finite = np.isfinite(table)
    if finite.all():
        return table
    for row, known in zip(table, finite, strict=True):
        if known.all():
            continue
        base = known if among is None else known & among
        if not base.any():
            row[:] = 0.0
            continue
        best = row[base].max()
        row[~known] = row[base].min() - 1.0
        # As long as all of the request is known nothing of it is floored.
        if among is None or not known[among].all():
            np.maximum(row, best - _FLOOR_LOG2, out=row)
    return table


def _standardise(
    table: npt.NDArray[np.float64],
    into: npt.NDArray[np.float64],
    among: npt.NDArray[np.bool_] | None,
) -> None:
    """Write z-scores of each row; zeros where the spread is not above rounding."""
    base = table if among is None else np.compress(among, table, axis=1)
    size = base.shape[1]
    if size == 0:
        into[:] = 0.0
        return
    centred = np.subtract(table, (base.sum(axis=1) / size)[:, np.newaxis], out=into)
    squares = centred * centred
    if among is not None:
        squares = np.compress(among, squares, axis=1)
    spread = np.sqrt(squares.sum(axis=1) / size)
    told = spread > 1e-9 * np.maximum(1.0, np.abs(base).max(axis=1))
    scale = np.divide(1.0, spread, out=np.zeros_like(spread), where=told)
    centred *= scale[:, np.newaxis]
