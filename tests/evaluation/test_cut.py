"""Training and test of each protocol, against loops over rows; and what arms then are asked."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.evaluation.contest import ProgressiveValidation
from services.evaluation.cut import cut_history
from services.evaluation.evaluate import Plan, Watcher, evaluate, left_out
from services.evaluation.outcomes import Outcomes
from services.evaluation.protocol import Protocol, Repeats, Rules, UnseenItems
from services.evaluation.score_arm import ScoreArm
from services.evaluation.system.run import SYSTEM_ARMS
from services.system.timeline import Codes, Ints, Timeline
from tests.evaluation.histories import Row, events_of

LOO = Protocol.LEAVE_ONE_OUT
ITEMS = "abcdefghij"


class Watching:
    """Prefers items of small numbers, and keeps the histories it was asked with."""

    def __init__(self, n_items: int) -> None:
        self._scores = -np.arange(n_items, dtype=np.float64)
        self.asked: list[list[int]] = []

    def scores(self, items: Codes, times_us: Ints, now_us: int) -> npt.NDArray[np.float64]:
        self.asked.append(items.tolist())
        return self._scores


rows_of_weights = st.lists(
    st.tuples(
        st.tuples(st.sampled_from("uvwx"), st.sampled_from(ITEMS), st.integers(0, 9)),
        st.sampled_from([1.0, 1.0, 1.0, -1.0]),
    ),
    min_size=2,
    max_size=40,
)
History = list[tuple[Row, float]]


def cut(history: History, rules: Rules) -> tuple[Timeline, History]:
    """Return the timeline, and the rows in the order of the history."""
    ordered = sorted(history, key=lambda one: one[0][2])
    weights = np.array([weight for _, weight in ordered], np.float32)
    return cut_history(events_of([row for row, _ in ordered]), weights, rules), ordered


def parts(timeline: Timeline) -> tuple[list[Row], list[Row]]:
    events = timeline.events
    rows = [
        (events.user_ids[user], events.item_ids[item], int(time) // 10**6)
        for user, item, time in zip(events.users, events.items, events.times_us, strict=True)
    ]
    return rows[: timeline.split], rows[timeline.split :]


def run(timeline: Timeline, rules: Rules) -> tuple[Outcomes, Watching]:
    watching = Watching(len(timeline.item_ids))
    arm = ScoreArm("watching", watching, 0.0, 10)
    return ProgressiveValidation(timeline, rules, [arm], []).run(), watching


@given(rows_of_weights, st.none() | st.integers(1, 4))
def test_leave_one_out_tests_the_last_positive_event_of_each_user(
    history: History, limit: int | None
) -> None:
    timeline, ordered = cut(history, Rules(protocol=LOO, limit=limit))
    tested: list[int] = []
    for user in sorted({row[0] for row, _ in ordered}):
        positive = [n for n, (row, weight) in enumerate(ordered) if row[0] == user and weight > 0]
        if len(positive) >= 2:
            tested.append(positive[-1])
    training, test = parts(timeline)
    assert training == [row for n, (row, _) in enumerate(ordered) if n not in tested]
    assert test == [ordered[n][0] for n in tested][:limit]
    assert timeline.groups == len(test)
    assert [timeline.group(n).tolist() for n in range(timeline.groups)] == [
        [n] for n in range(timeline.split, timeline.split + len(test))
    ]


@given(rows_of_weights)
def test_leave_one_out_ranks_what_training_knows_and_the_user_has_not_seen(
    history: History,
) -> None:
    rules = Rules(protocol=LOO)
    timeline, _ = cut(history, rules)
    found, watching = run(timeline, rules)
    training, test = parts(timeline)
    order = list(timeline.item_ids)
    known = {item for _, item, _ in training}
    expected = []
    for user, item, _ in test:
        seen = {what for who, what, _ in training if who == user}
        shown = [one for one in order if one in known and one not in seen]
        if item not in seen:
            expected.append(shown.index(item) + 1 if item in shown else np.inf)
    assert found.arms[0].ranks.tolist() == expected
    assert len(watching.asked) == len(expected)


def test_leave_one_out_teaches_nothing_from_one_test_event_to_the_next() -> None:
    history = [("u", "a", 1), ("v", "a", 2), ("u", "z", 3), ("v", "z", 4)]
    rules = Rules(protocol=LOO)
    timeline, _ = cut([(row, 1.0) for row in history], rules)
    found, _ = run(timeline, rules)
    # z is in no training event: a miss for both, though the first test event showed it.
    assert found.arms[0].ranks.tolist() == [np.inf, np.inf]
    assert found.catalogue == 1


@given(rows_of_weights, st.sampled_from(UnseenItems), st.sampled_from([0.3, 0.5, 0.8]))
def test_sessions_are_whole_and_those_that_reach_past_the_cut_are_the_test(
    history: History, unseen: UnseenItems, start: float
) -> None:
    rules = Rules(start, protocol=Protocol.SESSION, unseen_items=unseen)
    timeline, ordered = cut(history, rules)
    cut_second = ordered[int(start * len(ordered))][0][2]
    late = {row[0] for row, _ in ordered if row[2] >= cut_second}
    training = [row for row, _ in ordered if row[0] not in late]
    trained = {row[1] for row in training}
    kept = [
        one
        for one in ordered
        if one[0][0] in late and (unseen is UnseenItems.KEEP or one[0][1] in trained)
    ]
    lengths = {who: sum(row[0] == who and weight > 0 for row, weight in kept) for who in late}
    test = [row for row, _ in kept if lengths[row[0]] >= 2]
    assert parts(timeline) == (training, test)


@given(rows_of_weights)
def test_each_event_of_a_session_but_the_first_is_predicted_from_those_before(
    history: History,
) -> None:
    rules = Rules(0.5, protocol=Protocol.SESSION, repeats=Repeats.INCLUDE)
    timeline, ordered = cut(history, rules)
    found, watching = run(timeline, rules)
    positive = {(row, n) for n, (row, weight) in enumerate(ordered) if weight > 0}
    sessions: dict[str, list[str]] = {}
    late = {row[0] for row in parts(timeline)[1]}
    expected = []
    trained = {row[1] for row in parts(timeline)[0]}
    for n, (row, _) in enumerate(ordered):
        if row[0] in late and row[1] in trained and (row, n) in positive:
            own = sessions.setdefault(row[0], [])
            if own:
                expected.append((row[1], list(own)))
            own.append(row[1])
    ids = timeline.item_ids
    assert [
        (ids[item], [ids[one] for one in asked])
        for item, asked in zip(found.items.tolist(), watching.asked, strict=True)
    ] == expected


@pytest.mark.parametrize("protocol", Protocol)
def test_whatever_the_protocol_it_is_stated_and_arms_are_left_out_by_name(
    protocol: Protocol,
) -> None:
    said = " ".join(Rules(protocol=protocol).statement())
    assert ("session-rec" in said) == (protocol is Protocol.SESSION)
    assert ("order of users" in said) == (protocol is LOO)
    assert ("global order of time" in said) == (protocol is Protocol.GLOBAL)
    skipped = left_out((*SYSTEM_ARMS, "v_sknn"), protocol)
    takes_part = {name for name in SYSTEM_ARMS if name not in skipped}
    assert (
        takes_part
        == {
            Protocol.GLOBAL: set(SYSTEM_ARMS),
            Protocol.SESSION: {"full", "frozen_params", "prior_blend"},
            LOO: {"full", "prior_blend"},
        }[protocol]
    )
    assert all(skipped.values())


def history_of_walks(users: int, steps: int) -> Sequence[Row]:
    """Users walk along one chain of items; everybody at another time."""
    return [
        (f"u{user:02}", f"i{(user + step) % 30:02}", 1_000_000 * user + 60 * step)
        for user in range(users)
        for step in range(steps)
    ]


class _NoBar:
    def __enter__(self) -> "_NoBar":
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def __call__(self, done: int) -> None:
        pass


def watcher() -> Watcher:
    return Watcher(lambda what, total: _NoBar(), lambda text: None)


@pytest.mark.parametrize("protocol", [Protocol.SESSION, LOO])
def test_the_system_takes_part_and_does_not_change_where_it_is_frozen(protocol: Protocol) -> None:
    """The same figures whether one in two is ranked or all: nothing depends on tests before."""
    arms = ["decayed_popularity", "full" if protocol is LOO else "frozen_params"]
    events = events_of(history_of_walks(60, 6))
    ranks = []
    for every in (1, 2):
        rules = Rules(0.6, every=every, repeats=Repeats.INCLUDE, protocol=protocol, resamples=10)
        found = evaluate(events, {}, Plan(arms, rules, dimension=16), watcher())
        assert found.split_us is None
        ranks.append({
            (user, item): [arm.ranks[place] for arm in found.outcomes.arms]
            for place, (user, item) in enumerate(
                zip(found.outcomes.users.tolist(), found.outcomes.items.tolist(), strict=True)
            )
        })  # fmt: skip
    assert len(ranks[0]) > len(ranks[1]) > 5
    assert ranks[1].items() <= ranks[0].items()
    # The chain is learned: better than popularity, which knows no order.
    mean = np.mean([[1 / rank for rank in both] for both in ranks[0].values()], axis=0)
    assert mean[1] > 2 * mean[0]


def test_full_alone_goes_on_learning_in_sessions() -> None:
    rules = Rules(0.6, protocol=Protocol.SESSION, repeats=Repeats.INCLUDE, resamples=10)
    plan = Plan(["decayed_popularity", "full", "frozen_params"], rules, dimension=16)
    found = evaluate(events_of(history_of_walks(60, 6)), {}, plan, watcher())
    popular, full, frozen = found.outcomes.arms
    assert popular.cost.updated_events == 0
    assert full.cost.updated_events == frozen.cost.updated_events > 0
    assert full.ranks.tolist() != frozen.ranks.tolist()


def test_slates_cannot_be_logged_where_nothing_is_learned() -> None:
    plan = Plan(["full"], Rules(protocol=LOO), slates=True)
    with pytest.raises(ValueError, match="logs no slates"):
        evaluate(events_of(history_of_walks(5, 3)), {}, plan, watcher())
