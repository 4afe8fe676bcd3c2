"""A session that is a user: the learner remembers both as one, and learns nothing again (truth 2).

The oracle is the same log with what the session did after the merge named after the user.
"""

from dataclasses import replace

import numpy as np
import pytest

from services.feedback.learner.model.entries import (
    Event,
    EventRetracted,
    Kind,
    LearningConsent,
    LogEntry,
    Nothing,
    UserLinked,
)
from services.feedback.learner.model.impression import Impression
from services.feedback.learner.model.tenant_state import LearningConfig, TenantState
from tests.feedback.domain.learning import DIMENSION, OUTCOMES, T0_US, activation, stepped, upserted
from tests.feedback.domain.slates import shown

TENANT, ANN, SESSION = "a", b"u:ann", b"s:17"
ITEMS = 12


def event(user: bytes, item: int, at: int) -> Event:
    return Event(user, f"i{item}", "view", float("nan"), T0_US + at * 10**6, 1.0)


def start() -> list[Kind]:
    return [activation(TENANT), *(upserted(n, "toy") for n in range(ITEMS))]


def learned(kinds: list[Kind], size: int, daily: int = 1000) -> TenantState:
    config = LearningConfig(daily_events=daily)
    log = [LogEntry(n, TENANT, T0_US + n * 10**6, kind) for n, kind in enumerate(kinds, 1)]
    return stepped(log, size, config)[TENANT]


def shared(state: TenantState) -> list[bytes]:
    count = len(state.items)
    parts = (state.popular.table[:count], state.rules.cols[:count], state.rules.vals[:count])
    return [part.tobytes() for part in parts] + [str(state.events).encode()]


def recent(state: TenantState, user: bytes) -> list[str]:
    row = np.array([state.users.row(user)])
    items = [item for item in state.users.histories(row).items[0].tolist() if item >= 0]
    return [state.items.ids[item] for item in items]


def day(chance: np.random.Generator, events: int) -> list[Kind]:
    people = [ANN, SESSION, b"u:x", b"u:y"]
    return [
        event(people[int(chance.integers(4))], int(chance.integers(ITEMS)), at)
        for at in range(events)
    ]


@pytest.mark.parametrize("size", [1, 200])
def test_a_merge_by_itself_changes_nothing_that_is_shared(size: int) -> None:
    before = [*start(), *day(np.random.default_rng(1), 60)]
    merged, apart = learned([*before, UserLinked(SESSION, ANN)], size), learned(before, size)
    assert shared(merged) == shared(apart)
    assert (merged.space.vectors == apart.space.vectors).all()


def test_recents_join_by_time_and_later_events_are_of_the_user() -> None:
    kinds: list[Kind] = [
        *start(), event(ANN, 1, 1), event(SESSION, 2, 2), event(ANN, 3, 3), event(SESSION, 4, 4),
        UserLinked(SESSION, ANN),
    ]  # fmt: skip
    assert recent(learned(kinds, 100), ANN) == ["i4", "i3", "i2", "i1"]
    kinds.append(event(SESSION, 5, 5))
    assert recent(learned(kinds, 100), ANN) == ["i5", "i4", "i3", "i2", "i1"]
    assert recent(learned(kinds, 100), SESSION) == ["i4", "i2"]
    kinds += [UserLinked(SESSION, b""), event(SESSION, 6, 6)]
    assert recent(learned(kinds, 100), ANN) == ["i5", "i4", "i3", "i2", "i1"]
    assert recent(learned(kinds, 100), SESSION) == ["i6", "i4", "i2"]
    # Merged again: what is remembered already is remembered once.
    kinds.append(UserLinked(SESSION, ANN))
    assert recent(learned(kinds, 100), ANN) == ["i6", "i5", "i4", "i3", "i2", "i1"]


