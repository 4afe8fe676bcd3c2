"""What somebody does with an item of their own teaches nobody anything (truth 4)."""

from functools import partial

import numpy as np
import pytest

from harken.feedback.v1 import item_pb2
from services.common.content_features import Content, content_features
from services.common.user_key import Pseudonyms
from services.feedback.generations.generation_conversion import owner_of_payload
from services.feedback.learner.model.entries import (
    Event,
    EventRetracted,
    ItemUpserted,
    Kind,
    LogEntry,
    Nothing,
)
from services.feedback.learner.model.impression import Impression
from services.feedback.learner.model.tenant_state import LearningConfig, TenantState
from tests.feedback.domain.learning import DIMENSION, OUTCOMES, T0_US, activation, stepped
from tests.feedback.domain.slates import shown

TENANT = "a"
CONFIG = LearningConfig(owner_of=partial(owner_of_payload, Pseudonyms()))
ITEMS = 8
SELLER = b"u:seller"


def upserted(number: int, owner: str) -> ItemUpserted:
    item = item_pb2.Item(item_id=f"i{number}", owner=owner)
    features = content_features(Content(item.item_id))
    return ItemUpserted(item.item_id, item.SerializeToString(), features)


def event(user: bytes, item: int, at: int, slate_id: str = "") -> Event:
    return Event(user, f"i{item}", "view", float("nan"), T0_US + at * 10**6, 1.0, slate_id=slate_id)


def learned(kinds: list[Kind], size: int) -> TenantState:
    log = [LogEntry(n, TENANT, T0_US + n * 10**6, kind) for n, kind in enumerate(kinds, 1)]
    return stepped(log, size, CONFIG)[TENANT]


def market(chance: np.random.Generator) -> list[Kind]:
    """Two items of the seller, and people, the seller among them, who do something with others."""
    kinds: list[Kind] = [
        activation(TENANT),
        *(upserted(n, "seller" if n < 2 else "other") for n in range(ITEMS)),
    ]
    for at in range(60):
        who = SELLER if at % 4 == 0 else f"u:{at % 5}".encode()
        first = 2 if who == SELLER else 0
        kinds.append(event(who, int(chance.integers(first, ITEMS)), at))
    return kinds


@pytest.mark.parametrize("size", [1, 7, 100])
@pytest.mark.parametrize("retracted", [False, True])
def test_what_the_owner_does_changes_nothing_that_is_shared(size: int, retracted: bool) -> None:
    plain, pushed = market(np.random.default_rng(3)), []
    blind: list[Kind] = []
    for number, kind in enumerate(plain):
        pushed.append(kind)
        blind.append(kind)
        if isinstance(kind, Event) and number % 3 == 0:
            pushed.append(event(SELLER, number % 2, number))
            blind.append(Nothing())
    if retracted:
        for sequence, kind in enumerate(list(pushed), 1):
            if isinstance(kind, Event) and kind.user_key == SELLER and kind.item_id in ("i0", "i1"):
                pushed.append(EventRetracted(kind, sequence))
                blind.append(Nothing())
    state, oracle = learned(pushed, size), learned(blind, size)
    assert (state.popular.table == oracle.popular.table).all()
    assert (state.rules.cols == oracle.rules.cols).all()
    assert (state.rules.vals == oracle.rules.vals).all()
    assert state.events == oracle.events
    assert state.slates.choices.choices == oracle.slates.choices.choices
    if size == 1 and not retracted:
        # Else steps hold other events.
        assert (state.space.vectors == oracle.space.vectors).all()


def test_a_change_of_owner_counts_from_then_on() -> None:
    kinds: list[Kind] = [
        activation(TENANT), upserted(0, "seller"), event(SELLER, 0, 1), upserted(0, "other"),
        event(SELLER, 0, 2), upserted(0, "seller"), event(SELLER, 0, 3),
    ]  # fmt: skip
    assert learned(kinds, 100).counts[0] == 1


def test_a_session_of_the_same_name_is_somebody_else() -> None:
    kinds: list[Kind] = [activation(TENANT), upserted(0, "seller"), event(b"s:seller", 0, 1)]
    assert learned(kinds, 100).counts[0] == 1


def test_an_own_item_that_is_taken_of_a_slate_was_not_taken() -> None:
    logits = np.zeros((2, len(OUTCOMES)), np.float32)

    def log(owner: str) -> list[Kind]:
        slate: Impression = shown(
            "s", ["i0", "i1"], SELLER, generation_id=f"bootstrap-{DIMENSION}", logits=logits
        )
        return [
            activation(TENANT), upserted(0, owner), upserted(1, "other"), slate,
            event(SELLER, 0, 5, slate_id="s"),
        ]  # fmt: skip

    def taken(owner: str) -> list[bool]:
        (pending,) = learned(log(owner), 100).slates.joiner.held
        return [bool(one) for one in pending.taken]

    assert taken("other") == [True, False]
    assert taken("seller") == [False, False]


@pytest.mark.parametrize("size", [1, 100])
def test_many_own_events_that_are_taken_back_take_nothing_of_others(size: int) -> None:
    """Whole counts are exact, however many there were, and whatever else is beyond the cap."""
    others = [event(f"u:{n}".encode(), 0, n) for n in range(20)]
    own = [event(SELLER, 0, 100 + n) for n in range(80)]
    kinds: list[Kind] = [activation(TENANT), upserted(0, "seller"), *others, *own]
    kinds += [EventRetracted(kind, 23 + n) for n, kind in enumerate(own)]
    assert learned(kinds, size).counts[0] == 20
