"""Lines of the trend file, and the report of a run."""

import json
from pathlib import Path

import pytest

from tests.benchmarks.speed import report, trend
from tests.benchmarks.speed.figures import Change, Figure

HARDWARE: dict[str, str | int] = {
    "processor": "one that is fast", "processors": 2, "memory_gib": 24, "system": "Linux 6",
}  # fmt: skip
FIGURES = [
    Figure("8 callers", "calls/s", True, "bare echo", [4e3, 5e3, 4e3], {"this": [1e3, 1e3, 2e3]},
           {"note": "8 callers: the client took 20% of one processor"}),
    Figure("after 25 ms", "us", False, "bare echo", [700.0, 700.0, 700.0],
           {"this": [1400.0, 2800.0, 1400.0]}),
]  # fmt: skip


def run(commit: str = "abc", bench: str = "recommend", **hardware: int) -> trend.Kept:
    return trend.kept(
        FIGURES, "this", date="2026-11-28", commit=commit, bench=bench,
        hardware={**HARDWARE, **hardware}, versions={"python": "3.11.7"},
    )  # fmt: skip


def test_a_run_is_kept_by_its_medians() -> None:
    found = run()
    assert found.rounds == 3
    assert {name: ratio for name, (ratio, _) in found.ratios.items()} == {
        "8 callers": 0.25, "after 25 ms": 0.5,
    }  # fmt: skip
    assert found.values == {"8 callers": "1000 calls/s", "after 25 ms": "1400 us"}


def test_lines_are_read_as_they_were_written(tmp_path: Path) -> None:
    file = tmp_path / "folder" / "trend.jsonl"
    for commit in ("a", "b"):
        trend.append(run(commit), file)
    assert trend.read("recommend", HARDWARE, file) == [run("a"), run("b")]
    assert len(file.read_text().splitlines()) == 2


def test_other_benches_and_processors_are_left_out(tmp_path: Path) -> None:
    file = tmp_path / "trend.jsonl"
    for one in (run("a"), run("b", bench="record"), run("c", processors=64)):
        trend.append(one, file)
    # Another kernel on the same processor is the same machine.
    trend.append(run("d", memory_gib=32), file)
    assert [one.commit for one in trend.read("recommend", HARDWARE, file)] == ["a", "d"]


def test_no_file_is_no_runs(tmp_path: Path) -> None:
    assert trend.read("recommend", HARDWARE, tmp_path / "trend.jsonl") == []


@pytest.mark.parametrize("line", ["no JSON", "{}", "[]", '{"ratios": {"a": 1}}'])
def test_a_broken_line_is_named(tmp_path: Path, line: str) -> None:
    file = tmp_path / "trend.jsonl"
    trend.append(run(), file)
    file.write_text(file.read_text() + line + "\n")
    with pytest.raises(ValueError, match=r"trend\.jsonl, line 2: "):
        trend.read("recommend", HARDWARE, file)


def test_the_committed_trend_can_be_read() -> None:
    trend.read("recommend", HARDWARE)


def test_a_report_says_what_was_measured_on_what(tmp_path: Path) -> None:
    one = run()
    text = report.write(tmp_path, one, FIGURES, [one], "this", "Its bias.").read_text()
    for said in (
        "# recommend at abc, 2026-11-28", "processor one that is fast", "python 3.11.7", "3 rounds",
        "Its bias.", "**0.250** (0.200 to 0.500)", "client took 20%", "4,000 calls/s",
    ):  # fmt: skip
        assert said in text
    found = json.loads((tmp_path / "rounds.json").read_text())
    assert found["figures"][1]["products"]["this"] == [1400.0, 2800.0, 1400.0]
    assert found["hardware"] == HARDWARE


def test_a_report_without_matplotlib_has_bars(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(report, "plot", lambda *_given: [])
    text = report.write(tmp_path, run(), FIGURES, [], "this", "").read_text()
    assert "8 callers   ##########.............................. 0.250" in text


def test_plots_are_drawn(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    assert report.plot(FIGURES, [run("a")], tmp_path, "this") == ["ratios.png"]
    names = report.plot(FIGURES, [run("a"), run("b")], tmp_path, "this")
    assert names == ["ratios.png", "trend.png"]
    assert all((tmp_path / name).stat().st_size for name in names)


def test_a_table_of_runs_has_a_column_for_each() -> None:
    other = Figure("new", "us", False, "echo", [1.0], {"this": [2.0]})
    later = trend.kept([other], "this", date="2026-11-29", commit="b", bench="recommend",
                       hardware=HARDWARE, versions={})  # fmt: skip
    assert report.trend_table([run("a"), later]).splitlines()[2:] == [
        "| 8 callers | 0.250 | - |", "| after 25 ms | 0.500 | - |", "| new | - | 0.500 |",
    ]  # fmt: skip


def test_changes_say_what_fell() -> None:
    table = report.changes_table(
        [Change("a", 0.5, 0.4, 0.8, 0.05), Change("b", 0.5, 0.49, 0.98, 0.05)], "v1"
    )
    assert table.splitlines()[2:] == [
        "| a | 0.500 | 0.400 | 0.800 | 5% | **yes** |", "| b | 0.500 | 0.490 | 0.980 | 5% | no |",
    ]  # fmt: skip
