"""A file goes in right, or says why: speed and memory of imports, made files, known troubles.

Its bias: client and suite share the machine; ids are as skewed as those of a shop; the learner of
both commits has caught up before an import begins, and goes on learning meanwhile.
"""

import argparse
import asyncio
import json
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from services.cli.catch_up import wait_for_rankers
from services.cli.clients import connect
from services.cli.endpoints import Endpoints
from tests.benchmarks.numbers.cases import checked_cases
from tests.benchmarks.numbers.other_commit import Tree, suite_of, this_tree, tree_of
from tests.benchmarks.numbers.table import Number
from tests.dataset.any_file import any_file
from tests.dataset.round_trip import round_trips
from tests.dataset.test_any_file import check

ITEMS = 20_000
USERS = 200_000
_GIB = 1 << 30
_CATCH_UP_SECONDS = 3600.0


def numbers(arguments: list[str]) -> Iterator[Number]:
    """Measure."""
    parser = argparse.ArgumentParser(prog="numbers data")
    parser.add_argument("--events", type=int, default=10**7, help="of the large import")
    parser.add_argument("--round-events", type=int, default=500_000, help="of one round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--files", type=int, default=20_000, help="made files")
    given_options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="harken-numbers-") as name:
        folder = Path(name)
        yield from known_troubles(folder)
        yield from imports(folder, given_options)
        yield from made_files(folder, given_options.files)


def imports(folder: Path, options: argparse.Namespace) -> Iterator[Number]:
    """Import histories with both commits in turn, then a large one with this one."""
    items = folder / "items.csv"
    items.write_text(
        "item,title,categories\n" + "".join(f"i{n},Thing {n},c{n % 40}\n" for n in range(ITEMS))
    )
    rates: dict[str, list[float]] = {}
    with tree_of() as old:
        new = this_tree()
        with (
            suite_of(old, folder / "old") as old_suite,
            suite_of(new, folder / "new") as new_suite,
        ):
            for tree, suite in ((old, old_suite), (new, new_suite)):
                tree.run(["import", "items", str(items), "--folder", str(suite)])
            for number in range(options.rounds):
                file = folder / "round.csv"
                write_history(file, options.round_events, number)
                for tree, suite in ((old, old_suite), (new, new_suite)):
                    rate, _ = _imported(tree, suite, file, options.round_events)
                    rates.setdefault(tree.name, []).append(rate)
                    print(f"round {number + 1}: {tree.name} {rate:,.0f} rows/s", flush=True)
    ratios = [new_rate / old_rate for old_rate, new_rate in zip(*rates.values(), strict=True)]
    ratio = statistics.median(ratios)
    yield Number(
        f"import of {options.round_events:,} events (CSV), over commit {old.name}, "
        f"{options.rounds} rounds in turn",
        ">= 2x",
        f"{ratio:.2f}x ({statistics.median(rates[new.name]):,.0f} over "
        f"{statistics.median(rates[old.name]):,.0f} rows/s)",
        ratio >= 2,
        {"rates": rates, "ratios": ratios},
    )
    with suite_of(new, folder / "large") as suite:
        new.run(["import", "items", str(items), "--folder", str(suite)])
        file = folder / "large.csv"
        write_history(file, options.events, options.rounds)
        rate, peak = _imported(new, suite, file, options.events, wait=False)
    yield Number(
        f"import of {options.events:,} events (CSV): peak memory of the importing process",
        "<= .5 GiB",
        f"{peak / _GIB:.2f} GiB, {rate:,.0f} rows/s",
        peak <= _GIB / 2,
        {"bytes": peak, "rows_per_second": rate},
    )


def write_history(file: Path, events: int, number: int) -> None:
    """Write a history in order of time; users and items as skewed as those of a shop."""
    drawn = random.Random(number)
    moment = 1_500_000_000 + number * 10_000_000
    with file.open("w") as text:
        text.write("user,item,type,timestamp\n")
        for _ in range(events):
            moment += drawn.random() < 0.5
            user = int(drawn.paretovariate(0.8)) % USERS
            item = int(drawn.paretovariate(0.6)) % ITEMS
            kind = drawn.choice(("view", "view", "view", "add_to_cart", "purchase"))
            text.write(f"u{user},i{item},{kind},{moment}\n")


def _imported(
    tree: Tree, suite: Path, file: Path, rows: int, wait: bool = True
) -> tuple[float, int]:
    """Import a file; return rows a second and peak memory; then wait for the learner."""
    began = time.monotonic()
    process = subprocess.Popen(
        tree.command("import", "events", str(file), "--folder", str(suite)),
        cwd=tree.folder, env=tree.environment, stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    output, _ = process.communicate()
    seconds = time.monotonic() - began
    if process.returncode != 0:
        raise RuntimeError(f"the import of {tree.name} failed")
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024
    position = bytes.fromhex(output.rsplit("position ", 1)[1].split()[0])
    if wait:
        asyncio.run(_caught_up(suite, position))
    return rows / seconds, peak


async def _caught_up(suite: Path, position: bytes) -> None:
    endpoints = Endpoints.read(suite)
    assert endpoints is not None
    async with connect(endpoints) as clients:
        await wait_for_rankers(clients, "default", position, _CATCH_UP_SECONDS)


def made_files(folder: Path, count: int) -> Iterator[Number]:
    """Read, import, evaluate and export made files."""
    done = 0
    began = time.monotonic()
    surprise = ""
    with suite_of(this_tree(), folder / "made") as suite:
        endpoints = Endpoints.read(suite)
        assert endpoints is not None
        with round_trips(endpoints, "made") as checker:

            @settings(max_examples=count, deadline=None, database=None, phases=[Phase.generate],
                      suppress_health_check=list(HealthCheck))  # fmt: skip
            @seed(1)
            @given(st.data())
            def each(data: st.DataObject) -> None:
                nonlocal done
                made = data.draw(any_file(checker.prefix()))
                with tempfile.TemporaryDirectory() as own:
                    check(made, Path(own))
                checker.check(made)
                done += 1
                if done % 1000 == 0:
                    seconds = time.monotonic() - began
                    print(f"made files: {done:,} of {count:,}, {seconds:.0f} s", flush=True)

            try:
                each()
            except Exception as error:
                surprise = f"{type(error).__name__}: {str(error)[:200]}"
                print(surprise, file=sys.stderr)
    yield Number(
        "made files (all formats, mappings, faults): every row accounted for, "
        "import = evaluate = export, and again: all duplicates",
        f"{count:,} files, 0 surprises",
        f"{done:,} files, {surprise or '0 surprises'}",
        done >= count and not surprise,
        {"files": done, "seconds": time.monotonic() - began},
    )


def known_troubles(folder: Path) -> Iterator[Number]:
    """Try the files that people have trouble with."""
    with suite_of(this_tree(), folder / "cases") as suite:
        found = checked_cases(suite, folder)
    if found is None:
        return
    wrong = [name for name, fault in found.items() if fault]
    yield Number(
        "files that people have trouble with (../shared/cases)",
        "all right",
        f"{len(found) - len(wrong)} of {len(found)} right",
        not wrong,
        {"wrong": {name: found[name] for name in wrong}},
    )
    if wrong:
        print(json.dumps({name: found[name] for name in wrong}, indent=1), file=sys.stderr)
