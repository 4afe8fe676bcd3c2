"""Slates that a product team controls: one function a row, each against its bar."""

import argparse
import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from threadpoolctl import threadpool_limits

from services.common.expressions.expression import parse_filter
from services.common.expressions.request import Request
from tests.benchmarks import selection_chances
from tests.benchmarks.numbers.other_commit import ROOT
from tests.benchmarks.numbers.table import Number, Row, measured
from tests.benchmarks.slates.diversity import diversity
from tests.benchmarks.slates.experiments import (
    false_alarms_on_clicks,
    false_alarms_on_values,
    lift_found,
)
from tests.benchmarks.slates.off_policy import figures
from tests.benchmarks.slates.replayed import replayed
from tests.benchmarks.slates.shop import RICH, Asked, Shop, surface
from tests.benchmarks.slates.violations import violations

_ITEMS = 100_000
_ESTIMATORS = ("ips", "snips", "dr")


def rules(options: argparse.Namespace) -> Iterator[Number]:
    """Count slates that hold what they must not, or lack what they must have."""
    wrong = list(violations(options.slates))
    for one in wrong[:5]:
        print(one, flush=True)
    yield Number(
        "gates, exclusions, seen, pins, caps, numbers over generated surfaces and requests",
        "0 violations", f"{len(wrong)} in {options.slates:,} slates", not wrong,
        {"first": wrong[:20]},
    )  # fmt: skip


def replays(options: argparse.Namespace) -> Iterator[Number]:
    """Count the same in replays of real histories."""
    for name, slates, items, wrong in replayed(options.data, options.every):
        for one in wrong[:5]:
            print(one, flush=True)
        yield Number(
            f"{name}: gates, exclusions, seen, pins, caps, numbers in a replay", "0 violations",
            f"{len(wrong)} in {slates:,} slates of {items:,} items", not wrong,
            {"first": wrong[:20]},
        )  # fmt: skip


def latency(options: argparse.Namespace) -> Iterator[Number]:
    """Measure slates with a filter, and of a rich surface, over plain ones, in turns."""
    store, rich = Shop(_ITEMS), surface(RICH)
    wanted = store.wanted(surface({}))._replace(
        expression=parse_filter("item.numbers.price < 10.0"), request=Request()
    )
    runs: Mapping[str, Callable[[int], int]] = {
        "plain": store.plain,
        "filter": lambda number: store.plain(number, wanted),
        "rich": lambda number: store.shaped(rich, Asked(number, 10, number)).items.size,
    }
    taken: dict[str, list[float]] = {name: [] for name in runs}
    sizes = {name: run(0) for name, run in runs.items()}
    with threadpool_limits(limits=1):
        for number in range(options.repeats):
            for name, run in runs.items():
                began = time.thread_time()
                run(number)
                taken[name].append(time.thread_time() - began)
    # After a first look of each user, as of one who comes back.
    medians = {name: statistics.median(own[50:]) * 1e6 for name, own in taken.items()}
    for name, bar, what in (
        ("filter", 1.3, "a CEL filter that keeps 1% of 100,000 items, over the unfiltered slate"),
        ("rich", 1.5, "6 sources, 5 rules, DPP, Plackett-Luce, over the plain slate"),
    ):
        ratio = medians[name] / medians["plain"]
        yield Number(
            what, f"<= {bar}x",
            f"{ratio:.2f}x ({medians[name]:,.0f} over {medians['plain']:,.0f} us of CPU; "
            f"{sizes[name]} of 10 slots)",
            ratio <= bar and sizes[name] == 10, {"medians_us": medians},
        )  # fmt: skip


def chances(options: argparse.Namespace) -> Iterator[Number]:
    """Hold propensities against draws, by chi-square."""
    for name, _, found in selection_chances.chances(options.draws, options.policies):
        yield Number(
            f"{name}: propensities against {options.draws:,} draws, chi-square", "p > .01",
            f"p = {found:.3f}", found > 0.01,
        )  # fmt: skip


def coverage(options: argparse.Namespace) -> Iterator[Number]:
    """Measure how often 95% intervals hold the truth, in the least of five worlds."""
    found = figures(options.runs)
    for name in _ESTIMATORS:
        covered = found[f"{name} coverage"]
        yield Number(
            f"{name}: coverage of 95% intervals over {options.runs:,} simulated runs", ">= .93",
            f"{covered:.3f}", covered >= 0.93, found,
        )  # fmt: skip


def experiments(options: argparse.Namespace) -> Iterator[Number]:
    """Count false alarms of experiments that are looked at all the time, and what a lift takes."""
    alarms = max(false_alarms_on_clicks(), false_alarms_on_values())
    yield Number(
        "A/A experiments looked at after every 100 exposures, 1,000 runs: false alarms", "<= 5%",
        f"{alarms:.1%}", alarms <= 0.05,
    )  # fmt: skip
    found = lift_found().at_power
    yield Number(
        "a true 5% lift is found by 80% of runs, over a fixed-horizon test's sample size",
        "<= 1.6x", f"{found:.2f}x", found <= 1.6,
    )  # fmt: skip


def diverse(options: argparse.Namespace) -> Iterator[Number]:
    """Measure how alike items of slates are by the strength of diversity, and what it costs."""
    for one in diversity(options.data, options.every):
        base, default = one.found[0], one.found[1]
        said = ", ".join(f"{each.likeness:.3f} at {each.strength:g}" for each in one.found)
        yield Number(
            f"{one.name}: mean cosine within slates, by strength ({one.method.value})",
            "falls at each step", said, one.falls,
            {"found": [each._asdict() for each in one.found]},
        )  # fmt: skip
        loss = 1.0 - default.ndcg / base.ndcg
        yield Number(
            f"{one.name}: loss of NDCG@10 at the default strength, {default.strength:g}", "<= 1%",
            f"{loss:.2%} ({default.ndcg:.4f} over {base.ndcg:.4f}, {one.events:,} events)",
            loss <= 0.01,
        )  # fmt: skip


ROWS: Mapping[str, tuple[str, Row]] = {
    "rules": ("0 violations", rules),
    "replays": ("0 violations", replays),
    "latency": ("<= 1.3x, 1.5x", latency),
    "chances": ("p > .01", chances),
    "coverage": (">= .93", coverage),
    "diversity": ("<= 1%", diverse),
    "experiments": ("<= 5%, 1.6x", experiments),
}
"""The bars, said of a row that fails, and what measures it."""


def numbers(arguments: list[str]) -> Iterator[Number]:
    """Measure."""
    parser = argparse.ArgumentParser(prog="numbers slates")
    parser.add_argument("--rows", nargs="+", choices=[*ROWS], default=[*ROWS])
    parser.add_argument("--slates", type=int, default=1_000_000, help="that are looked at")
    parser.add_argument("--repeats", type=int, default=500, help="slates of each kind")
    parser.add_argument("--draws", type=int, default=1_000_000, help="of each policy")
    parser.add_argument("--policies", default="Plackett", help="only those with this in the name")
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    parser.add_argument("--every", type=int, default=2, help="one of so many groups is ranked")
    parser.add_argument("--runs", type=int, default=1000, help="simulated logs of each world")
    yield from measured(ROWS, parser.parse_args(arguments))
