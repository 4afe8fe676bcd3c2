"""Delayed outcomes against a naive reference that keeps everything, and their bounds."""

import gc
import hashlib
import tracemalloc
from collections import Counter
from dataclasses import dataclass, field, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harken.internal.feed.v1 import frame_pb2
from services.common.candidate_features import COLUMNS
from services.common.ranking.scorer import Scorer
from services.feedback.generations.domain.bootstrap_models import prior_scorer
from services.feedback.learner.model.attribution_joiner import (
    AttributionConfig,
    AttributionJoiner,
    Joined,
    JoinerItem,
)
from services.feedback.learner.model.calibration import CalibrationConfig
from services.feedback.learner.model.entries import Event, Kind, LogEntry
from services.feedback.learner.model.impression import Impression, SlateEvent, Visit
from services.feedback.learner.model.outcome_definition import (
    GenerationOutcomes,
    OutcomeDefinition,
    ReturnWindow,
)
from services.feedback.learner.model.pending_slate import PendingSlate
from services.feedback.learner.model.returns import ReturnsConfig
from services.feedback.learner.model.scorer_head import DelayedLesson, HeadConfig, ScorerHead
from services.feedback.learner.model.slate_learning import (
    JoinerChanges,
    SlateChanges,
    SlateConfig,
    SlateLearning,
)
from services.feedback.learner.model.slate_step import joiner_items
from services.feedback.learner.slate_frames import slates_from_wire, slates_to_wire
from tests.feedback.domain.slates import GENERATION, clicked, shown

