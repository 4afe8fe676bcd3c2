"""From whom others may not learn teaches nobody anything, from that entry of the log on (truth 4).

The oracle is the same log where what they did is not there.
"""

import numpy as np
import pytest

from services.common.candidate_features import COLUMNS
from services.feedback.learner.model.entries import (
    Event,
    EventRetracted,
    Kind,
    LearningConsent,
    LogEntry,
    Nothing,
)
from services.feedback.learner.model.impression import Impression
from services.feedback.learner.model.learning_consents import LearningConsents, LearningDecision
from services.feedback.learner.model.tenant_state import LearningConfig, TenantState
from tests.feedback.domain.learning import DIMENSION, OUTCOMES, T0_US, activation, stepped, upserted
from tests.feedback.domain.slates import shown

TENANT, SHY = "a", b"u:shy"
CONFIG = LearningConfig()
ITEMS = 8


def event(user: bytes, item: int, at: int, slate_id: str = "") -> Event:
    return Event(user, f"i{item}", "view", float("nan"), T0_US + at * 10**6, 1.0, slate_id=slate_id)


def slate(number: int, at: int) -> Impression:
    chance = np.random.default_rng(number)
    return shown(
        f"s{number}", ["i0", "i1", "i2"], SHY, served_at_us=T0_US + at * 10**6,
        generation_id=f"bootstrap-{DIMENSION}",
        logits=chance.standard_normal((3, len(OUTCOMES))).astype(np.float32),
        features=chance.standard_normal((3, len(COLUMNS))).astype(np.float32),
    )  # fmt: skip


def learned(kinds: list[Kind], size: int, config: LearningConfig = CONFIG) -> TenantState:
    log = [LogEntry(n, TENANT, T0_US + n * 10**6, kind) for n, kind in enumerate(kinds, 1)]
    return stepped(log, size, config)[TENANT]


def street(shy_granted: bool | None) -> tuple[list[Kind], list[Kind]]:
    """Return what people do, one of them shy for a while, and the same without what she did then.

    shy_granted: what she decides afterwards.
    """
    chance = np.random.default_rng(5)
    start: list[Kind] = [activation(TENANT), *(upserted(n, "toy") for n in range(ITEMS))]
    told, blind = list(start), list(start)
    for at in range(90):
        shy = 30 <= at < 60
        if at == 30:
            told.append(LearningConsent(SHY, granted=False))
            blind.append(Nothing())
        if at == 60:
            told.append(LearningConsent(SHY, shy_granted))
            blind.append(Nothing())
        who = SHY if at % 3 == 0 else f"u:{at % 5}".encode()
        kind: Kind = event(who, int(chance.integers(0, ITEMS)), at, "s40" if at == 42 else "")
        if at == 40:
            kind, who = slate(40, at), SHY
        told.append(kind)
        blind.append(Nothing() if shy and who == SHY else kind)
    # All that she did, also what taught nobody, is taken back.
    for sequence, kind in enumerate(list(told), 1):
        if isinstance(kind, Event) and kind.user_key == SHY:
            hers = blind[sequence - 1] is kind
            told.append(EventRetracted(kind, sequence))
            blind.append(EventRetracted(kind, sequence) if hers else Nothing())
    return told, blind


@pytest.mark.parametrize("size", [1, 7, 100])
@pytest.mark.parametrize("afterwards", [True, None])
def test_what_they_do_changes_nothing_that_is_shared(size: int, afterwards: bool | None) -> None:
    """Whatever the steps are: a decision counts from its own sequence on."""
    told, blind = street(afterwards)
    state, oracle = learned(told, size), learned(blind, size)
    assert (state.popular.table == oracle.popular.table).all()
    assert (state.rules.cols == oracle.rules.cols).all()
    assert (state.rules.vals == oracle.rules.vals).all()
    assert state.events == oracle.events
    assert state.slates.choices.choices == oracle.slates.choices.choices
    assert (state.slates.head.parameters == oracle.slates.head.parameters).all()
    assert not state.slates.joiner.held
    if size == 1:
        # Else steps hold other events.
        assert (state.space.vectors == oracle.space.vectors).all()


def test_a_slate_from_before_the_denial_trains_nothing() -> None:
    """What became of it is not known, as her events are not looked at."""
    start: list[Kind] = [activation(TENANT), *(upserted(n, "toy") for n in range(3)), slate(1, 4)]
    later = [event(b"u:other", 0, 40 + n) for n in range(20)]

    def slates(*between: Kind) -> int:
        return learned([*start, *between, *later], 1).slates.head.slates

    assert slates(event(SHY, 1, 5, "s1")) == 1
    shy = LearningConsent(SHY, granted=False)
    assert slates(shy, event(SHY, 1, 5, "s1")) == 0
    assert slates(shy, event(SHY, 1, 5, "s1"), LearningConsent(SHY, granted=True)) == 0


def test_where_it_has_to_be_granted_nothing_is_learned_until_it_is() -> None:
    config = LearningConfig(learns_unless_denied=False)
    kinds: list[Kind] = [
        activation(TENANT), upserted(0, "toy"), event(SHY, 0, 1),
        LearningConsent(SHY, granted=True), event(SHY, 0, 2),
        LearningConsent(SHY, granted=None), event(SHY, 0, 3),
    ]  # fmt: skip
    assert learned(kinds, 100, config).counts[0] == 1


def test_decisions_are_bounded_and_what_is_forgotten_taught_nothing() -> None:
    consents = LearningConsents(unless_denied=True)
    for number in range(1, 101):
        consents.note(SHY, LearningDecision(number * 10, number % 2 == 0))
        assert consents.allowed(SHY, number * 10 + 5) == (number % 2 == 0)
    assert len(consents.of(SHY)) == 30
    assert not consents.allowed(SHY, 45)
    assert consents.allowed(SHY, 1005)
    assert not consents.ever_since(SHY, 985, 1005)
    assert consents.ever_since(SHY, 1005, 1005)
