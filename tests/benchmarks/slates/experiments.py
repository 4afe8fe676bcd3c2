"""Do experiments hold what they promise at every look? Two simulations.

Their bias: units are independent and come in at equal shares; nobody returns, nothing drifts. Two
metrics: a click of 10%, and a skewed value (log-normal) with a covariate, for CUPED. The lift is
just as large as planned for, the best case of the boundary (docs/experiments.md has others).
Blocks of EACH units are drawn as a whole where that has the same distribution (clicks: binomial).

Run as `python -m tests.benchmarks.slates.experiments`: a minute.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from services.evaluation.experiments.difference import ALPHA, difference
from services.evaluation.experiments.sample_size import fixed_horizon
from services.evaluation.experiments.sums import Floats, Sums

EACH = 100
RUNS = 1000
RATE = 0.1
LIFT = 0.05
POWER = 0.8
_SKEW = 1.0


@dataclass(frozen=True, slots=True)
class Found:
    """Units until a true lift is found, over those of a fixed-horizon test at 80% power.

    mean, median: over the runs. at_power: 80% of the runs need fewer: the same power as that test.
    power: runs that find it within 1.6 times. wrong: runs that find the opposite.
    """

    mean: float
    median: float
    at_power: float
    power: float
    wrong: float


def planned_units(lift: float = LIFT) -> int:
    """Units of a fixed-horizon test for a lift on a click rate of RATE."""
    lifted = RATE * (1 + lift)
    variances = RATE * (1 - RATE), lifted * (1 - lifted)
    return fixed_horizon(RATE * lift, *variances, ALPHA, POWER)


def false_alarms_on_clicks(runs: int = RUNS, seed: int = 1, longest: int = 6) -> float:
    """Share of A/A runs that any look calls a difference, to longest times the planned units."""
    planned = planned_units()
    rng = np.random.default_rng(seed)
    alarms = 0
    for _ in range(runs):
        control, treatment = _clicks(rng, RATE, RATE, longest * planned // EACH)
        alarms += bool(difference(control, treatment, planned).decided.any())
    return alarms / runs


def false_alarms_on_values(runs: int = RUNS, seed: int = 2, looks: int = 200) -> float:
    """The same for a skewed value with CUPED, to looks of EACH units."""
    rng = np.random.default_rng(seed)
    alarms = 0
    for _ in range(runs):
        control, treatment = _values(rng, looks)
        alarms += bool(difference(control, treatment, looks * EACH / 2).decided.any())
    return alarms / runs


def lift_found(runs: int = RUNS, seed: int = 3, longest: int = 6, lift: float = LIFT) -> Found:
    """How soon a true lift on clicks is found, in an experiment planned for LIFT.

    Units are over those that a fixed-horizon test for `lift` needs; runs end at longest times that.
    """
    planned, needed = planned_units(), planned_units(lift)
    rng = np.random.default_rng(seed)
    units, wrong = [], 0
    for _ in range(runs):
        control, treatment = _clicks(rng, RATE, RATE * (1 + lift), longest * needed // EACH)
        found = difference(control, treatment, planned)
        first = int(found.decided.argmax())
        decided = bool(found.decided[first])
        units.append((first + 1) * EACH if decided else longest * needed)
        wrong += decided and bool(found.high[first] < 0)
    over = np.asarray(units) / needed
    return Found(
        float(over.mean()),
        float(np.median(over)),
        float(np.quantile(over, POWER)),
        float((over <= 1.6).mean()),
        wrong / runs,
    )


def _clicks(
    rng: np.random.Generator, control: float, treatment: float, looks: int
) -> tuple[Sums, Sums]:
    treated = rng.binomial(EACH, 0.5, looks)
    return (
        _click_sums(EACH - treated, rng.binomial(EACH - treated, control)),
        _click_sums(treated, rng.binomial(treated, treatment)),
    )


def _click_sums(units: npt.NDArray[np.int64], clicks: npt.NDArray[np.int64]) -> Sums:
    """Sums at every look; a click is its own square."""
    count, value = units.cumsum().astype(np.float64), clicks.cumsum().astype(np.float64)
    nothing = np.zeros_like(count)
    return Sums(count, value, value, nothing, nothing, nothing)


def _values(rng: np.random.Generator, looks: int) -> tuple[Sums, Sums]:
    shared = rng.standard_normal((looks, EACH))
    value = np.exp(_SKEW * (0.8 * shared + 0.6 * rng.standard_normal((looks, EACH))))
    covariate = np.exp(_SKEW * shared)
    treated = rng.integers(2, size=(looks, EACH)).astype(np.float64)
    return _sums(1 - treated, value, covariate), _sums(treated, value, covariate)


def _sums(inside: Floats, value: Floats, covariate: Floats) -> Sums:
    own, known = inside * value, inside * covariate
    fields = inside, own, own * own, known, known * known, own * known
    return Sums(*(field.sum(axis=1).cumsum() for field in fields))


def main() -> None:
    """Print both figures, and the second for lifts other than planned."""
    print(f"planned for {planned_units():,} units of both variants")
    print(f"A/A, clicks: {false_alarms_on_clicks():.1%} false alarms of {RUNS:,} runs")
    print(f"A/A, values with CUPED: {false_alarms_on_values():.1%}")
    for lift in (LIFT, LIFT / 2, LIFT * 2):
        print(f"lift of {lift:.1%}: {lift_found(lift=lift)}", flush=True)


if __name__ == "__main__":
    main()
