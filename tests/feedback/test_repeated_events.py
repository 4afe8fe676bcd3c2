"""What becomes of an event does not depend on whose calls share an insert (truth 2)."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from services.common.position import Position
from services.feedback.domain.event_cleaning import Reason
from services.feedback.store.log_store import AppendedEvent, PreparedEvent
from services.feedback.store.repeated_events import Fate, representatives_of, settle

_events = st.lists(
    st.builds(
        lambda name, payload, reason: PreparedEvent("t", name, payload, b"u", reason, b""),
        st.sampled_from(["a", "b"]),
        st.sampled_from([b"x", b"y", b"z"]),
        st.sampled_from([0, 0, int(Reason.UNKNOWN_ITEM), int(Reason.UNKNOWN_TYPE)]),
    ),
    max_size=8,
)


class Log:
    """A plain log: one event after the other."""

    def __init__(self) -> None:
        self.known: dict[str, tuple[int, bytes]] = {}

    def append(self, event: PreparedEvent) -> AppendedEvent:
        known = self.known.get(event.event_id)
        if known is not None:
            return AppendedEvent(Position(0, 1, known[0]), known[1], False)
        if event.reason:
            return AppendedEvent(None, None, False)
        self.known[event.event_id] = (len(self.known) + 1, event.fingerprint)
        return AppendedEvent(Position(0, 1, len(self.known)), event.fingerprint, True)

    def fate(self, event: PreparedEvent) -> tuple[Fate, bytes | int]:
        appended = self.append(event)
        if appended.fresh:
            return Fate.ACCEPTED, event.fingerprint
        if appended.position is None:
            return Fate.QUARANTINED, event.reason
        same = appended.fingerprint == event.fingerprint
        return (Fate.DUPLICATE if same else Fate.REUSED), event.fingerprint


@given(_events, _events)
def test_one_insert_answers_like_one_call_after_the_other(
    before: list[PreparedEvent], together: list[PreparedEvent]
) -> None:
    one_by_one, at_once = Log(), Log()
    for event in before:
        one_by_one.append(event)
        at_once.append(event)
    expected = [one_by_one.fate(event) for event in together]
    representatives = representatives_of(together)
    appended = {key: at_once.append(event) for key, event in representatives.items()}
    results = settle(together, appended)
    assert [result.fate for result in results] == [fate for fate, _ in expected]
    for result, (fate, reason) in zip(results, expected, strict=True):
        assert result.reason == (reason if fate is Fate.QUARANTINED else Reason.NONE)
        assert (result.position is None) == (fate is Fate.QUARANTINED)
    assert at_once.known.keys() == one_by_one.known.keys()
    for name, (_, fingerprint) in one_by_one.known.items():
        assert at_once.known[name][1] == fingerprint


def test_a_mended_event_is_accepted_whoever_sent_the_broken_one() -> None:
    broken = PreparedEvent("t", "a", b"x", b"u", int(Reason.UNKNOWN_TYPE), b"")
    mended = replace(broken, fingerprint=b"y", reason=0)
    for together in ([broken, mended], [mended, broken]):
        log = Log()
        chosen = representatives_of(together)
        results = settle(together, {key: log.append(event) for key, event in chosen.items()})
        assert results[together.index(mended)].fate is Fate.ACCEPTED
