"""Events as they are checked, hashed and logged, one by one and in columns, against plain rules.

Truth 2: an event that was accepted once is known for ever, so its fingerprint never changes.
"""

import hashlib
import math
import struct
import unicodedata
from collections.abc import Sequence

import numpy as np
import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import example, given, settings
from hypothesis import strategies as st

from harken.common.v1 import subject_pb2
from harken.feedback.v1 import event_pb2 as pb
from harken.internal.log.v1 import entry_pb2
from services.common.user_key import Pseudonyms
from services.common.validation import Checks
from services.feedback.events.domain.event_cleaning import ClockBounds, Reason
from services.feedback.events.domain.event_types import EventType, ValueRule
from services.feedback.events.event_columns import ColumnPreparer, EventColumns
from services.feedback.events.event_conversion import EventPreparer, PreparedRequest
from tests.event_columns import columns_of

NOW_US = 1_700_000_000_000_000
NEWEST_US, OLDEST_US = 300_000_000, 7 * 86_400_000_000
TYPES = {
    "like": EventType(weight=1.5),
    "count": EventType(weight=0.0),
    "watch": EventType(weight=0.5, factors=((0, 0.0), (10, 0.3), (60, 1)), minimum=0, maximum=500),
    "skip": EventType(weight=-0.5, factors=((0, 0.0), (10, 0.3))),
    "huge": EventType(weight=2, factors=((-1e308, 1e300), (1e308, -1e300))),
    "rating": EventType(weight=1, value=ValueRule.REQUIRED, minimum=0, maximum=5),
    "hide": EventType(weight=-1, value=ValueRule.IGNORED),
    "ß": EventType(weight=0.1),
    "t" * 129: EventType(weight=0.2),
}

_ids = st.sampled_from([
    "a", "b", "with space", "ü", "\u2028", "e" * 128, "e" * 129, "ü" * 65, "a\x00", "\x7f", "",
    "x" * 40_000,
])  # fmt: skip
_subjects = st.one_of(
    st.just(subject_pb2.Subject()),
    st.builds(lambda name: subject_pb2.Subject(user_id=name), _ids),
    st.builds(lambda name: subject_pb2.Subject(session_id=name), _ids),
)
_values = st.one_of(
    st.none(),
    st.floats(),
    st.sampled_from([-0.0, 0.0, 5.0, 5.1, 10.0, 60.0, 1e9, 2e9, 1e308, -1e308]),
    st.floats(-10, 70),
)
_times = st.one_of(
    st.none(),
    st.integers(-(2**62), 2**62),
    st.integers(NOW_US - OLDEST_US - 5, NOW_US - OLDEST_US + 5),
    st.integers(NOW_US + NEWEST_US - 5, NOW_US + NEWEST_US + 5),
    st.sampled_from([0, -1, 63, 64, -62_135_596_800_000_001, 253_402_300_800_000_000]),
)
_contexts = st.sampled_from(
    [{}, {}, {}, {"b": "ü", "a": "1"}, {str(n): "" for n in range(17)}, {"a": "v" * 129}]
)


def _event(
    event_id: str,
    subject: subject_pb2.Subject,
    item_id: str,
    kind: str,
    value: float | None,
    time_us: int | None,
    slate_id: str,
    context: dict[str, str],
) -> pb.Event:
    one = pb.Event(
        event_id=event_id, item_id=item_id, type=kind, slate_id=slate_id, context=context
    )
    if subject.WhichOneof("kind"):
        one.subject.CopyFrom(subject)
    if value is not None:
        one.value = value
    if time_us is not None:
        seconds, micros = divmod(time_us, 1_000_000)
        one.event_time.CopyFrom(Timestamp(seconds=seconds, nanos=micros * 1000))
    return one


_types = st.sampled_from([*TYPES, "teleport", ""])
_slates = st.sampled_from(["", "", "s", "s" * 64, "s" * 65, "s\x00", "x" * 40_000])
_any = st.builds(_event, _ids, _subjects, _ids, _types, _values, _times, _slates, _contexts)
_fine = st.builds(
    _event,
    st.text("abc", min_size=1, max_size=9),
    st.sampled_from([subject_pb2.Subject(user_id="u"), subject_pb2.Subject(session_id="ß")]),
    st.sampled_from(["i", "j"]),
    st.sampled_from(["like", "count", "watch", "skip", "hide", "rating"]),
    st.one_of(st.none(), st.floats(0, 5), st.sampled_from([0.0, -0.0])),
    st.one_of(st.none(), st.integers(NOW_US - OLDEST_US, NOW_US)),
    st.sampled_from(["", "", "s-1"]),
    st.just({}),
)


