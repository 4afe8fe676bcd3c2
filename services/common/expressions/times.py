"""Timestamps and durations, in whole microseconds."""

import datetime
import re
from collections.abc import Callable
from decimal import Decimal

import numpy as np

from services.common.arrays import Ordinals
from services.common.expressions.values import (
    FAILED,
    Kind,
    Value,
    durations,
    either,
    ints,
    times,
)

_SECOND = 1_000_000
_DAY = 86_400 * _SECOND
_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
_FIRST = (datetime.datetime.min.replace(tzinfo=datetime.UTC) - _EPOCH) // datetime.timedelta(
    microseconds=1
)
_LAST = (datetime.datetime.max.replace(tzinfo=datetime.UTC) - _EPOCH) // datetime.timedelta(
    microseconds=1
)
"""Years 1 to 9999."""
_LONGEST = (2**63 - 1) // 1000
"""The specification bounds durations to what nanoseconds in 64 bits hold: 292 years."""

_TIME = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[Tt](\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?(?:[Zz]|([+-])(\d\d):(\d\d))",
    re.ASCII,
)
_PART = re.compile(r"(\d+\.?\d*|\.\d+)(h|ms|m|s|us|µs|μs|ns)", re.ASCII)
_UNITS = {
    "h": Decimal(3_600 * _SECOND),
    "m": Decimal(60 * _SECOND),
    "s": Decimal(_SECOND),
    "ms": Decimal(1000),
    "us": Decimal(1),
    "µs": Decimal(1),
    "μs": Decimal(1),
    "ns": Decimal("0.001"),
}
_OFFSET = re.compile(r"([+-]?)(\d\d):(\d\d)", re.ASCII)


def time_of(text: str) -> int | None:
    """Return a text of RFC 3339 in microseconds since 1970; None when it is no such time."""
    found = _TIME.fullmatch(text)
    if found is None:
        return None
    *fields, fraction, sign, hours, minutes = found.groups()
    ns = int((fraction or "0").ljust(9, "0"))
    if ns % 1000:
        return None
    year, month, day, hour, minute, second = map(int, fields)
    try:
        at = datetime.datetime(year, month, day, hour, minute, second, ns // 1000, datetime.UTC)
    except ValueError:
        return None
    offset = (int(hours) * 60 + int(minutes)) * 60 * _SECOND if sign else 0
    if sign and (int(hours) > 23 or int(minutes) > 59):
        return None
    since = (at - _EPOCH) // datetime.timedelta(microseconds=1)
    since -= offset if sign == "+" else -offset
    return since if _FIRST <= since <= _LAST else None


def duration_of(text: str) -> int | None:
    """Return a text such as "1h30m" in microseconds; None when it is no duration."""
    unsigned = text[1:] if text[:1] in ("+", "-") else text
    if unsigned == "0":
        return 0
    total, place = Decimal(0), 0
    while place < len(unsigned):
        found = _PART.match(unsigned, place)
        if found is None or len(found[1]) > 40:
            return None
        total += Decimal(found[1]) * _UNITS[found[2]]
        place = found.end()
    if not unsigned or total != total.to_integral_value() or total > _LONGEST:
        return None
    return -int(total) if text.startswith("-") else int(total)


def offset_of(zone: str) -> int | None:
    """Return the offset of "UTC" or a fixed zone such as "-08:00", in microseconds, or None."""
    if zone in ("UTC", "Z"):
        return 0
    found = _OFFSET.fullmatch(zone)
    if found is None or int(found[2]) > 23 or int(found[3]) > 59:
        return None
    minutes = int(found[2]) * 60 + int(found[3])
    return (-minutes if found[1] == "-" else minutes) * 60 * _SECOND


def arithmetic(operator: str, left: Value, right: Value) -> Value:
    """Return `left operator right` of times and durations, for + and -."""
    error = either(left.error, right.error)
    kinds = (left.kind, operator, right.kind)
    total = left.data + right.data if operator == "+" else left.data - right.data
    if kinds in _TO_TIME:
        return times(total, either(error, (total < _FIRST) | (total > _LAST)))
    return durations(total, either(error, np.abs(total) > _LONGEST))


_TO_TIME = {
    (Kind.TIME, "+", Kind.DURATION),
    (Kind.TIME, "-", Kind.DURATION),
    (Kind.DURATION, "+", Kind.TIME),
}
SUMS = _TO_TIME | {
    (Kind.TIME, "-", Kind.TIME),
    (Kind.DURATION, "+", Kind.DURATION),
    (Kind.DURATION, "-", Kind.DURATION),
}
"""What can be added to and taken from what."""


def since_epoch(seconds: Value) -> Value:
    """Return `timestamp(seconds)`, of an int."""
    if seconds.kind is not Kind.INT:
        return FAILED
    outside = (seconds.data < _FIRST // _SECOND) | (seconds.data > _LAST // _SECOND)
    us = np.where(outside, 0, seconds.data) * _SECOND
    return times(us, either(seconds.error, outside))


def to_seconds(value: Value) -> Value:
    """Return `int(time)`: seconds since 1970, rounded down."""
    return ints(value.data // _SECOND, value.error)


def part(function: str, value: Value, offset: int) -> Value:
    """Return a getter such as `getHours` of a time, or of a duration.

    Args:
        function: one of `PARTS`; of a duration one of `DURATION_PARTS`.
        value: of kind TIME or DURATION.
        offset: of the time zone, in microseconds; of no meaning to a duration.

    """
    if value.kind is Kind.DURATION:
        unit = DURATION_PARTS.get(function)
        if unit is None:
            return FAILED
        # Towards zero, and milliseconds without the whole seconds.
        whole = np.sign(value.data) * (np.abs(value.data) // unit)
        return ints(np.fmod(whole, 1000) if unit == 1000 else whole, value.error)
    return ints(PARTS[function](value.data + offset), value.error)


def _days(us: Ordinals) -> Ordinals:
    return us // _DAY


def _calendar(us: Ordinals, unit: str) -> Ordinals:
    """Return whole years or months since 1970, rounded down."""
    return us.astype("datetime64[us]").astype(f"datetime64[{unit}]").astype(np.int64)


def _days_since(us: Ordinals, unit: str) -> Ordinals:
    start = us.astype("datetime64[us]").astype(f"datetime64[{unit}]").astype("datetime64[D]")
    return _days(us) - start.astype(np.int64)


PARTS: dict[str, Callable[[Ordinals], Ordinals]] = {
    "getFullYear": lambda us: _calendar(us, "Y") + 1970,
    "getMonth": lambda us: _calendar(us, "M") % 12,
    "getDate": lambda us: _days_since(us, "M") + 1,
    "getDayOfMonth": lambda us: _days_since(us, "M"),
    "getDayOfYear": lambda us: _days_since(us, "Y"),
    # 1970 began on a Thursday; Sunday is 0.
    "getDayOfWeek": lambda us: (_days(us) + 4) % 7,
    "getHours": lambda us: us // (3_600 * _SECOND) % 24,
    "getMinutes": lambda us: us // (60 * _SECOND) % 60,
    "getSeconds": lambda us: us // _SECOND % 60,
    "getMilliseconds": lambda us: us // 1000 % 1000,
}
"""Getters of a time, by name."""

DURATION_PARTS = {
    "getHours": 3_600 * _SECOND,
    "getMinutes": 60 * _SECOND,
    "getSeconds": _SECOND,
    "getMilliseconds": 1000,
}
"""Getters of a duration: name -> microseconds of the unit."""
