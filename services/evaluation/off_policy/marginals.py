"""Probabilities of a candidate at a place whatever stands above it, where they can be had exactly.

Logged propensities are given what stands above. Estimators of single places, and the
pseudo-inverse, need marginal ones, and where caps or pins tie places together nobody logged them.

They are computed from closed forms for policies that choose freely, or by going through all slates
when there are at most MOST_SLATES.
"""

import math

import numpy as np

from services.common.arrays import Float64s, Ordinals
from services.evaluation.off_policy.logged_slate import Candidates
from services.evaluation.off_policy.policies import EpsilonGreedy, Greedy, Policy, Uniform

MOST_SLATES = 2000


class MarginalsUnknownError(Exception):
    """Marginal probabilities cannot be had, and why."""


def place_marginals(candidates: Candidates, logging: Policy | None, target: Policy) -> Float64s:
    """Return of each place [k] the probability of the item shown there by the target policy over
    that by the logging one.

    Raises:
        MarginalsUnknownError: they cannot be had.

    """
    here = np.arange(candidates.shown.size)
    logged = _marginals(candidates, _known(candidates, logging))[here, candidates.shown]
    wanted = _marginals(candidates, target)[here, candidates.shown]
    return wanted / logged


def pseudo_inverse_weight(candidates: Candidates, logging: Policy | None, target: Policy) -> float:
    """Return the weight of a slate by the pseudo-inverse estimator (Swaminathan et al. 2017):
    1_s^T G^+ q, where 1_s marks the (place, item) pairs of the slate, G is the mean of 1_s 1_s^T
    under the logging policy, and q the mean of 1_s under the target.

    Raises:
        MarginalsUnknownError: the means cannot be had, or the target shows what logging cannot.

    """
    logging = _known(candidates, logging)
    wanted = _marginals(candidates, target)
    if _is_uniform(logging):
        return _uniform_weight(candidates.shown, wanted)
    slates = _slates(candidates)
    places, items = wanted.shape
    chances = _chances(candidates, logging, slates)
    marks = np.zeros((len(slates), places * items))
    marks[np.arange(len(slates))[:, None], np.arange(places) * items + slates] = 1.0
    together = (marks * chances[:, None]).T @ marks
    inverse = np.linalg.pinv(together, hermitian=True)
    flat = wanted.ravel()
    if not np.allclose(together @ (inverse @ flat), flat, atol=1e-8):
        raise MarginalsUnknownError("the target shows at a place what logging never showed there")
    cells = np.arange(places) * items + candidates.shown
    return float((inverse @ flat)[cells].sum())


def _known(candidates: Candidates, logging: Policy | None) -> Policy:
    if logging is None:
        raise MarginalsUnknownError("how slates were explored cannot be computed again")
    if not candidates.free:
        raise MarginalsUnknownError("pins or caps tie places together")
    return logging


def _marginals(candidates: Candidates, policy: Policy) -> Float64s:
    """Return the probability [k, n] of each candidate at each place."""
    places, items = candidates.allowed.shape
    if _is_uniform(policy):
        return np.full((places, items), 1.0 / items)
    if isinstance(policy, Greedy):
        return _certain(candidates, policy)
    slates = _slates(candidates)
    chances = _chances(candidates, policy, slates)
    found = np.zeros((places, items))
    for place in range(places):
        found[place] = np.bincount(slates[:, place], chances, minlength=items)
    return found


def _certain(candidates: Candidates, policy: Greedy) -> Float64s:
    places, items = candidates.allowed.shape
    allowed = np.ones((1, items), np.bool_)
    found = np.zeros((places, items))
    for place in range(places):
        found[place] = policy.choices(candidates, allowed)[0]
        allowed[0, found[place].argmax()] = False
        if found[place].max() < 1:
            raise MarginalsUnknownError("some candidates have no utility")
    return found


def _is_uniform(policy: Policy) -> bool:
    return isinstance(policy, Uniform) or (
        isinstance(policy, EpsilonGreedy) and policy.epsilon == 1
    )


def _slates(candidates: Candidates) -> Ordinals:
    """Return all slates [m, k] of the candidates."""
    places, items = candidates.allowed.shape
    count = math.perm(items, places)
    if count > MOST_SLATES:
        raise MarginalsUnknownError(
            f"{items} candidates make more than {MOST_SLATES:,} slates of {places}"
        )
    found = np.zeros((1, 0), np.int64)
    for _ in range(places):
        left = np.ones((len(found), items), np.bool_)
        left[np.arange(len(found))[:, None], found] = False
        row, item = np.nonzero(left)
        found = np.column_stack([found[row], item])
    return found


def _chances(candidates: Candidates, policy: Policy, slates: Ordinals) -> Float64s:
    """Return the probability [m] of each slate [m, k]."""
    rows = np.arange(len(slates))
    allowed = np.ones((len(slates), candidates.utilities.size), np.bool_)
    chance = np.ones(len(slates))
    for place in range(slates.shape[1]):
        chance *= policy.choices(candidates, allowed)[rows, slates[:, place]]
        allowed[rows, slates[:, place]] = False
    return chance


def _uniform_weight(shown: Ordinals, wanted: Float64s) -> float:
    """Return the weight of a slate [k] under uniform logging without repeats, in closed form.

    G treats all items alike and all places alike, so its eigenspaces are those of two-way tables:
    constants (eigenvalue k/n), differences of items ((n-k) / (n (n-1))), of places (0), and what is
    left (1 / (n-1)). `wanted` [k, n] has rows that sum to 1: no differences of places.
    """
    places, items = wanted.shape
    of_items = wanted.mean(axis=0) - 1.0 / items
    rest = wanted - wanted.mean(axis=0)
    found = 1.0 + (items - 1) * rest[np.arange(places), shown].sum()
    if items > places:
        found += items * (items - 1) / (items - places) * of_items[shown].sum()
    return float(found)
