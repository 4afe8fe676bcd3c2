"""How often intervals of off-policy estimates hold the truth, and how far the estimates are off.

Made worlds of a few contexts, whose every slate can be gone through: so the value of a policy is
known exactly. A run draws slates as a logging policy shows them, and rewards; users, several slates
each, like more or less than others. What is estimated is the value of another policy.

`python -m tests.benchmarks.slates.off_policy [runs]` prints a table.
"""

import math
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from services.common.arrays import Float64s, Ordinals
from services.evaluation.off_policy.estimate import UnsupportedError, estimate
from services.evaluation.off_policy.logged_slate import Candidates, Exploration, LoggedSlate
from services.evaluation.off_policy.policies import Greedy, PlackettLuce, Policy, Uniform
from services.evaluation.off_policy.weighed_log import WeighedLog, weighed_log
from services.evaluation.off_policy.weighed_slate import weighed

_CONTEXTS = 20
_USER_SPREAD = 0.5


@dataclass(frozen=True, slots=True)
class Setting:
    """A world, both policies, and how much is logged."""

    items: int
    places: int
    exploration: Exploration
    target: Policy
    slates: int
    users: int
    rate: float
    """Of reward at the first place, about."""


SETTINGS: Mapping[str, Setting] = MappingProxyType(
    {
        "one place, softmax to greedier": Setting(
            10, 1, Exploration("plackett_luce_temperature", 1.0), PlackettLuce(0.5), 2000, 500, 0.1
        ),
        "one place, epsilon .2 to uniform": Setting(
            5, 1, Exploration("epsilon", 0.2), Uniform(), 2000, 500, 0.1
        ),
        "one place, few slates, rare rewards": Setting(
            5, 1, Exploration("epsilon", 0.5), Greedy(), 1000, 250, 0.03
        ),
        "three places, softmax to greedier": Setting(
            8, 3, Exploration("plackett_luce_temperature", 1.0), PlackettLuce(0.7), 2000, 500, 0.1
        ),
        "three places, uniform to greedy": Setting(
            5, 3, Exploration("epsilon", 1.0), Greedy(), 5000, 1000, 0.1
        ),
    }
)


@dataclass(frozen=True, slots=True)
class Coverage:
    """Of `runs` intervals that were given: the share that holds the truth, the mean error of the
    estimates in standard errors of that mean, and the estimates' spread; times refused.
    """

    runs: int
    refused: int
    covered: float
    bias_in_errors: float
    spread: float
    truth: float


def coverage(setting: Setting, runs: int, seed: int = 1) -> dict[str, Coverage]:
    """Return by estimator how `runs` simulated logs fare."""
    world = _World(setting, seed)
    random = np.random.default_rng(seed)
    found: dict[str, list[tuple[float, bool]]] = {}
    refused: dict[str, int] = {}
    truth = world.truth()
    for _ in range(runs):
        try:
            report = estimate(world.drawn(random))
        except UnsupportedError:
            refused["all"] = refused.get("all", 0) + 1
            continue
        for one in report.estimates:
            if one.value is None or one.interval is None:
                refused[one.estimator] = refused.get(one.estimator, 0) + 1
                continue
            held = one.interval.low <= truth <= one.interval.high
            found.setdefault(one.estimator, []).append((one.value, held))
    return {
        name: _coverage(np.array(values), refused.get(name, 0) + refused.get("all", 0), truth)
        for name, values in found.items()
    }


def figures(runs: int = 1000, seed: int = 1) -> dict[str, float]:
    """Return the least coverage over all settings of the intervals of each estimator, and the
    largest bias, in standard errors of the mean over the runs, by `NAME coverage` and `NAME bias`.
    """
    told: dict[str, float] = {}
    for setting in SETTINGS.values():
        for name, one in coverage(setting, runs, seed).items():
            least, most = f"{name} coverage", f"{name} bias"
            told[least] = min(told.get(least, 1.0), one.covered)
            told[most] = max(told.get(most, 0.0), abs(one.bias_in_errors))
    return told


def _coverage(values: Float64s, refused: int, truth: float) -> Coverage:
    errors = values[:, 0] - truth
    spread = float(errors.std(ddof=1))
    return Coverage(
        len(values),
        refused,
        float(values[:, 1].mean()),
        float(errors.mean()) / (spread / math.sqrt(len(values)) or 1.0),
        spread,
        truth,
    )


