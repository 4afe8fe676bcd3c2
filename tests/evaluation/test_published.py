"""Figures of others are shown where the history is theirs, and marked; never elsewhere."""

from dataclasses import replace

import numpy as np
import pytest
from rich.console import Console

from services.cli.evaluation.report import report
from services.evaluation.cut import cut_history
from services.evaluation.evaluate import Plan, evaluate
from services.evaluation.protocol import Protocol, Repeats, Rules
from services.evaluation.published import PUBLISHED, Sizes, published_for, sizes_of
from tests.evaluation.histories import events_of
from tests.evaluation.test_cut import history_of_walks, watcher

RULES = Rules(protocol=Protocol.LEAVE_ONE_OUT, resamples=10)


def test_they_are_shown_for_their_sizes_and_their_protocol_only() -> None:
    for one in PUBLISHED:
        assert one in published_for(one.sizes, RULES)
        assert 0 < one.ndcg < one.hit_rate < 1
        for other in (
            replace(RULES, protocol=Protocol.GLOBAL),
            replace(RULES, protocol=Protocol.SESSION),
            replace(RULES, repeats=Repeats.INCLUDE),
            replace(RULES, every=2),
            replace(RULES, limit=100),
        ):
            assert published_for(one.sizes, other) == ()
        for place in range(3):
            changed = list(one.sizes)
            changed[place] += 1
            assert published_for(Sizes(*changed), RULES) == ()


def test_sizes_count_users_and_items_of_events_not_of_the_items_file() -> None:
    events = events_of([("u", "a", 1), ("u", "b", 2), ("v", "a", 3)])
    timeline = cut_history(events, np.ones(3, np.float32), RULES, ["a", "b", "c"])
    assert len(timeline.item_ids) == 3
    assert sizes_of(timeline) == (3, 2, 2)


@pytest.mark.parametrize("shown", [True, False])
def test_the_report_marks_them_as_not_measured_here(shown: bool) -> None:
    plan = Plan(["popularity"], RULES)
    found = evaluate(events_of(history_of_walks(20, 4)), {}, plan, watcher())
    assert found.published == ()
    if shown:
        found = replace(found, published=published_for(PUBLISHED[0].sizes, RULES))
    console = Console(width=120)
    with console.capture() as capture:
        console.print(report(found, plan))
    assert ("Published on MovieLens-1M, not measured here" in capture.get()) == shown
    assert ("0.1893" in capture.get()) == shown
