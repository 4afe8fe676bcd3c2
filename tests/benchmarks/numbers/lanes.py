"""An event takes the short way: one function a row, each on suites of its own."""

import argparse
from collections.abc import Iterator, Mapping
from pathlib import Path

from tests.benchmarks.lanes.cost import processors, sizes
from tests.benchmarks.lanes.quality import ndcg, sections
from tests.benchmarks.lanes.speed import beside, fresh, pairs, record, through
from tests.benchmarks.numbers.other_commit import ROOT
from tests.benchmarks.numbers.table import Number, Row, measured

ROWS: Mapping[str, tuple[str, Row]] = {
    "cpu": ("<= .25x", processors),
    "through": (">= 5x", through),
    "record": (">= .60, >= 1.5x", record),
    "fresh": ("<= 1.5, <= 2.5", fresh),
    "beside": ("<= 1.3, <= 1.8", beside),
    "rate": (">= 3x", pairs),
    "bytes": ("<= .35x each", sizes),
    "ndcg": (">= .995", ndcg),
    "sections": ("<= 8", sections),
}
"""The bars, said of a row that fails, and what measures it."""


def numbers(arguments: list[str]) -> Iterator[Number]:
    """Measure."""
    parser = argparse.ArgumentParser(prog="numbers lanes")
    parser.add_argument("--rows", nargs="+", choices=[*ROWS], default=[*ROWS])
    parser.add_argument("--rounds", type=int, default=3, help="in turns; some rows need more")
    parser.add_argument("--split", action="store_true", help="ingest and learner as two processes")
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    parser.add_argument("--amazon", action="store_true", help="ndcg of that set, too")
    options = parser.parse_args(arguments)
    yield from measured(ROWS, options)
