"""The bootstrap over users: against what theory says, and against a loop."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.system.calibration import Calibration
from services.system.intervals import draw_users


def test_the_interval_is_that_of_the_normal_approximation_over_users() -> None:
    random = np.random.default_rng(1)
    users = np.repeat(np.arange(400), 5)
    # All events of a user are alike: 2000 events say no more than 400 users.
    values = np.repeat(random.normal(0.3, 0.1, 400), 5)
    found = draw_users(users, values[:, np.newaxis], 2000, seed=2).mean(0)
    assert found is not None
    error = values[::5].std() / np.sqrt(400)
    assert found.low == pytest.approx(values.mean() - 1.96 * error, abs=0.15 * error)
    assert found.high == pytest.approx(values.mean() + 1.96 * error, abs=0.15 * error)


def test_ratios_are_paired() -> None:
    """Arms that differ by a factor have that ratio in every draw, however users differ."""
    random = np.random.default_rng(3)
    users = random.integers(0, 50, 500)
    base = random.random(500)
    draws = draw_users(users, np.stack([2 * base, base], axis=1), 500, seed=4)
    ratio = draws.ratio(0, 1)
    assert ratio == pytest.approx((2.0, 2.0))
    mean = draws.mean(0)
    assert mean is not None
    assert mean.high - mean.low > 0.05


@given(st.lists(st.tuples(st.integers(0, 4), st.floats(0, 1)), min_size=1, max_size=20))
def test_every_draw_is_as_many_users_with_all_their_events(events: list[tuple[int, float]]) -> None:
    users = np.array([user for user, _ in events])
    values = np.array([[value] for _, value in events])
    draws = draw_users(users, values, 20, seed=5)
    distinct = sorted(set(users.tolist()))
    own = {u: (sum(v for w, v in events if w == u), sum(w == u for w, _ in events))
           for u in distinct}  # fmt: skip
    generator = np.random.default_rng(5)
    for drawn_sum, drawn_count in zip(draws.sums[:, 0], draws.counts, strict=True):
        times = generator.multinomial(len(distinct), np.full(len(distinct), 1 / len(distinct)))
        assert drawn_count == sum(n * own[u][1] for n, u in zip(times, distinct, strict=True))
        assert drawn_sum == pytest.approx(
            sum(n * own[u][0] for n, u in zip(times, distinct, strict=True))
        )


def test_nothing_to_draw_from() -> None:
    draws = draw_users(np.zeros(0, np.int64), np.zeros((0, 2)), 10, seed=1)
    assert draws.mean(0) is None
    assert draws.ratio(0, 1) is None
    zeros = draw_users(np.arange(5), np.zeros((5, 2)), 10, seed=1)
    assert zeros.ratio(0, 1) is None


def test_calibration_error_of_honest_and_of_overconfident_probabilities() -> None:
    random = np.random.default_rng(6)
    truth = random.uniform(0.001, 0.2, 500_000)
    happened = random.random(truth.size) < truth
    honest, boastful = Calibration(), Calibration()
    honest.add(truth, happened)
    boastful.add(np.minimum(1.0, 3 * truth), happened)
    assert honest.error() == pytest.approx(0.0, abs=0.003)
    assert boastful.error() == pytest.approx(2 * truth.mean(), abs=0.01)
    assert Calibration().error() is None
