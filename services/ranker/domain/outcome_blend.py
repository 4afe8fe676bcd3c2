"""Several outcomes make one score: the sum over outcomes of weight * probability, in float64."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from services.common.arrays import Float64s

NO_OVERRIDES: Mapping[str, float] = MappingProxyType({})


def probabilities(logits: npt.NDArray[np.floating]) -> Float64s:
    """Return 1 / (1 + exp(-logit)) of logits [n, outcomes]; NaN stays NaN."""
    wide = np.asarray(logits, np.float64)
    # exp of what is not positive only: it cannot overflow.
    small = np.exp(-np.abs(wide))
    result: Float64s = np.where(wide >= 0, 1.0, small) / (1.0 + small)
    return result


def weights_of(
    outcomes: Sequence[str],
    weights: Sequence[float],
    overrides: Mapping[str, float] = NO_OVERRIDES,
) -> Float64s:
    """Return the weight of each outcome: that of the generation, unless `overrides` names it."""
    own = zip(outcomes, weights, strict=True)
    return np.array([overrides.get(name, weight) for name, weight in own], np.float64)


def blend(logits: npt.NDArray[np.floating], weights: Float64s) -> Float64s:
    """Return scores [n] of logits [n, outcomes] by weights [outcomes]."""
    scores: Float64s = (probabilities(logits) * weights).sum(axis=1)
    return scores