@pytest.mark.parametrize("size", [1, 200])
def test_events_after_the_merge_teach_as_the_users(size: int) -> None:
    chance = np.random.default_rng(2)
    before = day(chance, 40)
    after = [
        event(kind.user_key, int(kind.item_id[1:]), 40 + at)
        for at, kind in enumerate(day(chance, 40))
        if isinstance(kind, Event)
    ]
    named = [replace(one, user_key=ANN) if one.user_key == SESSION else one for one in after]
    link = UserLinked(SESSION, ANN)
    told = learned([*start(), *before, link, *after], size)
    oracle = learned([*start(), *before, link, *named], size)
    assert shared(told) == shared(oracle)
    assert recent(told, ANN) == recent(oracle, ANN)


def test_the_daily_influence_is_that_of_one_user() -> None:
    kinds = [*start(), UserLinked(SESSION, ANN)]
    kinds += [event(ANN if at % 2 else SESSION, 3, at) for at in range(10)]
    assert learned(kinds, 100, daily=4).counts[3] == 4


@pytest.mark.parametrize("size", [1, 200])
@pytest.mark.parametrize("seed", range(2))
def test_what_is_taken_back_is_as_if_it_had_never_been(seed: int, size: int) -> None:
    """Counts exactly; rules as well, as long as all is remembered: also what later events gained
    from what came by the merge, and not what those before it did not.
    """
    chance = np.random.default_rng(seed)
    items = iter(chance.permutation(ITEMS).tolist())
    people = [ANN, SESSION]
    kinds = start()
    events: list[tuple[int, Event]] = []
    for at in range(ITEMS - 1):
        if at == 5:
            kinds.append(UserLinked(SESSION, ANN))
        one = event(people[int(chance.integers(2))], next(items), at)
        kinds.append(one)
        events.append((len(kinds), one))
    sequence, gone = events[seed]
    told = learned([*kinds, EventRetracted(gone, sequence)], size)
    never = list(kinds)
    never[sequence - 1] = Nothing()
    oracle = learned([*never, Nothing()], size)
    assert (told.counts[:ITEMS] == oracle.counts[:ITEMS]).all()
    assert recent(told, ANN) == recent(oracle, ANN)
    assert recent(told, SESSION) == recent(oracle, SESSION)
    assert rules(told) == pytest.approx(rules(oracle), abs=1e-5)


def rules(state: TenantState) -> dict[tuple[int, int], float]:
    """Return what pairs have gained."""
    rows, slots = np.nonzero(np.abs(state.rules.vals) > 1e-6)
    return {
        (row, int(state.rules.cols[row, slot])): float(state.rules.vals[row, slot])
        for row, slot in zip(rows.tolist(), slots.tolist(), strict=True)
    }


def test_a_slate_of_the_session_is_taken_by_the_user() -> None:
    """Who logs in and then buys what was shown before has taken it."""
    logits = np.zeros((2, len(OUTCOMES)), np.float32)

    def taken(*between: Kind) -> list[bool]:
        slate: Impression = shown(
            "s", ["i0", "i1"], SESSION, generation_id=f"bootstrap-{DIMENSION}", logits=logits
        )
        bought = replace(event(ANN, 1, 5), slate_id="s")
        (pending,) = learned([*start(), slate, *between, bought], 100).slates.joiner.held
        return [bool(one) for one in pending.taken]

    assert taken() == [False, False]
    assert taken(UserLinked(SESSION, ANN)) == [False, True]
    assert taken(UserLinked(SESSION, ANN), UserLinked(SESSION, b"")) == [False, False]


@pytest.mark.parametrize("shy", [ANN, SESSION])
def test_the_stricter_consent_counts_while_they_are_one(shy: bytes) -> None:
    kinds: list[Kind] = [
        *start(), LearningConsent(shy, granted=False), UserLinked(SESSION, ANN),
        event(ANN, 1, 1), event(SESSION, 1, 2), UserLinked(SESSION, b""),
        event(ANN, 1, 3), event(SESSION, 1, 4),
    ]  # fmt: skip
    assert learned(kinds, 100).counts[1] == 1
    taken = [EventRetracted(kind, n) for n, kind in enumerate(kinds, 1) if isinstance(kind, Event)]
    assert learned([*kinds, *taken], 100).counts[1] == 0
