"""Features of candidates, in the columns that training and serving share."""

import numpy as np

from services.common.arrays import Float32s, Float64s
from services.common.candidate_features import (
    COLUMNS,
    ROWS,
    SOURCES,
    depth,
    feature_matrix,
)
from services.common.ranking.candidates import Candidates
from services.common.ranking.signals import Signals
from services.common.ranking.sources.source import NOTHING

FEATURES = COLUMNS
"""Columns that this ranker can make; a generation that wants others is refused."""


def features_of(
    candidates: Candidates, signals: Signals, counts: Float64s, columns: int
) -> Float32s:
    """Return the first `columns` features [n, columns], all finite.

    `counts` [n] are events per candidate.
    """
    sources = len(SOURCES)
    table = np.empty((len(ROWS), candidates.ordinals.size))
    scores = table[:sources]
    np.copyto(scores, candidates.scores)
    # Levels of popularity stay: where there is none is for the features to say.
    said = scores[: SOURCES.index("popularity")]
    said[said == NOTHING] = 0.0
    among = candidates.usual
    signals.write(candidates.ordinals, scores[SOURCES.index("rules")], table[sources:], among)
    features = feature_matrix(candidates.ranks, table, counts, depth(signals.history), among)
    return np.ascontiguousarray(features[:, :columns])
