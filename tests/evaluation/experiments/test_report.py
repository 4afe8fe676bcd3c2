"""Reports of experiments, against their definition in plain Python."""

import math
from collections import Counter
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.common.experiments.assignment import Variant
from services.evaluation.experiments.as_json import as_json
from services.evaluation.experiments.design import Design, Kind, Metric
from services.evaluation.experiments.difference import difference
from services.evaluation.experiments.exposures import Exposures
from services.evaluation.experiments.guardrail import Guardrail, Verdict
from services.evaluation.experiments.outcomes import Outcomes
from services.evaluation.experiments.report import Report, report
from services.evaluation.experiments.sums import sums_of

WINDOW = 100
UNTIL = 1000
DESIGN = Design(
    (Variant("control", 1), Variant("b", 2), Variant("c", 1)),
    Metric("clicks", frozenset({"click", "tap"})),
    (
        (Metric("spent", frozenset({"buy"}), Kind.SUM), Guardrail(0.5)),
        (Metric("hid", frozenset({"hide"}), Kind.ANY), Guardrail(0.1, more_is_better=False)),
    ),
    WINDOW,
    1000.0,
    0.05,
)


class Shown(NamedTuple):
    user: str
    variant: str
    time: int


class Done(NamedTuple):
    user: str
    kind: str
    value: float | None
    time: int


USERS = st.sampled_from([f"u{n}" for n in range(6)])
TIMES = st.integers(0, UNTIL + 50)
SHOWN = st.lists(st.builds(Shown, USERS, st.sampled_from(["control", "b", "c", "gone"]), TIMES))
DONE = st.lists(
    st.builds(
        Done,
        USERS,
        st.sampled_from(["click", "tap", "buy", "hide", "view"]),
        st.none() | st.integers(-3, 9).map(float),
        TIMES,
    )
)


def made(shown: list[Shown], done: list[Done], design: Design = DESIGN) -> Report:
    exposures = Exposures([variant.name for variant in design.variants])
    for one in shown:
        exposures.take(one.user, one.variant, one.time)
    outcomes = Outcomes(exposures, design.metrics, design.window_us)
    for event in done:
        outcomes.take(event.user, event.kind, event.value, event.time)
    return report(design, exposures, outcomes, UNTIL)


def taken(metric: Metric, events: list[Done]) -> float:
    own = [event for event in events if event.kind in metric.event_types]
    match metric.kind:
        case Kind.COUNT:
            return float(len(own))
        case Kind.SUM:
            return sum(event.value or 0.0 for event in own)
        case Kind.ANY:
            return float(bool(own))


@given(SHOWN, DONE)
def test_a_report_is_what_its_definition_says(shown: list[Shown], done: list[Done]) -> None:
    found = made(shown, done)
    known = [one for one in shown if one.variant != "gone"]
    first: dict[str, Shown] = {}
    for one in known:
        if one.user not in first or one.time < first[one.user].time:
            first[one.user] = one
    assert found.unknown == len(shown) - len(known)
    assert found.mixed == sum(
        len({one.variant for one in known if one.user == user}) > 1 for user in first
    )
    for variant in found.variants:
        own = [one for one in first.values() if one.variant == variant.name]
        counted = [one for one in own if one.time + WINDOW <= UNTIL]
        assert (variant.users, variant.counted) == (len(own), len(counted))
        assert variant.slates == sum(one.variant == variant.name for one in known)
        for metric, mean in zip(DESIGN.metrics, variant.means, strict=True):
            values = [
                taken(metric, [event for event in done if event.user == one.user
                               and one.time <= event.time < one.time + WINDOW])
                for one in counted
            ]  # fmt: skip
            if values:
                assert mean == pytest.approx(sum(values) / len(values))
            else:
                assert math.isnan(mean)
    assert [(one.metric, one.variant) for one in found.comparisons] == [
        (metric.name, name) for metric in DESIGN.metrics for name in ("b", "c")
    ]
    assert as_json(found)["counted"] == found.counted


