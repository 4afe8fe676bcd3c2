"""Runs a bench, or compares with an older commit.

    python -m tests.benchmarks.speed BENCH [--rounds 5] [--keep]         make bench ONLY=recommend
    python -m tests.benchmarks.speed BENCH... --against COMMIT           make bench-compare REV=...

Prints the table, and writes report, plots and all rounds to .harken/bench/BENCH. `--keep` adds a
line to the trend file, to be committed. With `--against` it fails (1) when a ratio fell by more
than its noise.
"""

import argparse
import contextlib
import datetime
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.benchmarks import speed
from tests.benchmarks.numbers.other_commit import Tree, this_tree, tree_of
from tests.benchmarks.speed import machine, report, trend
from tests.benchmarks.speed.benches import BENCHES
from tests.benchmarks.speed.figures import Figure, change

FOLDER = Path(".harken") / "bench"
_LEAST_ROUNDS = 5
_QUICK = ("recommend", "slate", "index")
"""Compared when nothing else is asked for."""


def main(arguments: Sequence[str]) -> int:
    """Do what is asked; return the exit code."""
    parser = argparse.ArgumentParser(prog="bench", description=__doc__.splitlines()[0])
    parser.add_argument("benches", nargs="*", choices=[*BENCHES, []], help="all when comparing")
    parser.add_argument("--rounds", type=_rounds, default=_LEAST_ROUNDS)
    parser.add_argument("--seconds", type=float, default=1.0, help="of one measurement under load")
    parser.add_argument("--items", type=int, nargs="+", default=[], help="in place of the usual")
    parser.add_argument("--aio", action="store_true", help="by a client of grpc.aio, too")
    parser.add_argument("--keep", action="store_true", help="add a line to the trend file")
    parser.add_argument("--against", metavar="COMMIT", help="compare with it")
    options = parser.parse_args(arguments)
    if options.against:
        return _compare(options, options.benches or _QUICK)
    if not options.benches:
        parser.error(f"say which: {', '.join(BENCHES)}")
    for name in options.benches:
        _run(options, name)
    return 0


def _rounds(text: str) -> int:
    if int(text) < _LEAST_ROUNDS:
        raise argparse.ArgumentTypeError(f"at least {_LEAST_ROUNDS}, or noise cannot be told")
    return int(text)


def _measured(options: argparse.Namespace, name: str, trees: Sequence[Tree]) -> list[Figure]:
    found = []
    for figure in BENCHES[name](options, trees):
        found.append(figure)
        print(f"{name}: {report.bars([figure], trees[-1].name)}", flush=True)
    return found


def _run(options: argparse.Namespace, name: str) -> None:
    tree = this_tree()
    figures = _measured(options, name, [tree])
    hardware = machine.hardware()
    run = trend.kept(
        figures, tree.name, date=datetime.date.today().isoformat(), commit=machine.commit(),
        bench=name, hardware=hardware, versions=machine.versions(),
    )  # fmt: skip
    if options.keep:
        trend.append(run)
    runs = trend.read(name, hardware)
    bias = " ".join((speed.__doc__ or "").split())
    written = report.write(
        FOLDER / name, run, figures, runs if options.keep else [*runs, run], tree.name, bias
    )
    print("\n" + report.table(figures, tree.name))
    print("\n".join(report.notes(figures)))
    print(f"\n{written}", flush=True)


def _compare(options: argparse.Namespace, names: Sequence[str]) -> int:
    changes = []
    with contextlib.ExitStack() as stack:
        then = stack.enter_context(tree_of(options.against))
        trees = [then, this_tree()]
        for name in names:
            changes += [change(figure, then.name, trees[-1].name)
                        for figure in _measured(options, name, trees)]  # fmt: skip
    print("\n" + report.changes_table(changes, options.against))
    fell = [one.name for one in changes if one.fell]
    print(f"\n{len(changes) - len(fell)} of {len(changes)} ratios held"
          + (f"; fell: {'; '.join(fell)}" if fell else ""))  # fmt: skip
    return 1 if fell else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
