"""What becomes of an event does not depend on whose calls share an insert (truth 2)."""

from dataclasses import dataclass, replace

from hypothesis import given
from hypothesis import strategies as st

from services.feedback.events.domain.event_cleaning import Reason
from services.feedback.events.repeated_events import (
    Fate,
    FlushedEvents,
    keys_of,
    representatives_of,
    settle,
)
from services.feedback.log.log_store import Appended, PreparedEvents


@dataclass(frozen=True)
class One:
    name: str
    fingerprint: bytes
    reason: int


_events = st.lists(
    st.builds(
        One,
        st.sampled_from(["a", "b", "c"]),
        st.sampled_from([b"x", b"y", b"z"]),
        st.sampled_from([0, 0, int(Reason.UNKNOWN_ITEM), int(Reason.UNKNOWN_TYPE)]),
    ),
    max_size=8,
)


class Log:
    """A plain log: one event after the other."""

    def __init__(self) -> None:
        self.known: dict[str, tuple[int, bytes]] = {}

    def fate(self, event: One) -> tuple[Fate, int, int]:
        """Append an event; return fate, sequence and reason."""
        known = self.known.get(event.name)
        if known is not None:
            same = known[1] == event.fingerprint
            return (Fate.DUPLICATE if same else Fate.REUSED), known[0], 0
        if event.reason:
            return Fate.QUARANTINED, 0, event.reason
        self.known[event.name] = (len(self.known) + 1, event.fingerprint)
        return Fate.ACCEPTED, len(self.known), 0

    def appended(self, events: list[One]) -> Appended:
        """Append events of distinct ids as the store does."""
        assert len({event.name for event in events}) == len(events)
        before = len(self.known)
        known = [self.known.get(event.name) for event in events]
        for event in events:
            self.fate(event)
        return Appended(1, before, 0, known if any(known) else None)


def columns(events: list[One]) -> PreparedEvents:
    size = len(events)
    return PreparedEvents(
        ["t"] * size,
        [event.name for event in events],
        ["i"] * size,
        [event.fingerprint for event in events],
        [b"u"] * size,
        [event.reason for event in events],
        [b""] * size,
    )


def together_in(log: Log, events: list[One]) -> FlushedEvents:
    """Return what becomes of events that share an insert."""
    batch = columns(events)
    keys = keys_of(batch)
    chosen = representatives_of(keys, batch.reasons)
    return settle(keys, batch, chosen, log.appended([events[index] for index in chosen]))


@given(_events, _events)
def test_one_insert_answers_like_one_call_after_the_other(
    before: list[One], together: list[One]
) -> None:
    one_by_one, at_once = Log(), Log()
    for event in before:
        one_by_one.fate(event)
        at_once.fate(event)
    expected = [one_by_one.fate(event) for event in together]
    if not together:
        return
    results = together_in(at_once, together)
    assert [*zip(results.fates, results.reasons, strict=True)] == [
        (fate, reason) for fate, _, reason in expected
    ]
    # Which of two new ids comes first is not told by when one of them is mended.
    assert [*map(bool, results.sequences)] == [bool(sequence) for _, sequence, _ in expected]
    for event, sequence in zip(together, results.sequences, strict=True):
        assert not sequence or at_once.known[event.name][0] == sequence
    assert at_once.known.keys() == one_by_one.known.keys()
    for name, (_, fingerprint) in one_by_one.known.items():
        assert at_once.known[name][1] == fingerprint


def test_a_mended_event_is_accepted_whoever_sent_the_broken_one() -> None:
    broken = One("a", b"x", int(Reason.UNKNOWN_TYPE))
    mended = replace(broken, fingerprint=b"y", reason=0)
    for together in ([broken, mended], [mended, broken]):
        results = together_in(Log(), together)
        assert results.fates[together.index(mended)] is Fate.ACCEPTED
