"""Rows of `make numbers ONLY=speed`: each can be asked for, and none stops the others."""

import argparse
from collections.abc import Iterator

import pytest

from tests.benchmarks.numbers import speed
from tests.benchmarks.numbers.table import Number
from tests.benchmarks.speed.figures import Figure


def test_a_row_that_fails_does_not_stop_the_others(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def good(options: argparse.Namespace) -> Iterator[Number]:
        yield Number("good", "<= 1", str(options.rounds), True)

    def bad(_options: argparse.Namespace) -> Iterator[Number]:
        yield Number("first of bad", "-", "-", None)
        raise RuntimeError("no\nranker")

    monkeypatch.setattr(speed, "ROWS", {"bad": ("<= 2", bad), "good": ("<= 1", good)})
    found = list(speed.numbers(["--rounds", "3"]))
    assert [(one.what, one.measured, one.met) for one in found] == [
        ("first of bad", "-", None),
        ("bad", "failed: RuntimeError: ranker", False),
        ("good", "3", True),
    ]
    assert "RuntimeError" in capsys.readouterr().err


def test_rows_are_chosen_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    def row(_options: argparse.Namespace) -> Iterator[Number]:
        yield Number("it", "-", "-", None)

    monkeypatch.setattr(speed, "ROWS", {"a": ("", row), "b": ("", row)})
    assert len(list(speed.numbers(["--rows", "b"]))) == 1
    with pytest.raises(SystemExit):
        list(speed.numbers(["--rows", "c"]))


def test_every_item_count_of_recommend_has_bars_for_the_callers_that_are_measured() -> None:
    # As in the issue: 1, 8 and 32 callers.
    assert [list(bars) for bars in speed._OF_ECHO.values()] == [[1, 8, 32]] * 2


def test_the_second_of_a_flip_is_told_from_the_others() -> None:
    each = [(float(number) / 100, 0.01) for number in range(600)]
    each[450] = (4.5, 0.5)
    each[451] = (4.51, 0.4)
    assert speed._p99(each, 4, 5) == 0.4
    assert speed._p99(each, 3, 4) == 0.01


def test_times_over_those_of_then_are_taken_round_by_round() -> None:
    seconds = {"then": [0.010, 0.100, 0.010], "now": [0.004, 0.040, 0.005]}
    found = speed._over("it", 0.40, seconds, "then", "now")
    assert found.met
    assert found.measured.startswith("0.40x (5.00 over 10.00 ms")
    assert not speed._over("it", 0.39, seconds, "then", "now").met


def test_a_ratio_is_said_with_what_it_is_of() -> None:
    figure = Figure("it", "calls/s", True, "echo", [4e3, 4e3], {"this": [1e3, 1e3]})
    assert speed._said(figure, "this") == "0.25 (1,000 over 4,000 calls/s)"