@given(SHOWN, DONE)
def test_before_and_after_are_as_long_as_the_window(shown: list[Shown], done: list[Done]) -> None:
    exposures = Exposures(["control", "b", "c"])
    first: dict[str, int] = {}
    for one in shown:
        exposures.take(one.user, "b", one.time)
        first[one.user] = min(one.time, first.get(one.user, one.time))
    outcomes = Outcomes(exposures, DESIGN.metrics, WINDOW)
    for event in done:
        outcomes.take(event.user, event.kind, event.value, event.time)
    for user, time in first.items():
        row = exposures.row(user)
        assert row is not None
        own = [event for event in done if event.user == user]
        before = [event for event in own if time - WINDOW <= event.time < time]
        after = [event for event in own if time <= event.time < time + WINDOW]
        for index, metric in enumerate(DESIGN.metrics):
            assert outcomes.covariates[index, row] == taken(metric, before)
            assert outcomes.values[index, row] == taken(metric, after)


def many(users: int, lift: float) -> tuple[list[Shown], list[Done]]:
    """Return users in the shares of the design, whose clicks before tell of those after."""
    rng = np.random.default_rng(3)
    shown, done = [], []
    for n in range(users):
        variant = ("control", "b", "b", "c")[n % 4]
        time = 100 + n % 700
        shown.append(Shown(f"v{n}", variant, time))
        taste = rng.exponential(2.0)
        before = rng.poisson(taste)
        after = rng.poisson(taste * (1 + lift * (variant == "b")))
        done += [Done(f"v{n}", "click", None, time - 1 - k % 100) for k in range(before)]
        done += [Done(f"v{n}", "tap", None, time + k % 100) for k in range(after)]
    return shown, done


def test_differences_are_those_of_the_users_numbers_and_cuped_narrows_them() -> None:
    shown, done = many(2000, 0.3)
    found = made(shown, done)
    before = Counter(event.user for event in done if event.kind == "click")
    after = Counter(event.user for event in done if event.kind == "tap")
    own = {
        name: [one.user for one in shown if one.variant == name] for name in ("control", "b", "c")
    }
    numbers = {
        name: sums_of(
            np.array([after[user] for user in users], float),
            np.array([before[user] for user in users], float),
        )
        for name, users in own.items()
    }
    for one, name, share in zip(found.comparisons[:2], ("b", "c"), (0.75, 0.5), strict=True):
        # Of two variants against one control, each at half of alpha, and its part of the plan.
        expected = difference(numbers["control"], numbers[name], 1000.0 * share, 0.025)
        assert float(one.difference.mean) == pytest.approx(float(expected.mean))
        assert float(one.difference.low) == pytest.approx(float(expected.low))
        assert float(one.difference.high) == pytest.approx(float(expected.high))
        # What it came to is the end of its course.
        assert one.users[-1] == len(own["control"]) + len(own[name])
        assert float(one.course.low[-1]) == pytest.approx(float(expected.low))
    b, c = (one.difference for one in found.comparisons[:2])
    assert (bool(b.decided), bool(c.decided)) == (True, False)
    plain = made(shown, [event for event in done if event.kind == "tap"]).comparisons[0].difference
    assert float(b.high - b.low) < 0.9 * float(plain.high - plain.low)


def test_guardrails_are_judged_in_their_direction() -> None:
    shown, _ = many(2000, 0.0)
    rng = np.random.default_rng(4)
    done = []
    for one in shown:
        rate = {"control": 0.1, "b": 0.6, "c": 0.1}[one.variant]
        if rng.random() < rate:
            done.append(Done(one.user, "hide", None, one.time))
        done.append(Done(one.user, "buy", 5.0 + rng.normal(), one.time))
    verdicts = {(one.metric, one.variant): one.verdict for one in made(shown, done).comparisons}
    assert verdicts["hid", "b"] is Verdict.HARMED
    assert verdicts["hid", "c"] is Verdict.SAFE
    assert verdicts["spent", "b"] is verdicts["spent", "c"] is Verdict.SAFE
    assert verdicts["clicks", "b"] is None


def test_it_says_nothing_where_users_are_missing() -> None:
    shown, done = many(2000, 0.3)
    fewer = [one for n, one in enumerate(shown) if one.variant != "b" or n % 8 < 4]
    found = made(fewer, done)
    assert found.ratio.mismatched
    assert found.comparisons == ()
    said = as_json(found)
    assert (said["says_nothing"], said["comparisons"]) == (True, [])
    assert all(variant["means"] is None for variant in said["variants"])
    assert not made(shown, done).ratio.mismatched
