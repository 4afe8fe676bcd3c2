"""Assignment of users to variants: uniform, independent, exclusive, and kept by a ramp."""

import math
from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.common.experiments.assignment import (
    Assignment,
    Experiment,
    Layer,
    Variant,
    assigned,
    shares,
)

WAYS = (Variant("control", 3), Variant("new", 1))
FIRST = Experiment("first", "salt-1", first=0, size=6000, opened=6000, variants=WAYS)
SECOND = Experiment("second", "salt-2", first=6000, size=4000, opened=4000, variants=WAYS)
LAYER = Layer("layer", (FIRST, SECOND))
USERS = [f"user-{number}" for number in range(20_000)]


def squared_distance(counts: list[int], expected: list[float]) -> float:
    return sum((c - e) ** 2 / e for c, e in zip(counts, expected, strict=True))


def below_chance(statistic: float, freedom: int) -> bool:
    """Below the .999 quantile of chi-square, by Wilson and Hilferty's approximation."""
    spread = 2 / (9 * freedom)
    return statistic < freedom * (1 - spread + 3.0902 * math.sqrt(spread)) ** 3


def test_users_fall_into_experiments_and_variants_by_their_shares() -> None:
    found = Counter(assigned(LAYER, user) for user in USERS)
    cells = [(e.name, v.name) for e in (FIRST, SECOND) for v in WAYS]
    counts = [found[Assignment(*cell)] for cell in cells]
    assert sum(counts) == len(USERS)
    expected = [len(USERS) * share for share in (0.45, 0.15, 0.3, 0.1)]
    assert below_chance(squared_distance(counts, expected), 3)


def test_two_experiments_on_the_same_users_are_independent() -> None:
    same = Layer("layer", (replace(FIRST, size=10_000, opened=10_000),))
    other = Layer("layer", (replace(FIRST, size=10_000, opened=10_000, salt="salt-2"),))
    both = Counter((assigned(same, user), assigned(other, user)) for user in USERS)
    names = [Assignment("first", way.name) for way in WAYS]
    counts = [both[one, two] for one in names for two in names]
    expected = [len(USERS) * share for share in (9 / 16, 3 / 16, 3 / 16, 1 / 16)]
    assert below_chance(squared_distance(counts, expected), 3)


@given(user=st.text(), opened=st.tuples(*[st.integers(0, 6000)] * 2))
def test_a_ramp_keeps_who_was_in(user: str, opened: tuple[int, int]) -> None:
    few, many = (
        assigned(Layer("layer", (replace(FIRST, opened=some),)), user) for some in sorted(opened)
    )
    assert few is None or few == many


def test_a_ramp_opens_its_share() -> None:
    half = Layer("layer", (replace(FIRST, opened=3000),))
    inside = sum(assigned(half, user) is not None for user in USERS)
    expected = [0.3 * len(USERS), 0.7 * len(USERS)]
    assert below_chance(squared_distance([inside, len(USERS) - inside], expected), 1)


def test_assignments_stay_as_they_are_across_versions() -> None:
    found = [assigned(LAYER, user) for user in ("a", "b", "é", "")]
    assert found == [
        Assignment("second", "new"),
        Assignment("second", "control"),
        Assignment("first", "new"),
        Assignment("second", "control"),
    ]


def test_salt_and_user_do_not_run_into_each_other() -> None:
    ways = tuple(Variant(str(number), 1) for number in range(1000))
    one = Experiment("e", "ab", 0, 10_000, 10_000, ways)
    left = assigned(Layer("l", (one,)), "cd")
    right = assigned(Layer("l", (replace(one, salt="abc"),)), "d")
    assert left != right


def test_shares_are_relative_weights() -> None:
    assert shares(WAYS) == (0.75, 0.25)


@pytest.mark.parametrize(
    "broken",
    [
        {"first": -1},
        {"size": 0, "opened": 0},
        {"size": 10_001},
        {"opened": 6001},
        {"opened": -1},
        {"variants": ()},
        {"variants": (Variant("a", 0),)},
        {"variants": (Variant("a", 1), Variant("a", 1))},
    ],
)
def test_an_impossible_experiment_is_refused(broken: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="first:"):
        replace(FIRST, **broken)  # type: ignore[arg-type]


def test_two_experiments_of_a_layer_never_share_a_bucket() -> None:
    with pytest.raises(ValueError, match="first and second own the same buckets"):
        Layer("layer", (replace(SECOND, first=5999), FIRST))
