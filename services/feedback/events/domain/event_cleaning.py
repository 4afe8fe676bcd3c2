"""Cleaning: what of an event is refused, what is set aside, what is kept.

Malformed events are rejected: their sender has to mend them. Events that are well formed but
implausible are quarantined with the reason, so that a misconfiguration loses nothing.
"""

import hashlib
import math
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum

from services.feedback.events.domain.event_types import EventTypes, ValueRule

MAX_CONTEXT_ENTRIES = 16
MAX_CONTEXT_BYTES = 128

NO_FIELD = bytes(4)
"""A field without a value, as it goes into a fingerprint: how long it is."""
_HASHED_VALUE = struct.Struct(">Id").pack
_HASHED_TIME = struct.Struct(">Iq").pack


class Reason(IntEnum):
    """Why an event was not accepted; numbers of harken.feedback.v1.EventReason."""

    NONE = 0
    MISSING_EVENT_ID = 1
    MISSING_SUBJECT = 2
    MISSING_ITEM = 3
    MISSING_TYPE = 4
    INVALID_ID = 5
    CONTEXT_TOO_LARGE = 6
    EVENT_ID_REUSED = 7
    UNKNOWN_TYPE = 8
    UNKNOWN_ITEM = 9
    VALUE_OUT_OF_RANGE = 10
    MISSING_VALUE = 11
    TIME_IN_FUTURE = 12
    TIME_TOO_OLD = 13
    INVALID_TIME = 14
    USER_ERASED = 15


@dataclass(frozen=True, slots=True)
class Draft:
    """An event as it came, its ids checked. Times in unix microseconds."""

    event_id: str
    user_key: bytes
    item_id: str
    type: str
    value: float | None
    event_time_us: int | None
    slate_id: str
    context: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ClockBounds:
    """How far event times may be from now, in microseconds; `oldest` None: any past."""

    newest_us: int
    oldest_us: int | None


def context_fault(context: Mapping[str, str]) -> str | None:
    """Return what is wrong with a context, or None."""
    if len(context) > MAX_CONTEXT_ENTRIES:
        return f"context has {len(context)} entries, at most {MAX_CONTEXT_ENTRIES} are allowed"
    for key, value in context.items():
        if max(len(key.encode()), len(value.encode())) > MAX_CONTEXT_BYTES:
            return f"context entry {key[:32]!r} is longer than {MAX_CONTEXT_BYTES} bytes"
    return None


def quarantine_reason(
    draft: Draft, types: EventTypes, now_us: int, bounds: ClockBounds
) -> tuple[Reason, str]:
    """Return why an event is implausible and a sentence that says so, or (NONE, "").

    Whether the item exists is not asked here.
    """
    kind = types.get(draft.type)
    if kind is None:
        return Reason.UNKNOWN_TYPE, f"type {draft.type[:64]!r} is not configured"
    fault = _value_fault(draft.value, kind.value, kind.minimum, kind.maximum)
    if fault is not None:
        return fault
    if draft.event_time_us is not None:
        ahead = draft.event_time_us - now_us
        if ahead > bounds.newest_us:
            return Reason.TIME_IN_FUTURE, f"event_time is {ahead / 1e6:.0f} s in the future"
        if bounds.oldest_us is not None and -ahead > bounds.oldest_us:
            return Reason.TIME_TOO_OLD, f"event_time is {-ahead / 86400e6:.1f} days in the past"
    return Reason.NONE, ""


def _value_fault(
    value: float | None, rule: ValueRule, minimum: float, maximum: float
) -> tuple[Reason, str] | None:
    if value is None:
        if rule is ValueRule.REQUIRED:
            return Reason.MISSING_VALUE, "events of this type need a value"
        return None
    if not math.isfinite(value):
        return Reason.VALUE_OUT_OF_RANGE, "value is not finite"
    if rule is not ValueRule.IGNORED and not minimum <= value <= maximum:
        return Reason.VALUE_OUT_OF_RANGE, f"value {value} is not in [{minimum}, {maximum}]"
    return None


def fingerprint(draft: Draft, key: bytes = b"") -> bytes:
    """Return a 16-byte hash over the normalised fields: equal exactly for equal events.

    `key`: without it nobody finds out what was hashed by trying; empty: anybody may.

    Normalised: strings as UTF-8, times in microseconds, -0.0 as 0.0, any NaN as one NaN, context
    in order of its keys. The event id is not part of it.
    """
    fields = [
        hashed_field(draft.user_key),
        hashed_field(draft.item_id.encode()),
        hashed_field(draft.type.encode()),
        hashed_field(draft.slate_id.encode()),
        NO_FIELD if draft.value is None else hashed_value(draft.value),
        NO_FIELD if draft.event_time_us is None else hashed_time(draft.event_time_us),
    ]
    for name in sorted(draft.context):
        fields += [hashed_field(name.encode()), hashed_field(draft.context[name].encode())]
    return hashed(b"".join(fields), key)


def hashed_field(value: bytes) -> bytes:
    """Return a field as it goes into a fingerprint; NO_FIELD when it is empty."""
    return len(value).to_bytes(4) + value


def hashed_value(value: float) -> bytes:
    """Return the value of an event as it goes into a fingerprint."""
    return _HASHED_VALUE(8, math.nan if math.isnan(value) else value + 0.0)


def hashed_time(time_us: int) -> bytes:
    """Return the time of an event, in unix microseconds, as it goes into a fingerprint."""
    return _HASHED_TIME(8, time_us)


def hashed(fields: bytes, key: bytes = b"") -> bytes:
    """Return the fingerprint of fields, one after the other."""
    return hashlib.blake2b(fields, digest_size=16, key=key).digest()
