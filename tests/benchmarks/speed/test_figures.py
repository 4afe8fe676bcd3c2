"""When a ratio has fallen by more than its noise: rounds by chance, whose truth is known."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.benchmarks.speed.figures import LEAST_NOISE, Change, Figure, change, spread

ROUNDS = 5
RUNS = 1_000
VALUES = st.lists(st.floats(1e-3, 1e6), min_size=1, max_size=15)


def figure(floor: list[float], then: list[float], now: list[float], *, more: bool) -> Figure:
    return Figure("it", "calls/s" if more else "us", more, "echo", floor,
                  {"then": then, "now": now})  # fmt: skip


def compared(speed: float, noise: float, seed: int) -> Change:
    """Return how a product changed whose speed is now `speed` times what it was; each value off by
    `noise`, and all of a round off by as much as a busy machine makes them.
    """
    rng = np.random.default_rng(seed)
    busy = rng.uniform(0.3, 1, ROUNDS)
    floor, then, now = (
        (busy * rate * np.exp(noise * rng.standard_normal(ROUNDS))).tolist()
        for rate in (4_000, 1_000, 1_000 * speed)
    )
    return change(figure(floor, then, now, more=True), "then", "now")


def test_what_did_not_change_seldom_falls() -> None:
    alarms = sum(compared(1.0, 0.04, seed).fell for seed in range(RUNS))
    assert alarms < 0.06 * RUNS


def test_what_fell_by_a_quarter_is_found() -> None:
    found = sum(compared(0.75, 0.04, seed).fell for seed in range(RUNS))
    assert found > 0.95 * RUNS


def test_what_became_faster_does_not_fall() -> None:
    assert not any(compared(1.5, 0.04, seed).fell for seed in range(RUNS))


@pytest.mark.parametrize("disturbed", range(ROUNDS))
def test_one_disturbed_round_says_nothing(disturbed: int) -> None:
    now = [1_000.0, 1_010.0, 995.0, 1_005.0, 990.0]
    now[disturbed] /= 10
    found = change(figure([4_000.0] * ROUNDS, [1_000.0] * ROUNDS, now, more=True), "then", "now")
    assert not found.fell


def test_a_floor_that_moves_with_the_product_is_no_change() -> None:
    busy = [1.0, 0.5, 0.2, 0.9, 0.4]
    found = change(
        figure([4_000 * one for one in busy], [1_000 * one for one in busy],
               [1_000 * one for one in busy], more=True), "then", "now",
    )  # fmt: skip
    assert found == Change("it", 0.25, 0.25, 1.0, LEAST_NOISE)


def test_twice_the_time_is_half_the_share() -> None:
    found = change(figure([10.0] * 5, [20.0] * 5, [40.0] * 5, more=False), "then", "now")
    assert (found.then, found.now, found.quotient) == (0.5, 0.25, 0.5)
    assert found.fell


def test_a_change_within_the_least_noise_is_none() -> None:
    now = 1_000 * (1 - LEAST_NOISE / 2)
    found = change(figure([4e3] * 5, [1e3] * 5, [now] * 5, more=True), "then", "now")
    assert not found.fell


@given(VALUES, st.floats(1e-3, 1e3))
def test_noise_is_relative(values: list[float], factor: float) -> None:
    one, other = spread(values), spread([factor * value for value in values])
    assert other.noise == pytest.approx(one.noise, rel=1e-6)
    assert other.median == pytest.approx(factor * one.median)
    assert one.least <= one.median <= one.most
    assert one.noise >= LEAST_NOISE


@pytest.mark.parametrize("values", [[], [1.0, 0.0], [1.0, -1.0]])
def test_what_has_no_share_is_refused(values: list[float]) -> None:
    with pytest.raises(ValueError, match="above 0"):
        spread(values)
