"""A retracted event leaves the state of a log that never had it, but for item vectors."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from services.common.ranking.popularity import COUNT
from services.feedback.learner.model.entries import (
    Event,
    EventRetracted,
    ItemUpserted,
    Kind,
    LogEntry,
)
from services.feedback.learner.model.tenant_state import LearningConfig, TenantState
from tests.feedback.domain.learning import T0_US, activation, stepped

CONFIG = LearningConfig()
TENANT = "a"
_events = st.lists(
    st.tuples(
        st.integers(0, 2),
        st.integers(0, 5),
        st.sampled_from([1.0, 1.0, 0.5, 2.0, 0.0, -1.0]),
        st.integers(0, 400_000),
    ),
    min_size=1,
    max_size=25,
)


def _log(events: list[tuple[int, int, float, int]]) -> list[LogEntry]:
    kinds: list[Kind] = [
        activation(TENANT),
        *(ItemUpserted(f"i{n}", b"x", {f"c{n}": 1.0}) for n in range(6)),
        *(
            Event(f"u{user}".encode(), f"i{item}", "view", float("nan"), T0_US + at * 10**6, weight)
            for user, item, weight, at in events
        ),
    ]
    return [LogEntry(n, TENANT, T0_US + n, kind) for n, kind in enumerate(kinds, start=1)]


def learned(log: list[LogEntry], size: int) -> TenantState:
    return stepped(log, size, CONFIG)[TENANT]


def rules_of(state: TenantState) -> dict[tuple[int, int], float]:
    cells = np.argwhere((state.rules.cols >= 0) & (state.rules.vals > 0)).tolist()
    return {
        (row, int(state.rules.cols[row, slot])): float(state.rules.vals[row, slot])
        for row, slot in cells
    }


@given(_events, st.lists(st.integers(0, 24), min_size=1, max_size=4), st.integers(1, 9))
def test_the_state_is_that_of_a_log_without_the_events(
    events: list[tuple[int, int, float, int]], chosen: list[int], size: int
) -> None:
    log = _log(events)
    gone = sorted({number % len(events) for number in chosen})
    retracted = [entry for number, entry in enumerate(log[7:]) if number in gone]
    entries = list(log)
    for entry in retracted:
        assert isinstance(entry.kind, Event)
        number = len(entries) + 1
        kind = EventRetracted(entry.kind, entry.sequence)
        entries.append(LogEntry(number, TENANT, T0_US + number, kind))
    state = learned(entries, size)
    oracle = learned([entry for entry in log if entry not in retracted], size)

    for user in {event[0] for event in events}:
        key = f"u{user}".encode()
        held = state.users.histories(state.users.rows([key]))
        wanted = oracle.users.histories(oracle.users.rows([key]))
        assert held.items.tolist() == wanted.items.tolist()
        assert held.weights.tolist() == wanted.weights.tolist()
        assert held.times_us.tolist() == wanted.times_us.tolist()
    assert state.counts[:6].tolist() == oracle.counts[:6].tolist()
    np.testing.assert_allclose(state.levels[:6], oracle.levels[:6], rtol=0, atol=1e-6)
    # Of an item that nobody did anything with, nothing is popular anywhere.
    nothing = oracle.counts[:6] == 0
    assert np.isneginf(np.delete(state.popular.table[:6][nothing], COUNT, axis=1)).all()
    rules, wanted_rules = rules_of(state), rules_of(oracle)
    assert rules.keys() == wanted_rules.keys()
    for pair, weight in wanted_rules.items():
        assert abs(rules[pair] - weight) < 1e-4, pair


def test_what_comes_after_events_were_taken_back_is_what_is_popular_just_now() -> None:
    """A robot's events are gone, and what people did meanwhile fades with what they do next."""
    robot, meanwhile = [(8, 2, 1.0, 5)] * 900, [(user % 3, 1, 1.0, 5) for user in range(100)]
    log = _log([*robot, *meanwhile])
    robots = log[7:907]
    for entry in robots:
        assert isinstance(entry.kind, Event)
        number = len(log) + 1
        kind = EventRetracted(entry.kind, entry.sequence)
        log.append(LogEntry(number, TENANT, T0_US + number, kind))
    for user in range(200):
        number = len(log) + 1
        event = Event(f"v{user}".encode(), "i3", "view", float("nan"), T0_US + number, 1.0)
        log.append(LogEntry(number, TENANT, T0_US + number, event))
    trends = learned(log, 50).popular.trends(np.arange(6))
    assert trends[3] > trends[1] > trends[2] == -np.inf


def test_an_event_taken_back_twice_or_never_seen_changes_nothing_more() -> None:
    log = _log([(0, 1, 1.0, 5), (0, 2, 1.0, 9), (0, 1, 1.0, 20)])
    event = log[7]
    assert isinstance(event.kind, Event)
    once = [*log, LogEntry(11, TENANT, T0_US + 11, EventRetracted(event.kind, event.sequence))]
    state = learned(once, 100)
    # The store never logs a retraction twice; the user table would not mind.
    row = state.users.row(b"u0")
    before = state.users.histories(np.array([row]))
    assert state.users.forget(row, event.sequence)[0] == state.users.past(row)
    after = state.users.histories(np.array([row]))
    assert after.items.tolist() == before.items.tolist()
