"""It learns on anybody's data: one function a row, arms in one run, 95% intervals over users.

Nothing is set by history: the same constants on all of them, and each history's own rule says
whether what users had before is ranked.
"""

import argparse
import itertools
import statistics
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from services.evaluation.baselines.registry import BASELINES
from services.evaluation.evaluate import Evaluation
from services.evaluation.outcomes import Outcomes
from services.evaluation.system.run import FULL, PRIOR_BLEND
from tests.benchmarks.learning.calibrated import calibration_error
from tests.benchmarks.learning.runs import HIT_RATE, Compared, Runs, compared, ranks_of, said
from tests.benchmarks.learning.sets import EVERY, GIVEN, REAL, SHOPS
from tests.benchmarks.learning.steps import steps
from tests.benchmarks.numbers.other_commit import ROOT
from tests.benchmarks.numbers.table import Number, Row, measured

_SESSIONS = "v_sknn"
_PREFIX_START, _FIRST_PREFIX = 100, 500
_PREFIX_EVENTS, _QUICK_PREFIX_EVENTS = 32_000, 8_000
_ECE_START, _ECE_EVENTS, _ECE_AFTER, _ECE_LEAST = 0.5, 15_000, 5_000, 1_000
_COLD = "ml-latest-small"


def best(options: argparse.Namespace) -> Iterator[Number]:
    """Measure `full` over the best baseline of each set."""
    for one in options.runs.sets(EVERY):
        found = options.runs.beside_baselines(one)
        figures = _ndcg(found)
        name = max((arm for arm in figures if arm in BASELINES), key=lambda arm: figures[arm])
        over = _over(found.outcomes, name)
        yield Number(f"{one.name}: NDCG@10 of full over the best baseline, {name}", ">= 1.03x",
                     over.said(), over.ratio >= 1.03, _details(found, over))  # fmt: skip


def made(options: argparse.Namespace) -> Iterator[Number]:
    """Measure `full` over V-SKNN on made sessions."""
    for one in options.runs.sets((*SHOPS, GIVEN)):
        found = options.runs.beside_baselines(one)
        over = _over(found.outcomes, _SESSIONS)
        yield Number(f"{one.name}: NDCG@10 of full over V-SKNN", ">= 1.05x", over.said(),
                     over.ratio >= 1.05, _details(found, over))  # fmt: skip


def then(options: argparse.Namespace) -> Iterator[Number]:
    """Measure `full` over the same without what choices teach: no loss against before."""
    for one in options.runs.sets([*REAL]):
        found = options.runs.beside_baselines(one)
        over = _over(found.outcomes, PRIOR_BLEND)
        yield Number(f"{one.name}: NDCG@10 of full over prior_blend", ">= 1.00x", over.said(),
                     over.ratio >= 1.0, _details(found, over))  # fmt: skip


def prefix(options: argparse.Namespace) -> Iterator[Number]:
    """Measure the worst prefix of each set: the learned blend over the prior blend."""
    events = _QUICK_PREFIX_EVENTS if options.quick else _PREFIX_EVENTS
    for one in options.runs.sets(EVERY):
        found = options.runs.from_the_start(one, _PREFIX_START, events - _PREFIX_START)
        by_length = dict(prefixes(found.outcomes, one.events.times_us, events))
        length = min(by_length, key=lambda each: by_length[each].ratio)
        worst = by_length[length]
        whole = by_length[max(by_length)]
        yield Number(
            f"{one.name}: worst prefix, full over prior_blend", ">= .99x",
            f"{worst.said()} at {length:,} events; {whole.ratio:.3f}x at {max(by_length):,}",
            worst.ratio >= 0.99, {str(each): _said_all(by_length[each]) for each in by_length},
        )  # fmt: skip


def prefixes(outcomes: Outcomes, times_us: np.ndarray, most: int) -> Iterator[tuple[int, Compared]]:
    """Yield lengths of prefixes, doubling, and the blends over what is scored in them.

    The last one is all there is. Where the prior blend had nothing right yet, nothing is compared.
    """
    most = min(most, times_us.size)
    doubling = (_FIRST_PREFIX * 2**power for power in itertools.count())
    lengths = itertools.takewhile(lambda length: length < most, doubling)
    learned, prior = ranks_of(outcomes, FULL), ranks_of(outcomes, PRIOR_BLEND)
    for length in (*lengths, most):
        within = outcomes.times_us <= times_us[length - 1]
        found = compared(outcomes.users[within], learned[within], prior[within])
        if found.base > 0:
            yield length, found


def cold(options: argparse.Namespace) -> Iterator[Number]:
    """Measure hits on items in their first 20 events, with content over without."""
    for one in options.runs.sets([_COLD]):
        found = options.runs.beside_baselines(one).outcomes
        bare = options.runs.without_content(one).outcomes
        young = found.young_item
        over = compared(found.users[young], ranks_of(found, FULL)[young],
                        ranks_of(bare, FULL)[young], HIT_RATE)  # fmt: skip
        yield Number(
            f"{one.name}, items in their first 20 events: HR@10 with content over without",
            ">= 1.35x", over.said(), over.ratio >= 1.35, _said_all(over),
        )  # fmt: skip


