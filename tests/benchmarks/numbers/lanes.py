"""An event takes the short way: one function a row, each on suites of its own."""

import argparse
import traceback
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from tests.benchmarks.lanes.cost import processors, sizes
from tests.benchmarks.lanes.quality import ndcg, sections
from tests.benchmarks.lanes.speed import beside, fresh, pairs, record, through
from tests.benchmarks.numbers.other_commit import ROOT
from tests.benchmarks.numbers.table import Number

Row = Callable[[argparse.Namespace], Iterator[Number]]
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
    for name in options.rows:
        bar, row = ROWS[name]
        try:
            yield from row(options)
        except Exception as error:
            # Whatever it is, the other rows are worth their time.
            traceback.print_exc()
            why = [type(error).__name__, *str(error).split("\n")[-1:]]
            yield Number(name, bar, f"failed: {': '.join(why)}"[:300], False)