class _World:
    """All slates of all contexts, as rows of a log that runs draw from."""

    def __init__(self, setting: Setting, seed: int) -> None:
        random = np.random.default_rng(seed)
        self._setting = setting
        self._slates = _all_slates(setting.items, setting.places)
        count = len(self._slates)
        rows, chances, wanted, rates = [], [], [], []
        for context in range(_CONTEXTS):
            utilities = random.normal(size=setting.items)
            # What is predicted is right but for noise, and places below are looked at less.
            liking = utilities + random.normal(scale=0.7, size=setting.items)
            predicted = {"click": setting.rate * np.exp(utilities - 0.5)}
            base = np.clip(setting.rate * np.exp(liking - 0.75), 0, 0.6)
            rates.append(base[self._slates] / np.arange(1, setting.places + 1))
            for slate in self._slates:
                row = _logged(setting, context, slate, utilities, predicted)
                whole = weighed(row, _candidates_of(row), setting.target)
                rows.append(whole)
                chances.append(row.propensities.prod())
                wanted.append(row.propensities.prod() * whole.ratios.prod())
        self._rows = weighed_log(rows)
        self._chances = np.array(chances).reshape(_CONTEXTS, count)
        self._wanted = np.array(wanted).reshape(_CONTEXTS, count)
        self._rates = np.stack(rates)

    def truth(self) -> float:
        """Return what the target earns a slate."""
        return float((self._wanted[:, :, None] * self._rates).sum() / _CONTEXTS)

    def drawn(self, random: np.random.Generator) -> WeighedLog:
        """Return a log of one run."""
        setting = self._setting
        contexts = random.integers(_CONTEXTS, size=setting.slates)
        cumulated = self._chances.cumsum(axis=1)[contexts]
        slates = (cumulated < random.random(setting.slates)[:, None] * cumulated[:, -1:]).sum(
            axis=1
        )
        users = random.integers(setting.users, size=setting.slates)
        # With a mean of 1, so that the truth stays what it is.
        keen = random.uniform(1 - _USER_SPREAD, 1 + _USER_SPREAD, setting.users)
        rates = self._rates[contexts, slates] * keen[users][:, None]
        rewards = (random.random(rates.shape) < rates).astype(np.float64)
        return _taken(self._rows, contexts * len(self._slates) + slates, users, rewards)


def _taken(log: WeighedLog, rows: Ordinals, users: Ordinals, rewards: Float64s) -> WeighedLog:
    return WeighedLog(
        users,
        log.lengths[rows],
        log.ratios[rows],
        rewards,
        log.taken[rows],
        log.expected[rows],
        log.unmet[rows],
        None if log.marginal is None else log.marginal[rows],
        None if log.whole is None else log.whole[rows],
        log.why_no_marginal,
        log.why_no_whole,
    )


def _all_slates(items: int, places: int) -> Ordinals:
    every = np.stack(np.meshgrid(*[np.arange(items)] * places, indexing="ij"), -1)
    slates = every.reshape(-1, places)
    once = [len(set(slate.tolist())) == places for slate in slates]
    found: Ordinals = slates[once]
    return found


def _logged(
    setting: Setting,
    context: int,
    slate: Ordinals,
    utilities: Float64s,
    predicted: Mapping[str, Float64s],
) -> LoggedSlate:
    """Return a slate with its propensities, by a few lines of their own."""
    kind, parameter = setting.exploration.policy, setting.exploration.parameter
    weigh: Mapping[str, Callable[[Float64s], Float64s]] = {
        "plackett_luce_temperature": lambda left: (
            np.exp(left / parameter) / np.exp(left / parameter).sum()
        ),
        "epsilon": lambda left: (
            (1 - parameter) * (left == left.max())
            + parameter / np.isfinite(left).sum() * np.isfinite(left)
        ),
    }
    allowed = np.ones((setting.places, setting.items), np.bool_)
    propensities = np.empty(setting.places)
    left = utilities.copy()
    for place, item in enumerate(slate.tolist()):
        allowed[place] = np.isfinite(left)
        propensities[place] = weigh[kind](left)[item]
        left[item] = -np.inf
    names = tuple(f"i{number}" for number in range(setting.items))
    candidates = Candidates(names, slate, utilities, predicted, allowed)
    return LoggedSlate(
        "s", f"u{context}", tuple(names[item] for item in slate.tolist()), propensities,
        np.zeros(setting.places), {}, candidates, setting.exploration,
    )  # fmt: skip


def _candidates_of(slate: LoggedSlate) -> Candidates:
    assert slate.candidates is not None
    return slate.candidates


def _main() -> None:
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    for title, setting in SETTINGS.items():
        print(title)
        for name, one in coverage(setting, runs).items():
            print(
                f"  {name:15} {one.covered:.3f} of {one.runs:,} (refused {one.refused:,}); "
                f"bias {one.bias_in_errors:+.1f} errors of the mean; spread {one.spread:.4f} "
                f"of {one.truth:.4f}"
            )


if __name__ == "__main__":
    _main()