def train(options: argparse.Namespace) -> Iterator[Number]:
    """Measure a generation trained before the split over none."""
    for one in options.runs.sets(EVERY):
        what, bar = f"{one.name}: NDCG@10 of full with --train over without", ">= 1.00x"
        before = options.runs.beside_baselines(one).outcomes
        try:
            after = options.runs.trained(one).outcomes
        except Exception as error:
            # A history that training stops on is a finding; the others are worth their time.
            yield Number(what, bar, f"failed: {type(error).__name__}: {error}"[:300], False)
            continue
        over = compared(before.users, ranks_of(after, FULL), ranks_of(before, FULL))
        yield Number(what, bar, over.said(), over.ratio >= 1.0, _said_all(over))


def speed(options: argparse.Namespace) -> Iterator[Number]:
    """Measure steps of the learner with learning from choices, over without."""
    found = steps(options.rounds, said)
    quotients = [on / off for on, off in zip(found.rates_on, found.rates_off, strict=True)]
    ratio = statistics.median(quotients)
    yield Number(
        "learner, events/s in steps of 1,000, d = 128, 100,000 items: with choices over without",
        ">= .80x",
        f"{ratio:.2f}x ({statistics.median(found.rates_on):,.0f} over "
        f"{statistics.median(found.rates_off):,.0f})",
        ratio >= 0.8, {"ratios": quotients, "on": found.rates_on, "off": found.rates_off,
         "choices": found.choices},
    )  # fmt: skip
    on, off = statistics.median(found.single_on), statistics.median(found.single_off)
    yield Number(
        "a step of one event with choices, and without", "-", f"{on:,.0f} and {off:,.0f} us", None,
        {"on": found.single_on, "off": found.single_off},
    )  # fmt: skip


def ece(options: argparse.Namespace) -> Iterator[Number]:
    """Measure whether probabilities mean what they say after 5,000 slates."""
    for one in options.runs.sets(EVERY):
        error, slates = calibration_error(
            one, _ECE_START, _ECE_EVENTS, _ECE_AFTER, lambda _done: None
        )
        if error is None or slates < _ECE_LEAST:
            said(f"{one.name}: {slates:,} slates after the first {_ECE_AFTER:,}: left out")
            continue
        yield Number(
            f"{one.name}: ECE of its one outcome after {_ECE_AFTER:,} slates", "<= .02",
            f"{error:.4f} over {slates:,} slates", error <= 0.02, {"ece": error, "slates": slates},
        )  # fmt: skip


def _ndcg(found: Evaluation) -> Mapping[str, float]:
    return {arm.name: arm.figures[0].ndcg for arm in found.summary.arms}


def _over(outcomes: Outcomes, name: str) -> Compared:
    return compared(outcomes.users, ranks_of(outcomes, FULL), ranks_of(outcomes, name))


def _said_all(over: Compared) -> dict[str, Any]:
    return {
        "ratio": over.ratio, "interval_95": over.interval, "value": over.value, "base": over.base,
        "events": over.events,
    }  # fmt: skip


def _details(found: Evaluation, over: Compared) -> dict[str, Any]:
    arms = {
        arm.name: {"ndcg": arm.figures[0].ndcg, "hit_rate": arm.figures[0].hit_rate,
                   "update_us": arm.cost.update_us(), "rank_us": arm.cost.rank_us()}
        for arm in found.summary.arms
    }  # fmt: skip
    return {**_said_all(over), "arms": arms, "left_out": found.outcomes.skipped}


ROWS: Mapping[str, tuple[str, Row]] = {
    "best": (">= 1.03x", best),
    "made": (">= 1.05x", made),
    "then": (">= 1.00x", then),
    "prefix": (">= .99x", prefix),
    "cold": (">= 1.35x", cold),
    "train": (">= 1.00x", train),
    "speed": (">= .80x", speed),
    "ece": ("<= .02", ece),
}
"""The bars, said of a row that fails, and what measures it."""


def numbers(arguments: list[str]) -> Iterator[Number]:
    """Measure."""
    parser = argparse.ArgumentParser(prog="numbers learning")
    parser.add_argument("--rows", nargs="+", choices=[*ROWS], default=[*ROWS])
    parser.add_argument(
        "--data", type=Path, default=ROOT.parent / "shared" / "data",
        help="folder of real histories; those that are not there are left out",
    )  # fmt: skip
    parser.add_argument(
        "--sets", nargs="+", choices=sorted({*EVERY, *SHOPS}), help="only these of each row"
    )
    parser.add_argument("--every", type=int, help="rank one group in so many; default: all")
    parser.add_argument("--quick", action="store_true", help="one group in 4, shorter prefixes")
    parser.add_argument("--sasrec", action="store_true", help="with SASRec, which takes long")
    parser.add_argument("--rounds", type=int, default=5, help="of steps, in turns")
    options = parser.parse_args(arguments)
    options.runs = Runs(options)
    yield from measured(ROWS, options)
