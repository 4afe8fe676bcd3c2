"""Rows of `make numbers ONLY=learning`, on histories small enough for a test."""

import argparse
import math
from pathlib import Path

import numpy as np
import pytest

from services.evaluation.outcomes import ArmCost, ArmOutcome, Outcomes
from services.evaluation.protocol import Repeats
from tests.benchmarks.learning.calibrated import calibration_error
from tests.benchmarks.learning.runs import HIT_RATE, Runs, compared
from tests.benchmarks.learning.sets import EVERY, SHOPS, Set, sets_of
from tests.benchmarks.learning.steps import steps
from tests.benchmarks.numbers import learning
from tests.benchmarks.numbers.__main__ import measures
from tests.benchmarks.numbers.table import Number
from tests.evaluation.histories import events_of


def small(name: str = "small", events: int = 240) -> Set:
    chance = np.random.default_rng(3)
    rows = [(f"u{n % 9}", f"i{chance.integers(12)}", 1_000 * n) for n in range(events)]
    return Set(name, events_of(rows), Repeats.INCLUDE)


def options(**given: object) -> argparse.Namespace:
    common = {"data": Path(), "sets": None, "every": None, "quick": False, "sasrec": False}
    return argparse.Namespace(**{**common, **given})


def outcomes(ranks: dict[str, list[float]], times_us: list[int]) -> Outcomes:
    count = len(times_us)
    nothing = np.zeros(count, np.bool_)
    arms = tuple(
        ArmOutcome(name, np.array(found, np.float32), np.zeros(1, np.int64), 0.0, ArmCost())
        for name, found in ranks.items()
    )
    return Outcomes(
        np.arange(count, dtype=np.int32), np.zeros(count, np.int32), np.array(times_us), nothing,
        nothing, nothing, arms, 1, count, count, 0,
    )  # fmt: skip


def test_it_can_be_asked_for_and_rows_are_chosen_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    assert measures()["learning"] is learning.numbers

    def row(options: argparse.Namespace) -> list[Number]:
        return [Number("it", "-", str(options.runs.every), None)]

    monkeypatch.setattr(learning, "ROWS", {"a": ("", row), "b": ("", row)})
    assert [one.measured for one in learning.numbers(["--rows", "a", "--quick"])] == ["4"]
    assert [one.measured for one in learning.numbers(["--every", "7", "--quick"])] == ["7", "7"]
    with pytest.raises(SystemExit):
        list(learning.numbers(["--rows", "c"]))


def test_ratios_are_of_the_means_of_gains() -> None:
    users = np.array([0, 1, 2, 3])
    found = compared(users, np.array([1.0, 3.0, 99.0, np.inf]), np.array([3.0, 3.0, 3.0, np.inf]))
    assert found.value == pytest.approx((1 + 0.5) / 4)
    assert found.base == pytest.approx(3 / math.log2(4) / 4)
    assert found.ratio == pytest.approx(1.0)
    hits = compared(users, np.array([1.0, 11.0, 11.0, 2.0]), np.array([1.0, 11.0, 11.0, 11.0]),
                    HIT_RATE)  # fmt: skip
    assert hits.ratio == pytest.approx(2.0)
    nothing = compared(users, np.full(4, 1.0), np.full(4, np.inf))
    assert nothing.ratio == 0.0
    assert nothing.said().startswith("0.000x (")


def test_prefixes_double_and_hold_what_was_scored_in_them() -> None:
    times = np.arange(3_000) * 10
    # One event scored at the 400th, one at the 900th, one at the last.
    found = outcomes(
        {"full": [1.0, np.inf, 1.0], "prior_blend": [3.0, 1.0, 1.0]}, [3_990, 8_990, 29_990]
    )
    ratios = {length: each.ratio for length, each in learning.prefixes(found, times, 10_000)}
    assert ratios == pytest.approx({500: 2.0, 1_000: 1 / 1.5, 2_000: 1 / 1.5, 3_000: 2 / 2.5})
    shorter = dict(learning.prefixes(found, times, 600))
    assert [*shorter] == [500, 600]


def test_a_prefix_without_anything_right_is_not_compared() -> None:
    found = outcomes({"full": [np.inf, 1.0], "prior_blend": [np.inf, 1.0]}, [10, 7_000])
    assert [n for n, _ in learning.prefixes(found, np.arange(800) * 10, 800)] == [800]


def test_an_evaluation_is_done_once_for_all_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.benchmarks.learning.runs.BASELINES", ("popularity",))
    runs = Runs(options())
    one = small()
    first = runs.beside_baselines(one)
    assert [arm.name for arm in first.outcomes.arms] == ["popularity", "full", "prior_blend"]
    assert runs.beside_baselines(one) is first
    bare = runs.without_content(one)
    assert bare is not first
    # The same events in the same order, so that what two runs found can be paired.
    assert bare.outcomes.times_us.tolist() == first.outcomes.times_us.tolist()
    started = runs.from_the_start(one, 50, 150)
    assert started.outcomes.users.size == 150


def test_sets_that_are_not_there_are_left_out_and_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert list(sets_of(["ml-100k", "made-sessions"], tmp_path)) == []
    said = capsys.readouterr().err
    assert "no ml-100k" in said
    assert "no made-sessions" in said


def test_real_sets_and_scripts_are_read_where_they_are(tmp_path: Path) -> None:
    real = tmp_path / "diginetica-sample"
    real.mkdir()
    (real / "events.csv").write_text("session,item,timestamp,event\na,x,5,view\nb,y,6,view\n")
    script = tmp_path / "made-sessions"
    script.mkdir()
    (script / "make.py").write_text(
        "import sys\nopen('events.csv', 'w').write('timestamp,session,item\\n'"
        " + f'1.5,s{sys.argv[1]},i{sys.argv[3]}\\n')\n"
    )
    first, second = sets_of(["diginetica-sample", "made-sessions"], tmp_path)
    assert list(first.events.user_ids) == ["session:a", "session:b"]
    assert list(second.events.user_ids) == ["session:s4000"]
    assert list(second.events.item_ids) == ["i7"]
    assert first.repeats is second.repeats is Repeats.INCLUDE


def test_only_wanted_sets_are_measured() -> None:
    runs = Runs(options(sets=["flash-1"]))
    assert [one.name for one in runs.sets(SHOPS)] == ["flash-1"]
    assert list(runs.sets(["news-1"])) == []
    assert {"groceries-1", "ml-100k"} < set(EVERY)


def test_probabilities_count_only_after_the_first_slates() -> None:
    one = small(events=300)
    error, slates = calibration_error(one, 0.5, 100, 60, lambda _done: None, dimension=8)
    assert slates == 40
    assert error is not None
    assert 0.0 <= error <= 1.0
    assert calibration_error(one, 0.5, 100, 100, lambda _done: None, dimension=8) == (None, 0)


def test_learners_with_and_without_choices_are_measured_in_turns() -> None:
    said: list[str] = []
    found = steps(2, said.append, items=300, warm=1, dimension=8)
    each = (found.rates_on, found.rates_off, found.single_on, found.single_off)
    assert [len(one) for one in each] == [2] * 4
    assert min(min(one) for one in each) > 0
    assert len(said) == 2
    # What is measured is there with it, and is not there without.
    assert found.choices[0] > 100
    assert found.choices[1] == 0
