"""An erased user leaves the state of a log that never had them, but for item vectors (truth 12)."""

import hashlib
from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from services.feedback.learner.model.checkpoint import checkpoint
from services.feedback.learner.model.entries import (
    Event,
    ItemUpserted,
    Kind,
    LogEntry,
    UserErased,
    UserUnlearned,
)
from services.feedback.learner.model.tenant_state import TenantState
from tests.feedback.domain.learning import T0_US, activation
from tests.feedback.domain.test_retraction import learned, rules_of

TENANT = "a"
ITEMS = 8
ERASED = b"u0"
_Events = list[tuple[int, int, float, int]]
_events = st.lists(
    st.tuples(
        st.integers(0, 2),
        st.integers(0, ITEMS - 1),
        st.sampled_from([1.0, 1.0, 0.5, 2.0, 0.0, -1.0]),
        st.integers(0, 400_000),
    ),
    min_size=1,
    max_size=60,
)


def _log(events: _Events) -> list[LogEntry]:
    kinds: list[Kind] = [
        activation(TENANT),
        *(ItemUpserted(f"i{n}", b"x", {f"c{n}": 1.0}) for n in range(ITEMS)),
        *(
            Event(f"u{user}".encode(), f"i{item}", "view", float("nan"), T0_US + at * 10**6, weight)
            for user, item, weight, at in events
        ),
    ]
    return [LogEntry(n, TENANT, T0_US + n, kind) for n, kind in enumerate(kinds, start=1)]


def _is_of(entry: LogEntry, user_key: bytes) -> bool:
    return isinstance(entry.kind, Event) and entry.kind.user_key == user_key


def _erasure(log: list[LogEntry], scrubbed: bool = False) -> list[LogEntry]:
    """Return the log with an erasure at its end, hidden first and unlearned then."""
    own = tuple(entry for entry in log if _is_of(entry, ERASED))
    key = b"" if scrubbed else ERASED
    kinds: tuple[Kind, ...] = (
        UserErased("erasure", key, hashlib.sha256(ERASED).digest()),
        UserUnlearned("erasure", own),
    )
    last = len(log)
    return [
        *log,
        *(LogEntry(last + n, TENANT, T0_US + last + n, kind) for n, kind in enumerate(kinds, 1)),
    ]


def _check_same(state: TenantState, oracle: TenantState) -> None:
    assert state.counts[:ITEMS].tolist() == oracle.counts[:ITEMS].tolist()
    np.testing.assert_allclose(state.levels[:ITEMS], oracle.levels[:ITEMS], rtol=0, atol=1e-6)
    rules, wanted = rules_of(state), rules_of(oracle)
    assert rules.keys() == wanted.keys()
    for pair, weight in wanted.items():
        assert abs(rules[pair] - weight) < 1e-4, pair


@settings(max_examples=40)
@given(_events, st.integers(1, 9), st.booleans())
def test_what_is_shared_is_that_of_a_log_without_the_user(
    events: _Events, size: int, scrubbed: bool
) -> None:
    log = _log(events)
    state = learned(_erasure(log, scrubbed), size)
    _check_same(state, learned([one for one in log if not _is_of(one, ERASED)], size))
    told = [key for part in checkpoint({TENANT: state}) if part.recent is not None
            for key in part.recent.user_keys]  # fmt: skip
    assert ERASED not in told


def test_also_what_was_forgotten_of_a_long_history() -> None:
    """More events than are remembered, and on one day more than may move what is shared."""
    many = [(0, (n * n) % ITEMS, 1.0, n * 60) for n in range(1200)]
    others = [(1, n % ITEMS, 1.0, n * 60) for n in range(40)]
    log = _log([*many[:600], *others, *many[600:]])
    oracle = learned([one for one in log if not _is_of(one, ERASED)], 50)
    _check_same(learned(_erasure(log), 50), oracle)
    # The oracle sees a difference: of an event that is left out.
    log_of_fewer = _erasure(log)
    unlearned = log_of_fewer[-1].kind
    assert isinstance(unlearned, UserUnlearned)
    fewer = replace(unlearned, events=unlearned.events[1:])
    log_of_fewer[-1] = replace(log_of_fewer[-1], kind=fewer)
    state = learned(log_of_fewer, 50)
    assert state.counts[:ITEMS].tolist() != oracle.counts[:ITEMS].tolist()


def test_who_comes_back_is_nobody_known() -> None:
    log = _erasure(_log([(0, 1, 1.0, 5), (0, 2, 1.0, 9), (1, 3, 1.0, 9)]))
    number = len(log) + 1
    back = Event(ERASED, "i5", "view", float("nan"), T0_US + 10**9, 1.0)
    log.append(LogEntry(number, TENANT, T0_US + number, back))
    state = learned(log, 3)
    held = state.users.histories(state.users.rows([ERASED])).items[0]
    assert held[held >= 0].tolist() == [5]
    assert state.counts[:6].tolist() == [0, 0, 0, 1, 0, 1]