def _odd_in(fine: pb.Event, other: pb.Event, name: str) -> pb.Event:
    """Return an event with one field of another."""
    one, part = pb.Event(), pb.Event()
    one.CopyFrom(fine)
    part.CopyFrom(other)
    one.ClearField(name)
    for field in pb.Event.DESCRIPTOR.fields:
        if field.name != name:
            part.ClearField(field.name)
    one.MergeFrom(part)
    return one


_nearly_fine = st.builds(
    _odd_in, _fine, _any, st.sampled_from([field.name for field in pb.Event.DESCRIPTOR.fields])
)

FIRST = [
    "b2b8b5e7717f343ccc43c57aae5ce1d0",
    "d5a336fdffc763ed51b7689227773362",
    "41cfadfe8b2ae47ba75ae01cd7287977",
]

Row = tuple[int, str, str, bytes, bytes, int, str, bytes]
"""Ordinal, event id, item id, fingerprint, user key, reason, entry as text, and as bytes; no bytes
where there is a context, which has no order."""


def _bad_id(name: str, most: int = 128) -> bool:
    control = any(unicodedata.category(letter) == "Cc" for letter in name)
    return not 1 <= len(name.encode()) <= most or control


def _refused(event: pb.Event) -> bool:
    subject = event.subject.user_id or event.subject.session_id
    ids = [event.event_id, event.item_id, event.type, subject]
    time = event.event_time
    return (
        any(map(_bad_id, ids))
        or (event.slate_id != "" and _bad_id(event.slate_id, 64))
        or not -62_135_596_800 <= time.seconds <= 253_402_300_799
        or not 0 <= time.nanos < 10**9
        or len(event.context) > 16
        or any(len(text.encode()) > 128 for pair in event.context.items() for text in pair)
    )


def _reason(event: pb.Event, oldest_us: int | None) -> Reason:
    kind = TYPES.get(event.type)
    if kind is None:
        return Reason.UNKNOWN_TYPE
    if not event.HasField("value"):
        if kind.value is ValueRule.REQUIRED:
            return Reason.MISSING_VALUE
    elif not math.isfinite(event.value) or (
        kind.value is not ValueRule.IGNORED and not kind.minimum <= event.value <= kind.maximum
    ):
        return Reason.VALUE_OUT_OF_RANGE
    if event.HasField("event_time"):
        time_us = event.event_time.seconds * 1_000_000 + event.event_time.nanos // 1000
        if time_us > NOW_US + NEWEST_US:
            return Reason.TIME_IN_FUTURE
        if oldest_us is not None and time_us < NOW_US - oldest_us:
            return Reason.TIME_TOO_OLD
    return Reason.NONE


def _weight(event: pb.Event) -> float:
    kind = TYPES.get(event.type)
    if kind is None:
        return 0.0
    if not kind.factors or not event.HasField("value"):
        return kind.weight
    points, factors = zip(*kind.factors, strict=True)
    return float(kind.weight * np.interp(event.value, points, factors))


def _expected(ordinal: int, event: pb.Event, oldest_us: int | None) -> Row:
    user = event.subject.user_id
    key = b"u:" + user.encode() if user else b"s:" + event.subject.session_id.encode()
    logged = entry_pb2.LoggedEvent(
        event_id=event.event_id,
        user_key=key,
        item_id=event.item_id,
        type=event.type,
        slate_id=event.slate_id,
        context=event.context,
        weight=_weight(event),
    )
    hashed = [key, *(one.encode() for one in (event.item_id, event.type, event.slate_id))]
    hashed += [b"", b""]
    if event.HasField("value"):
        logged.value = event.value
        same = math.nan if math.isnan(event.value) else 0.0 if event.value == 0 else event.value
        hashed[4] = struct.pack(">d", same)
    if event.HasField("event_time"):
        time_us = event.event_time.seconds * 1_000_000 + event.event_time.nanos // 1000
        logged.event_time_us = time_us
        hashed[5] = struct.pack(">q", time_us)
    for name, text in sorted(event.context.items()):
        hashed += [name.encode(), text.encode()]
    fields = b"".join(struct.pack(">I", len(field)) + field for field in hashed)
    fingerprint = hashlib.blake2b(fields, digest_size=16).digest()
    entry = entry_pb2.Entry(event=logged)
    return (
        ordinal, event.event_id, event.item_id, fingerprint, key, int(_reason(event, oldest_us)),
        str(entry), b"" if event.context else entry.SerializeToString(),
    )  # fmt: skip


