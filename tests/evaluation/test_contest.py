"""The loop of a comparison, against loops over lists; and a history made to catch leaks."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.evaluation.arm import Moment, Ranking
from services.evaluation.baselines.decayed_popularity import DecayedPopularity
from services.evaluation.baselines.train_part import TrainPart
from services.evaluation.contest import ProgressiveValidation
from services.evaluation.outcomes import Outcomes
from services.evaluation.protocol import Repeats, Rules
from services.evaluation.score_arm import ScoreArm
from services.evaluation.summary import summarise
from services.system.timeline import Codes, Ints, Timeline
from tests.evaluation.histories import Row, ndcg_of, timeline_of


class ByNumber:
    """Prefers items of small numbers, whoever asks."""

    def __init__(self, n_items: int) -> None:
        self._scores = -np.arange(n_items, dtype=np.float64)

    def scores(self, items: Codes, times_us: Ints, now_us: int) -> npt.NDArray[np.float64]:
        return self._scores


class AfterLast:
    """Knows a chain: after item n comes item n + 1; perfect as soon as the last item is known."""

    def __init__(self, n_items: int) -> None:
        self._n_items = n_items

    def scores(self, items: Codes, times_us: Ints, now_us: int) -> npt.NDArray[np.float64]:
        scores = np.zeros(self._n_items)
        if items.size and items[-1] + 1 < self._n_items:
            scores[items[-1] + 1] = 1.0
        return scores


def compare(timeline: Timeline, rules: Rules, **scorers: object) -> Outcomes:
    arms = [
        ScoreArm(name, scorer, 0.0, 10)  # type: ignore[arg-type]
        for name, scorer in scorers.items()
    ]
    learners = [scorer for scorer in scorers.values() if hasattr(scorer, "reveal")]
    return ProgressiveValidation(timeline, rules, arms, learners).run()  # type: ignore[arg-type]


rows = st.lists(
    st.tuples(st.sampled_from("uvw"), st.sampled_from("abcdefghijklmnop"), st.integers(0, 12)),
    min_size=5,
    max_size=50,
)


@given(rows, st.sampled_from(Repeats), st.booleans(), st.integers(1, 3))
def test_ranks_and_parts_are_those_of_loops_over_rows(
    history: list[Row], repeats: Repeats, listed: bool, every: int
) -> None:
    rules = Rules(start=0.5, repeats=repeats, every=every, resamples=10)
    first_items = list("abcdefghijklmnop") if listed else []
    timeline = timeline_of(history, rules, first_items)
    found = compare(timeline, rules, chain=ByNumber(len(timeline.item_ids)))

    ordered = sorted(history, key=lambda row: row[2])
    order = list(timeline.item_ids)
    split = timeline.split
    before = ordered[:split]
    groups: dict[tuple[int, str], list[Row]] = {}
    for row in ordered[split:]:
        groups.setdefault((row[2], row[0]), []).append(row)
    past = list(before)
    expected: list[tuple[str, str, float, bool, bool, bool]] = []
    for number, group in enumerate(groups.values()):
        user = group[0][0]
        seen = {item for who, item, _ in past if who == user}
        known = {item for _, item, _ in past} | set(first_items)
        shown = [i for i in order if i in known]
        if repeats is Repeats.EXCLUDE:
            shown = [i for i in shown if i not in seen]
        scored: set[str] = set()
        for _, item, _ in group if number % every == 0 else ():
            if repeats is Repeats.EXCLUDE and (item in seen or item in scored):
                continue
            scored.add(item)
            expected.append(
                (
                    user,
                    item,
                    shown.index(item) + 1 if item in shown else float("inf"),
                    user not in {who for who, _, _ in before},
                    item not in {what for _, what, _ in before},
                    sum(what == item for _, what, _ in past) < 20,
                )
            )
        past += group
    assert [
        (timeline.events.user_ids[user], order[item], rank, new_user, new_item, young)
        for user, item, rank, new_user, new_item, young in zip(
            found.users.tolist(), found.items.tolist(), found.arms[0].ranks.tolist(),
            found.new_user.tolist(), found.new_item.tolist(), found.young_item.tolist(),
            strict=True,
        )
    ] == expected  # fmt: skip
    summary = summarise(found, rules)
    assert summary.arms[0].figures[0].ndcg == pytest.approx(ndcg_of([row[2] for row in expected]))
    assert found.not_scored == len(history) - split - len(expected)


def chain_history(ties: bool) -> list[Row]:
    """Every user walks along the same chain of items; with ties all of it in one second."""
    history = [(f"old{n}", f"i{n:02}", 100 + n) for n in range(40)]
    for user in range(10):
        for step in range(20):
            second = 1000 + 100 * user + (0 if ties else step)
            history.append((f"u{user}", f"i{step:02}", second))
    return history


def chain_ndcg(ties: bool) -> float:
    rules = Rules(start=40, resamples=10)
    timeline = timeline_of(chain_history(ties), rules)
    found = compare(timeline, rules, chain=AfterLast(len(timeline.item_ids)))
    assert found.users.size == 200
    return summarise(found, rules).arms[0].figures[0].ndcg


def test_what_is_tied_does_not_leak() -> None:
    """Revealing one event of a group before the next is ranked would give NDCG 19/20 here."""
    assert chain_ndcg(ties=False) == pytest.approx(19 / 20)
    # Without any history all 40 items are tied: mean rank 20.5, beyond the cut-off.
    assert chain_ndcg(ties=True) == 0.0


def test_learners_hear_of_a_group_after_it_was_ranked() -> None:
    calls: list[tuple[str, list[int]]] = []

    class Spy:
        names: tuple[str, ...] = ("spy",)
        name = "spy"
        fit_seconds = 0.0

        def rank(self, moment: Moment) -> Ranking:
            calls.append(("rank", moment.targets.tolist()))
            return Ranking(np.full(moment.targets.size, np.inf, np.float32), moment.targets)

        def reveal(self, events: Ints) -> None:
            calls.append(("reveal", timeline.events.items[events].tolist()))

    history = [("u", "a", 1), ("u", "b", 5), ("u", "c", 5), ("v", "a", 5), ("u", "d", 6)]
    rules = Rules(start=1)
    timeline = timeline_of(history, rules)
    spy = Spy()
    ProgressiveValidation(timeline, rules, [spy], [spy]).run()
    assert calls == [
        ("rank", [1, 2]), ("reveal", [1, 2]),
        ("rank", [0]), ("reveal", [0]),
        ("rank", [3]), ("reveal", [3]),
    ]  # fmt: skip


def test_events_without_positive_weight_are_seen_but_not_scored() -> None:
    rules = Rules(start=2)
    history = [("u", "a", 1), ("v", "b", 2), ("u", "b", 3), ("u", "c", 4), ("u", "b", 5)]
    timeline = timeline_of(history, rules)
    timeline.weights[2] = -1.0
    asked: list[list[int]] = []

    class Watching(ByNumber):
        def scores(self, items: Codes, times_us: Ints, now_us: int) -> npt.NDArray[np.float64]:
            asked.append(items.tolist())
            return super().scores(items, times_us, now_us)

    found = compare(timeline, rules, watching=Watching(3))
    assert found.items.tolist() == [2]
    assert asked == [[0]]
    assert found.not_scored == 2


def test_decayed_popularity_learns_online() -> None:
    history: Sequence[Row] = [("u", "a", 1), ("v", "a", 2), ("w", "b", 3), ("x", "b", 103),
                              ("y", "b", 104), ("z", "b", 204)]  # fmt: skip
    rules = Rules(start=3)
    timeline = timeline_of(history, rules)
    events = timeline.events
    train = TrainPart(events.users[:3], events.items[:3], events.times_us[:3], 6, 2)
    found = compare(timeline, rules, decayed_popularity=DecayedPopularity(train, 50e6, timeline))
    # a: 2 events at 1, 2; b: one at 3, then two more at 103 and 104, which count far more.
    assert found.arms[0].ranks.tolist() == [2.0, 1.0, 1.0]


def test_coverage_and_novelty() -> None:
    history = [("u", "a", 1), ("u", "b", 2), ("u", "b", 3), ("v", "a", 4)]
    rules = Rules(start=3, cutoffs=(1,), resamples=10)
    timeline = timeline_of(history, rules)
    found = compare(timeline, rules, by_number=ByNumber(2))
    arm = summarise(found, rules).arms[0]
    assert arm.coverage == pytest.approx(1 / 2)
    assert arm.novelty == pytest.approx(-np.log2((1 + 1) / (3 + 2)))
