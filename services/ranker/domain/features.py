"""Features of candidates, in the columns that training and serving share."""

import numpy as np

from services.common.candidate_features import (
    COLUMNS,
    SOURCES,
    CandidateConfig,
    depth,
    feature_matrix,
)
from services.ranker.domain.arrays import Float32s, Float64s
from services.ranker.domain.candidates import Candidates
from services.ranker.domain.signals import Signals
from services.ranker.domain.sources.source import NOTHING

FEATURES = COLUMNS
"""Columns that this ranker can make; a generation that wants others is refused."""

SOURCE_ORDER = SOURCES
"""Names of the sources, in the order of the rows of `Candidates`."""

_CONFIG = CandidateConfig()


def features_of(candidates: Candidates, signals: Signals, counts: Float64s) -> Float32s:
    """Return features [n, len(FEATURES)], all finite; `counts` [n] are events per candidate."""
    vector, rules, popularity = candidates.scores
    rule_scores = np.where(rules == NOTHING, 0.0, rules)
    scores = {
        "vector": np.where(vector == NOTHING, 0.0, vector),
        "rules": rule_scores,
        "popularity": popularity,
        **signals.scores(candidates.ordinals, rule_scores),
    }
    lists = dict(zip(SOURCE_ORDER, candidates.proposed, strict=True))
    return feature_matrix(
        candidates.ordinals, lists, scores, counts, depth(signals.history), _CONFIG
    )