def _found(request: PreparedRequest) -> list[Row]:
    assert len(request.ordinals) == len(request.events)
    assert request.events.tenants == ["t"] * len(request.events)
    rows = []
    columns = zip(request.ordinals, *request.events.columns()[1:], strict=True)
    for ordinal, event_id, item_id, fingerprint, key, reason, raw in columns:
        entry = entry_pb2.Entry.FromString(raw)
        own = b"" if entry.event.context else raw
        rows.append((ordinal, event_id, item_id, fingerprint, key, reason, str(entry), own))
        assert bool(reason) == (ordinal in request.details)
    return rows


def _by_events(preparer: EventPreparer, events: Sequence[pb.Event]) -> PreparedRequest:
    request = PreparedRequest("t")
    # As they come in a request.
    chunk = [pb.Event.FromString(event.SerializeToString()) for event in events]
    preparer.add(request, chunk[:3], 0)
    preparer.add(request, chunk[3:], 3)
    return request


def _by_columns(preparer: EventPreparer, events: Sequence[pb.Event]) -> PreparedRequest:
    checks = Checks()
    columns = EventColumns(columns_of(events), checks)
    checks.done()
    work = ColumnPreparer("t", columns, preparer)
    for _ in work.slices(5):
        pass
    return work.done()


@settings(max_examples=300)
@given(
    st.one_of(
        st.lists(_any, min_size=1, max_size=12),
        st.lists(_fine, min_size=1, max_size=12),
        st.lists(_nearly_fine, min_size=1, max_size=12),
    ),
    st.sampled_from([OLDEST_US, None]),
)
@example(
    [_event("e", subject_pb2.Subject(user_id="u"), "i", "watch", 7.3, NOW_US, "s", {})], OLDEST_US
)
def test_events_are_prepared_by_the_rules_however_they_come(
    events: list[pb.Event], oldest_us: int | None
) -> None:
    preparer = EventPreparer(TYPES, ClockBounds(NEWEST_US, oldest_us), lambda: NOW_US, Pseudonyms())
    refused = [ordinal for ordinal, event in enumerate(events) if _refused(event)]
    expected = [
        _expected(ordinal, event, oldest_us)
        for ordinal, event in enumerate(events)
        if ordinal not in refused
    ]
    for prepare in (_by_events, _by_columns):
        request = prepare(preparer, events)
        assert sorted(request.rejections) == refused
        assert _found(request) == expected


@pytest.mark.parametrize(("nanos", "taken"), [(-1, 0), (0, 1), (999_999_999, 1), (10**9, 0)])
def test_parts_of_a_second_are_within_one(nanos: int, taken: int) -> None:
    preparer = EventPreparer(TYPES, ClockBounds(NEWEST_US, None), lambda: NOW_US, Pseudonyms())
    event = _event("e", subject_pb2.Subject(user_id="u"), "i", "like", None, 5_000_000, "", {})
    event.event_time.nanos = nanos
    assert len(_by_events(preparer, [event]).events) == taken


def test_fingerprints_are_those_of_the_first_release() -> None:
    """Values as they are in logs by now."""
    preparer = EventPreparer(TYPES, ClockBounds(NEWEST_US, None), lambda: NOW_US, Pseudonyms())
    user = subject_pb2.Subject(user_id="u")
    events = [
        _event("a", user, "i", "like", None, None, "", {}),
        _event("b", user, "i", "watch", 12.5, 1_600_000_000_123_456, "s", {}),
        _event("c", user, "i", "like", -0.0, -1, "", {"b": "2", "a": "1"}),
    ]
    assert [one.hex() for one in _by_events(preparer, events).events.fingerprints] == FIRST


@given(
    st.lists(st.tuples(st.floats(-100, 100), st.floats(-5, 5)), min_size=1, max_size=5),
    st.floats(-10, 10),
    st.one_of(st.floats(), st.floats(-110, 110)),
)
def test_one_learning_weight_is_what_it_is_among_many(
    factors: list[tuple[float, float]], weight: float, value: float
) -> None:
    points = dict(sorted((at + 0.0, factor) for at, factor in factors))
    kind = EventType(weight=weight, factors=tuple(points.items()))
    one = kind.learning_weight(value)
    assert struct.pack("<f", one) == struct.pack("<f", kind.learning_weights(np.array([value]))[0])
