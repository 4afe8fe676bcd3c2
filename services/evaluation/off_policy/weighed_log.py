"""A log as arrays: what the estimators need of all slates, and of the policy in question."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from services.common.arrays import Float64s, Ordinals
from services.evaluation.off_policy.weighed_slate import WeighedSlate


@dataclass(frozen=True, slots=True, eq=False)
class WeighedLog:
    """n slates of up to k items; shorter ones are filled up with places that change nothing.

    users [n]: numbers from 0. lengths [n]: items of each slate. ratios [n, k]: probability of the
    item shown by the target policy over that by the logging one, given the items above; 1 beyond
    the end. rewards [n, k]. taken and expected [n, k, d]: features of the item shown, and their
    mean under the target policy. unmet [n, k]: share of the target's choices that logging never
    made; NaN where that is not known. marginal [n, k] and whole [n]: weights of places and of
    slates by marginal probabilities. What is None is not known, and why is said beside it; so it is
    with predictions.
    """

    users: Ordinals
    lengths: Ordinals
    ratios: Float64s
    rewards: Float64s
    taken: Float64s
    expected: Float64s
    unmet: Float64s
    marginal: Float64s | None
    whole: Float64s | None
    why_no_marginal: str = ""
    why_no_whole: str = ""
    why_no_model: str = ""

    @property
    def slates(self) -> int:
        """How many there are."""
        return self.users.size

    @property
    def cascade(self) -> Float64s:
        """Weights [n, k] of what stands at each place and above it."""
        found: Float64s = self.ratios.cumprod(axis=1)
        return found


def weighed_log(slates: Iterable[WeighedSlate]) -> WeighedLog:
    """Return slates as arrays; there is at least one."""
    rows = list(slates)
    count, places = len(rows), max(row.rewards.size for row in rows)
    width = max(row.taken.shape[1] for row in rows)
    names: dict[str, int] = {}
    users = np.array([names.setdefault(row.user, len(names)) for row in rows], np.int64)
    log = WeighedLog(
        users,
        np.array([row.rewards.size for row in rows], np.int64),
        np.ones((count, places)),
        np.zeros((count, places)),
        np.zeros((count, places, width)),
        np.zeros((count, places, width)),
        np.zeros((count, places)),
        _stacked([row.marginal for row in rows], places),
        _column([row.whole for row in rows]),
        _first([row.why_no_marginal for row in rows]),
        _first([row.why_no_whole for row in rows]),
        _first([row.why_no_model for row in rows]),
    )
    for number, row in enumerate(rows):
        here = row.rewards.size
        log.ratios[number, :here] = row.ratios
        log.rewards[number, :here] = row.rewards
        log.unmet[number, :here] = row.unmet
        log.taken[number, :here, : row.taken.shape[1]] = row.taken
        log.expected[number, :here, : row.taken.shape[1]] = row.expected
    return log


def _stacked(rows: Sequence[Float64s | None], places: int) -> Float64s | None:
    table = np.ones((len(rows), places))
    for number, row in enumerate(rows):
        if row is None:
            return None
        table[number, : row.size] = row
    return table


def _column(cells: Sequence[float | None]) -> Float64s | None:
    known = [cell for cell in cells if cell is not None]
    return np.array(known, np.float64) if len(known) == len(cells) else None


def _first(reasons: Sequence[str]) -> str:
    return next((reason for reason in reasons if reason), "")
