"""What candidates of a surface are worth: scores, weights of sources, and priors of the caller."""

from collections.abc import Mapping
from math import log
from typing import NamedTuple

import numpy as np

from services.common.arrays import Float64s, Ordinals
from services.common.surfaces.sources import BASE
from services.ranker.domain.surface.configured import Source, Surface, Weighed

_CLOSEST = 1e-9
_AS_IT_IS = Source()
_NO_QUOTA = 2**31 - 1


class SourceWeights(NamedTuple):
    """What a surface makes of sources.

    quotas: int64 [base sources]. weights: float64 [base sources + lists], logarithms. lists: what
    each other source proposed, ordinals.
    """

    quotas: Ordinals
    weights: Float64s
    lists: list[Ordinals]


def source_weights(surface: Surface, proposed: Mapping[str, Ordinals]) -> SourceWeights | None:
    """Return it, None: nothing is configured. proposed: by the other sources."""
    if not surface.sources:
        return None
    names = tuple(proposed)
    weighed = surface.weighed.get(names)
    if weighed is None:
        base = [surface.sources.get(name, _AS_IT_IS) for name in BASE]
        others = [surface.sources.get(name, _AS_IT_IS) for name in names]
        weighed = surface.weighed[names] = Weighed(
            np.array([_NO_QUOTA if one.quota is None else one.quota for one in base]),
            np.array([log(one.weight) for one in (*base, *others)]),
        )
    return SourceWeights(*weighed, list(proposed.values()))


def log_odds(scores: Float64s, penalties: Float64s | None, weights: Float64s) -> Float64s:
    """Return scores [n] as log odds: of which share of the most that weights [outcomes] allow.

    penalties [n]: what outcomes of negative weight take of each score; None: there are none. What
    they take of most candidates is taken as given: utilities of candidates that people turn down
    alike are those of what is wanted alone. What is below nothing then, or above all, goes on
    there, ever slower.
    """
    most = float(np.maximum(weights, 0).sum())
    if most <= 0:
        return np.where(np.isnan(scores), np.nan, scores)
    share = scores / most if penalties is None else (scores + _usual(penalties)) / most
    within = np.clip(share, _CLOSEST, 1.0 - _CLOSEST)
    odds: Float64s = np.log(within / (1.0 - within))
    below, above = share < _CLOSEST, share > 1.0 - _CLOSEST
    odds[below] -= np.log(2.0 - share[below] / _CLOSEST)
    odds[above] += np.log(2.0 - (1.0 - share[above]) / _CLOSEST)
    odds[np.isnan(share)] = np.nan
    return odds


def _usual(penalties: Float64s) -> float:
    """Return the median, of two the lower one, of those that are numbers; 0 of none."""
    known = penalties[~np.isnan(penalties)]
    middle = (known.size - 1) // 2
    return float(np.partition(known, middle)[middle]) if known.size else 0.0


def weigh_sources(
    sources: SourceWeights, ranks: Ordinals, ordinals: Ordinals, utilities: Float64s
) -> None:
    """Apply quotas of the sources of every slate, and weights of what one source alone proposed.

    ranks [base sources, n]: as in Draft. What is beyond all quotas comes last (NaN); it stays, so
    that no slate is short for it.
    """
    listed = (ranks > 0) & (ranks <= sources.quotas[:, np.newaxis])
    lists = np.zeros((len(BASE) + len(sources.lists), ordinals.size), np.bool_)
    lists[: len(BASE)] = listed
    for row, found in enumerate(sources.lists, len(BASE)):
        lists[row, ordinals.searchsorted(found)] = True
    times = lists.sum(axis=0)
    alone = times == 1
    utilities[alone] += sources.weights[lists[:, alone].argmax(axis=0)]
    utilities[(times == 0) & ranks.any(axis=0)] = np.nan


def add_priors(given: Ordinals, priors: Float64s, ordinals: Ordinals, utilities: Float64s) -> None:
    """Add the caller's priors [m] to the utilities of its candidates [m], where they are any."""
    places = ordinals.searchsorted(given)
    there = places < ordinals.size
    there[there] = ordinals[places[there]] == given[there]
    utilities[places[there]] += priors[there]