SECOND = 1_000_000
WINDOWS = {"soon": (10, 25, set()), "later": (20, 40, {"play"})}
OUTCOMES = GenerationOutcomes(
    GENERATION,
    (
        OutcomeDefinition("click", frozenset({"click"}), None, 1.0),
        *(
            OutcomeDefinition(
                name, frozenset(kinds), None, 1.0, ReturnWindow(after * SECOND, until * SECOND)
            )
            for name, (after, until, kinds) in WINDOWS.items()
        ),
    ),
)
DAY = 86_400 * SECOND
OUTCOMES_OF_LAW = GenerationOutcomes(
    GENERATION,
    (
        OutcomeDefinition("click", frozenset({"click"}), None, 1.0),
        OutcomeDefinition("return", frozenset(), None, 1.0, ReturnWindow(DAY // 2, DAY * 3 // 2)),
    ),
)
CONFIG = AttributionConfig(
    settle_us=3 * SECOND,
    window_us=15 * SECOND,
    returns=ReturnsConfig(max_slates=3, max_bytes=10**9, max_slates_per_user=2),
)


def joiner_of(config: AttributionConfig = CONFIG) -> AttributionJoiner:
    joiner = AttributionJoiner(config)
    joiner.returns.expect(OUTCOMES.definitions, keep=False)
    return joiner


def slate_of(name: str, user: bytes, generation_id: str = GENERATION) -> Impression:
    logits = np.zeros((3, len(OUTCOMES.definitions)), np.float32)
    return shown(name, ["a", "b", "c"], user, generation_id=generation_id, logits=logits)


@dataclass
class _Slate:
    name: str
    user: bytes
    at: int
    taken: set[str] = field(default_factory=set)
    visits: list[tuple[int, str]] = field(default_factory=list)
    open: set[str] = field(default_factory=lambda: set(WINDOWS))


@dataclass
class Naive:
    """What returns.py says in words: every slate and visit is kept, and looked through."""

    slates: list[_Slate] = field(default_factory=list)
    now: int = 0
    known: list[tuple[str, str, frozenset[str]]] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)

    def waiting(self) -> list[_Slate]:
        return [one for one in self.slates if one.open]

    def advance(self, at: int) -> None:
        self.now = max(self.now, at)
        for one in self.slates:
            for name, (after, until, kinds) in WINDOWS.items():
                if name not in one.open or one.at + until * SECOND > self.now:
                    continue
                one.open.remove(name)
                back = any(
                    one.at + after * SECOND <= time < one.at + until * SECOND
                    and (not kinds or kind in kinds)
                    for time, kind in one.visits
                )
                self.known.append((one.name, name, frozenset(one.taken if back else ())))

    def take(self, items: list[JoinerItem], now: int) -> None:
        for item in items:
            kind = item.kind
            if isinstance(kind, Visit):
                for one in self.waiting():
                    if one.user == kind.user_key:
                        one.visits.append((kind.time_us, kind.type))
                continue
            self.advance(item.accepted_at_us)
            if isinstance(kind, SlateEvent):
                for one in self.slates:
                    in_time = one.at + CONFIG.window_us > self.now
                    own = one.name == kind.slate_id and one.user == kind.user_key
                    if own and in_time and kind.weight > 0:
                        one.taken.add(kind.item_id)
            elif kind.generation_id == GENERATION:
                self.add(_Slate(kind.slate_id, kind.user_key, self.now))
        self.advance(now)

    def add(self, slate: _Slate) -> None:
        if sum(one.user == slate.user for one in self.waiting()) == 2:
            self.counts["return_refused"] += 1
            return
        self.counts["awaited"] += 1
        self.slates.append(slate)
        if len(self.waiting()) > 3:
            self.counts["return_gave_way"] += 1
            digests = {
                hashlib.blake2b(one.name.encode(), digest_size=8).digest(): one
                for one in self.waiting()
            }
            digests[max(digests)].open.clear()


_users = st.sampled_from([b"u:1", b"u:2", b"u:3"])
_slates = st.tuples(st.just("slate"), _users, st.booleans(), st.just(""))
_events = st.tuples(
    st.just("event"), st.integers(0, 9), st.sampled_from(["a", "c"]), st.sampled_from([1.0, -1.0])
)
_visits = st.tuples(
    st.just("visit"), _users, st.integers(0, 30), st.sampled_from(["play", "click"])
)
_steps = st.lists(
    st.tuples(
        st.lists(
            st.tuples(st.integers(-2, 9), st.one_of(_slates, _slates, _events, _visits)), max_size=5
        ),
        st.integers(0, 9),
    ),
    min_size=3,
    max_size=15,
)


def timed(steps: list) -> list[tuple[list[JoinerItem], int]]:
    """Steps as the joiner gets them; the time of acceptance goes back a little at times."""
    now = 1_000 * SECOND
    timed_steps = []
    users: list[bytes] = []
    for drawn, pause in steps:
        items = []
        for wait, (kind, first, second, third) in drawn:
            now += wait * SECOND
            if kind == "slate":
                name = f"s{len(users)}"
                users.append(first)
                own = slate_of(name, first, "old" if second and len(users) % 3 == 0 else GENERATION)
                items.append(JoinerItem(now, replace(own, served_at_us=now)))
            elif kind == "event" and users:
                number = first % len(users)
                event = clicked(f"s{number}", second, users[number], weight=third)
                items.append(JoinerItem(now, event))
            elif kind == "visit":
                visit = Visit(first, third, float("nan"), now - second * SECOND)
                items.append(JoinerItem(now, visit))
        now += pause * SECOND
        timed_steps.append((items, now))
    return timed_steps


def known_of(joined: Joined) -> list[tuple[str, str, frozenset[str]]]:
    return [
        (
            one.pending.slate.slate_id,
            one.outcome,
            frozenset(
                item
                for item, taken in zip(one.pending.slate.item_ids, one.labels, strict=True)
                if taken
            ),
        )
        for one in joined.known
    ]


def state_of(joiner: AttributionJoiner) -> tuple[object, ...]:
    return (
        joiner.now_us,
        len(joiner.returns),
        joiner.returns.held_bytes,
        [
            (one.slate.slate_id, one.accepted_at_us, one.taken.tolist(), one.attributed,
             [(name, own.column, own.returned) for name, own in one.awaited.items()])
            for one in joiner.held
        ],
    )  # fmt: skip


@given(_steps)
def test_what_is_known_is_what_the_naive_reference_says_and_only_once(steps: list) -> None:
    """Truth 2: a slate's delayed outcome is known once, when its window is over and not before."""
    joiner, naive = joiner_of(), Naive()
    counts: Counter[str] = Counter()
    seen: Counter[tuple[str, str]] = Counter()
    for items, now in timed(steps):
        naive.known.clear()
        joined = joiner.take(items, now, OUTCOMES)
        naive.take(items, now)
        assert sorted(known_of(joined), key=repr) == sorted(naive.known, key=repr)
        assert [one.slate.slate_id for one in joiner.returns.slates] == [
            one.name for one in naive.waiting()
        ]
        counts += joined.counts
        seen.update((name, outcome) for name, outcome, _ in known_of(joined))
    for what in ("awaited", "return_refused", "return_gave_way"):
        assert counts[what] == naive.counts[what], what
    assert counts["return_known"] == sum(seen.values())
    assert all(times == 1 for times in seen.values())
    joiner.take([], joiner.now_us + 100 * SECOND, OUTCOMES)
    assert len(joiner.returns) == 0
    assert joiner.returns.held_bytes == 0
    assert not any(joiner.returns.awaits(user) for user in (b"u:1", b"u:2", b"u:3"))


@given(_steps, st.integers(0, 14))
def test_what_mattered_and_a_restart_come_to_the_same(steps: list, restart: int) -> None:
    """Truth 4: the log, what frames keep of it, and a checkpoint in between."""
    joiner, folded = joiner_of(), joiner_of()
    for number, (items, now) in enumerate(timed(steps)):
        joined = joiner.take(items, now, OUTCOMES)
        again = folded.take(joined.mattered, now, OUTCOMES)
        assert known_of(again) == known_of(joined)
        visits = sum(isinstance(item.kind, Visit) for item in joined.mattered)
        assert visits == joined.counts["returned"]
        if number == restart:
            restored = joiner_of()
            restored.now_us, restored.evicted_served_at_us = folded.now_us, 0
            for pending in folded.held:
                restored.restore(pending.copy())
            for item in folded.early:
                restored.restore_early(item)
            folded = restored
        assert state_of(folded) == state_of(joiner)


def test_a_slate_that_is_logged_again_much_later_changes_nothing() -> None:
    joiner = joiner_of()
    for at in (1, 20):
        joiner.take([JoinerItem(at * SECOND, slate_of("s", b"u:1"))], at * SECOND, OUTCOMES)
    assert len(joiner.returns) == 1
    joined = joiner.take([], 100 * SECOND, OUTCOMES)
    assert [one.pending.accepted_at_us for one in joined.known] == [SECOND, SECOND]
    assert joiner.returns.held_bytes == 0


def test_too_many_leave_a_fair_sample_of_their_times() -> None:
    """What stays does not depend on when it came, and what was dropped leaves nothing behind."""
    config = replace(CONFIG, returns=ReturnsConfig(max_slates=400, max_slates_per_user=2))
    joiner = joiner_of(config)
    ids = [hashlib.sha256(str(number).encode()).hexdigest() for number in range(8_000)]
    for number, name in enumerate(ids):
        slate = replace(slate_of(name, f"u:{number}".encode()), served_at_us=number + 1)
        joiner.take([JoinerItem(number, slate)], number, OUTCOMES)
        assert len(joiner.returns) <= 400
    stayed = {one.slate.slate_id for one in joiner.returns.slates}
    assert len(stayed) == 400
    per_quarter = [
        sum(name in stayed for name in ids[at : at + 2_000]) for at in range(0, 8000, 2000)
    ]
    # Expected 100 each, of a hypergeometric law: five standard deviations.
    assert all(abs(count - 100) < 45 for count in per_quarter)
    known = joiner.take([], 8_000 + 100 * SECOND, OUTCOMES).known
    assert {one.pending.slate.slate_id for one in known} == stayed


def test_what_waits_takes_no_more_than_it_is_counted_for() -> None:
    returns = ReturnsConfig(max_bytes=8 * 1024 * 1024)
    joiner = joiner_of(replace(CONFIG, window_us=1, settle_us=1, returns=returns))
    gc.collect()
    tracemalloc.start()
    try:
        for number in range(4_000):
            table = np.random.default_rng(number).random((3, 27), np.float32)
            logits = np.zeros((3, 3), np.float32)
            slate = shown(
                f"slate-{number:030}",
                [f"item-of-some-length-{number}-{place}" for place in range(3)],
                f"u:{number}".encode(),
                served_at_us=number + 1,
                logits=logits,
                features=table,
            )
            joiner.take([JoinerItem(number * 3, slate)], number * 3, OUTCOMES)
        gc.collect()
        taken = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert 1_000 < len(joiner.returns) < 4_000
    assert joiner.returns.held_bytes <= 8 * 1024 * 1024
    assert taken < joiner.returns.held_bytes < 2 * taken


@pytest.mark.parametrize(
    ("passed_us", "back"),
    [(10 * SECOND - 1, False), (10 * SECOND, True), (25 * SECOND - 1, True), (25 * SECOND, False)],
)
def test_a_window_is_kept_to_the_microsecond_and_a_visit_counts_once(
    passed_us: int, back: bool
) -> None:
    joiner = joiner_of()
    slate = slate_of("s", b"u:1")
    taken = clicked("s", "b")
    joiner.take([JoinerItem(SECOND, slate), JoinerItem(2 * SECOND, taken)], 2 * SECOND, OUTCOMES)
    # It is told late, when the slate is not: as of an event in a batch.
    visits = [
        JoinerItem(24 * SECOND, Visit(b"u:1", kind, float("nan"), SECOND + passed_us))
        for kind in ("look", "click")
    ]
    joined = joiner.take(visits, 24 * SECOND, OUTCOMES)
    assert joined.mattered == visits[:back]
    assert joined.counts["returned"] == back
    assert not joiner.due(26 * SECOND - 1)
    assert joiner.due(26 * SECOND)
    [known] = joiner.take([], 26 * SECOND, OUTCOMES).known
    assert known.labels.tolist() == [False, back, False]


def test_events_of_users_that_slates_wait_for_are_visits_at_the_earlier_of_their_times() -> None:
    joiner = joiner_of()
    joiner.take([JoinerItem(SECOND, slate_of("s", b"u:1"))], SECOND, OUTCOMES)
    kinds: list[Kind] = [
        Event(b"u:1", "x", "play", 4.0, 40 * SECOND, 1.0, "s"),
        Event(b"u:1", "x", "play", 4.0, 60 * SECOND, 1.0),
        Event(b"u:2", "x", "play", 4.0, 60 * SECOND, 1.0),
        slate_of("t", b"u:2"),
        Event(b"u:2", "x", "look", 4.0, 49 * SECOND, 1.0),
    ]
    entries = [LogEntry(number, "a", 50 * SECOND, kind) for number, kind in enumerate(kinds)]
    items = joiner_items(entries, joiner.returns)
    assert [item.kind for item in items if isinstance(item.kind, Visit)] == [
        Visit(b"u:1", "play", 4.0, 40 * SECOND),
        Visit(b"u:1", "play", 4.0, 50 * SECOND),
        Visit(b"u:2", "look", 4.0, 49 * SECOND),
    ]
    assert [type(item.kind) for item in items] == [SlateEvent, Visit, Visit, Impression, Visit]
    joiner.returns.expect(OUTCOMES.definitions[:1], keep=True)
    left = [type(item.kind) for item in joiner_items(entries, joiner.returns)]
    assert left == [SlateEvent, Impression]


@pytest.mark.parametrize("value", [float("nan"), 0.0, 2.5])
def test_visits_survive_the_wire(value: float) -> None:
    item = JoinerItem(7, Visit(b"u:1", "play", value, 5))
    wire = frame_pb2.TenantChanges()
    slates_to_wire(SlateChanges(JoinerChanges(9, (item,))), wire)
    changes = slates_from_wire(wire, {})
    assert changes is not None
    assert repr(changes.input) == repr(JoinerChanges(9, (item,)))


def test_slates_of_an_earlier_generation_teach_by_what_the_scorer_of_now_says() -> None:
    """Generations come more often than users: else nothing would be learned from next days."""
    width = len(COLUMNS)
    outcomes = (replace(OUTCOMES.definitions[1], event_types=frozenset()), OUTCOMES.definitions[0])
    scorer = Scorer(prior_scorer(outcomes), COLUMNS, [one.name for one in outcomes])
    table = np.random.default_rng(7).standard_normal((3, width)).astype(np.float32)
    own = SlateLearning(OUTCOMES, width, SlateConfig(joiner=CONFIG))
    slate = shown("s", ["a", "b", "c"], logits=np.full((3, 3), 9, np.float32), features=table)
    own.learn(
        [JoinerItem(SECOND, slate), JoinerItem(2 * SECOND, clicked("s", "b"))],
        6 * SECOND,
        scorer,
    )
    own.activate(GenerationOutcomes("next", outcomes), width, same_features=True)
    visit = JoinerItem(12 * SECOND, Visit(b"u:1", "look", float("nan"), 12 * SECOND))
    changes, _ = own.learn([visit], 50 * SECOND, scorer)
    assert changes.head is not None
    # The same as a slate that it made itself, had it been there.
    made = shown(
        "s", ["a", "b", "c"], generation_id="next", logits=scorer.scores(table), features=table
    )
    labels = np.array([[False, False], [True, False], [False, False]])
    expected = ScorerHead(GenerationOutcomes("next", outcomes), width, HeadConfig())
    expected.train([], [], [DelayedLesson(PendingSlate(made, 0, labels, labels[:, 0]), 0)])
    assert changes.head.parameters.tobytes() == expected.parameters.tobytes()
    assert (changes.head.parameters[0, 1:-2] != 0).any()
    # What was predicted is what was served then.
    [figures] = [one for one in changes.calibration if one.outcome == "soon"]
    assert figures.sums.figures()[:2] == pytest.approx((3.0, 1 / (1 + np.exp(-9.0))))


def test_what_brings_users_back_comes_first_though_bait_is_taken_more() -> None:
    """A law that is known: bait is taken by 30%, the tenth that is good by 10%; of who took what is
    good 60% come back the next day, of others 2%. So 6% take it and come back, and 2% bait.
    """
    chance = np.random.default_rng(1)
    own = SlateLearning(OUTCOMES_OF_LAW, 1, SlateConfig(calibration=CalibrationConfig(2_000.0)))
    minute = 60 * SECOND
    visits: list[tuple[int, bytes]] = []
    for number in range(3_000):
        now, user = number * 10 * minute, f"u:{number}".encode()
        good = chance.random(10) < 0.1
        features = good[:, None].astype(np.float32)
        logits = np.full((10, 2), -2, np.float32)
        served = own.head.parameters
        order = served[:, 0] * logits + features @ served[:, 1:-2].T
        shown_at = own.head.slopes * order + served[:, -2]
        shown_at = shown_at + np.log2(1 + np.arange(10.0))[:, None] * served[:, -1]
        slate = shown(
            f"s{number}", [f"i{n}" for n in range(10)], user, served_at_us=now + 1, logits=logits,
            features=features, probabilities=(1 / (1 + np.exp(-shown_at))).astype(np.float32),
        )  # fmt: skip
        taken = chance.random(10) < np.where(good, 0.1, 0.3)
        clicks = [clicked(f"s{number}", f"i{n}", user) for n in np.flatnonzero(taken)]
        due = [one for one in visits if one[0] <= now]
        visits = [one for one in visits if one[0] > now]
        come = [JoinerItem(at, Visit(who, "play", float("nan"), at)) for at, who in due]
        told = [JoinerItem(now, slate), *(JoinerItem(now, one) for one in clicks)]
        own.learn([*come, *told], now, None)
        if chance.random() < (0.6 if (taken & good).any() else 0.02):
            visits.append((now + int(chance.integers(13, 35)) * 60 * minute, user))
    of_click, of_return = own.head.parameters[:, 1]
    assert of_click < -0.3
    assert of_return > 0.1
    examples, predicted, actual, error = own.calibration.sums(("", "return")).figures()
    assert examples > 2_000
    assert actual == pytest.approx(0.024, abs=0.008)
    assert predicted == pytest.approx(actual, abs=0.01)
    assert error < 0.01


@pytest.mark.parametrize(
    ("keep", "after", "kept"),
    [(True, OUTCOMES.definitions, 2), (False, OUTCOMES.definitions, 0),
     (True, OUTCOMES.definitions[:2], 1),
     (True, [replace(one, weight=7.0) for one in OUTCOMES.definitions[::-1]], 2),
     (True, [replace(one, event_types=frozenset({"x"})) for one in OUTCOMES.definitions], 0)],
)  # fmt: skip
def test_another_generation_goes_on_with_the_delayed_outcomes_that_both_have(
    keep: bool, after: list[OutcomeDefinition], kept: int
) -> None:
    joiner = joiner_of()
    joiner.take([JoinerItem(SECOND, slate_of("s", b"u:1"))], SECOND, OUTCOMES)
    joiner.returns.expect(after, keep)
    joined = joiner.take([], 100 * SECOND, replace(OUTCOMES, generation_id="next"))
    assert len(joined.known) == kept
    order = [one.name for one in after if one.returns is not None]
    assert [one.outcome for one in joined.known] == order[:kept]
    assert all(OUTCOMES.names[one.column] == one.outcome for one in joined.known)
