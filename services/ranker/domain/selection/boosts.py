"""Items that count more, or less."""

from collections.abc import Sequence
from math import log

import numpy as np

from services.common.arrays import Float32s
from services.ranker.domain.selection.plan import Boost
from services.ranker.domain.selection.pool import Pool, bounded


def boosted(pool: Pool, boosts: Sequence[Boost]) -> Float32s:
    """Return utilities [n], bounded, with the logarithm of the factor of each boost added."""
    utilities = bounded(pool.utilities)
    for boost in boosts:
        utilities[boost.items] += log(boost.factor)
    return utilities.astype(np.float32)
