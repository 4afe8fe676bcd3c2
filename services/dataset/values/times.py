"""Cells as times: unix microseconds.

Numbers are unix times, in seconds, from 1e11 on in milliseconds, from 1e14 on in microseconds, from
1e17 on in nanoseconds (of either sign). What else is read is written in `TimeReader`.
"""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from decimal import Decimal
from email.utils import parsedate_to_datetime
from enum import StrEnum
from typing import cast
from zoneinfo import ZoneInfo

from services.dataset.faults import RowFaultError
from services.dataset.values.cells import Moment, text_of

_EARLIEST_US = -62_135_596_800 * 10**6
_LATEST_US = 253_402_300_800 * 10**6 - 1
"""The years 1 to 9999, which is what protobuf timestamps hold."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST_YEAR, _LAST_YEAR = 1900, 2100
"""Years in which a number of eight or more digits is taken for a date."""

_NUMBER = re.compile(r"[+-]?\d+(\.\d*)?(e[+-]?\d{1,3})?", re.ASCII | re.IGNORECASE)
_DATE_DIGITS = re.compile(r"(\d{4})(\d\d)(\d\d)((\d\d)(\d\d)((\d\d)(\d{3})?)?)?", re.ASCII)
_SLASHED = re.compile(r"\d{1,2}[/.]\d{1,2}[/.](\d{4}|\d\d)\b", re.ASCII)
_YEAR_FIRST = re.compile(r"(\d{4})[/.](\d{1,2})[/.](\d{1,2})(?=$|[ T])", re.ASCII)
_ORDINAL = re.compile(r"(\d{4})-(\d{3})(?=$|[ T])", re.ASCII)
_MONTH = re.compile(r"\d{4}-\d\d", re.ASCII)
_ZONE_NAME = re.compile(r"\s*(UTC|GMT|Z|Z?\[(UTC|GMT|Z)\])\s*$", re.IGNORECASE)
_OFFSET = re.compile(r"\s*([+-]\d\d(:?\d\d(:?\d\d)?)?)$", re.ASCII)
_CLOCK = re.compile(r"[ T](\d\d)(?::?(\d\d)(?::?(\d\d)([.,]\d+)?)?)?$", re.ASCII)
_SINGLE_DIGITS = re.compile(r"(?<=[-:T ])(\d)(?=$|[-:T .,])", re.ASCII)
_NO_TIME = frozenset({"nat", "nan", "<na>"})


class Unit(StrEnum):
    """What the numbers of a column of times count."""

    SECONDS = "unix seconds"
    MILLISECONDS = "unix milliseconds"
    MICROSECONDS = "unix microseconds"
    NANOSECONDS = "unix nanoseconds"


_PER_SECOND = {
    Unit.SECONDS: 1,
    Unit.MILLISECONDS: 10**3,
    Unit.MICROSECONDS: 10**6,
    Unit.NANOSECONDS: 10**9,
}
_UNIT_WORDS = {"unix": Unit.SECONDS, "unix_ms": Unit.MILLISECONDS, "unix_us": Unit.MICROSECONDS,
               "unix_ns": Unit.NANOSECONDS}  # fmt: skip
TIME_FORMAT_WORDS = tuple(_UNIT_WORDS)


def unit_of(number: Decimal | int) -> Unit:
    """Return the unit of a unix time by its magnitude."""
    size = number.copy_abs() if isinstance(number, Decimal) else abs(number)
    if size < 10**11:
        return Unit.SECONDS
    if size < 10**14:
        return Unit.MILLISECONDS
    return Unit.MICROSECONDS if size < 10**17 else Unit.NANOSECONDS


@dataclass(frozen=True, slots=True)
class TimeOptions:
    """How times are written. zone: of times that name none. format: one of TIME_FORMAT_WORDS, or
    directives of strptime; None: all forms that are unambiguous.

    """

    zone: tzinfo = UTC
    format: str | None = None


class TimeReader:
    """Reads times of one column, and counts how numbers were read.

    Read, beside numbers: ISO 8601 (calendar, week and ordinal dates, basic and extended, any number
    of fractional digits, 24:00, a leap second as the next one), also with a space for the T, with a
    zone as an offset, Z, UTC or GMT; a year first with slashes or dots; RFC 2822; dates of eight,
    and times of 14 or 17 digits in a row (20231001, 20231001103000). Digits beyond microseconds
    are cut. A time without a zone is of the zone given.

    Refused: what is ambiguous, such as 10/01/2023, twelve digits that are both a date and unix
    milliseconds, months, and local times that happen twice or never when clocks change.
    """

    def __init__(self, options: TimeOptions | None = None) -> None:
        self._options = options or TimeOptions()
        self._zone = self._options.zone
        self._format = self._options.format
        self._unit = _UNIT_WORDS.get(self._format or "")
        self.units: Counter[Unit] = Counter()

    def read(self, cell: object) -> int | None:
        """Return a time in unix microseconds, None when the cell is empty.

        Raises:
            RowFaultError: it is no time, or outside the years 1 to 9999.

        """
        if isinstance(cell, Moment):
            text, micros = str(cell), self._moment(cell)
        else:
            text = text_of(cell)
            if not text or text.lower() in _NO_TIME:
                return None
            micros = self._micros(text)
        if not _EARLIEST_US <= micros <= _LATEST_US:
            raise _fault(text, "is outside the years 1 to 9999")
        return micros

    def many(self, cells: Sequence[object]) -> list[int] | None:
        """Return unix microseconds of cells that are all whole unix times of today's usual
        lengths; None when they are not, and are to be read one by one.
        """
        if self._format is not None and self._unit is None:
            return None
        texts = cast("Sequence[str]", cells)
        try:
            # Digits only: int() would take underscores, spaces and digits of other scripts.
            joined = "".join(texts)
        except TypeError:
            return None
        if not (joined.isascii() and joined.isdigit()):
            return None
        lengths = set(map(len, texts))
        if len(lengths) != 1 or (length := lengths.pop()) not in (10, 13, 16, 19):
            return None
        # Ten digits are seconds until 2286, which no other reading makes a date of our time; and
        # so on with three digits more.
        unit = self._unit or unit_of(10 ** (length - 1))
        numbers = list(map(int, texts))
        self.units[unit] += len(numbers)
        per = _PER_SECOND[unit]
        if per == 10**6:
            micros = numbers
        elif per < 10**6:
            factor = 10**6 // per
            micros = [number * factor for number in numbers]
        else:
            micros = [number // 1000 for number in numbers]
        return micros if not micros or max(micros) <= _LATEST_US else None

    def _moment(self, moment: Moment) -> int:
        if moment.aware or self._zone is UTC or not _EARLIEST_US <= moment.micros <= _LATEST_US:
            return moment.micros
        local = _EPOCH.replace(tzinfo=None) + timedelta(microseconds=moment.micros)
        return self._of(local, str(moment))

    def _micros(self, text: str) -> int:
        if self._unit is not None:
            if not _NUMBER.fullmatch(text):
                raise _fault(text, f"is no number of {self._unit.value}")
            return self._number(text, self._unit)
        if self._format is not None:
            return self._by_format(text, self._format)
        if _NUMBER.fullmatch(text):
            day = self._date_of_digits(text)
            return day if day is not None else self._number(text, None)
        return self._written(text)

    def _number(self, text: str, unit: Unit | None) -> int:
        number = Decimal(text)
        if abs(number) >= 10**21:
            raise _fault(text, "is too far away")
        unit = unit or unit_of(number)
        self.units[unit] += 1
        return int((number * 10**6 / _PER_SECOND[unit]).to_integral_value("ROUND_FLOOR"))

    def _date_of_digits(self, text: str) -> int | None:
        """Return the time that 8, 14 or 17 digits write; None when they do not."""
        whole = text[:-2] if text.endswith(".0") else text
        found = _DATE_DIGITS.fullmatch(whole)
        if found is None:
            return None
        year, month, day = (int(found[part]) for part in (1, 2, 3))
        moment = None
        if _FIRST_YEAR <= year <= _LAST_YEAR:
            hour, minute, second, millis = (int(found[part] or 0) for part in (5, 6, 8, 9))
            try:
                moment = datetime(year, month, day, hour, minute, second, millis * 1000)
            except ValueError:
                moment = None
        if moment is None:
            if len(whole) == 8:
                raise _fault(text, "is no day of the calendar; as a unix time say --time-format "
                                   "unix")  # fmt: skip
            return None
        if len(whole) == 12:
            raise _fault(text, "may be a date and time, or unix milliseconds: say --time-format "
                               "%Y%m%d%H%M or unix_ms")  # fmt: skip
        return self._of(moment, text)

    def _by_format(self, text: str, form: str) -> int:
        try:
            return self._of(datetime.strptime(text, form), text)
        except ValueError:
            raise _fault(text, f"does not follow --time-format {form}") from None

    def _written(self, text: str) -> int:
        if _SLASHED.match(text):
            raise _fault(text, "may have day and month either way round: say --time-format, such "
                               "as '%d/%m/%Y %H:%M:%S'")  # fmt: skip
        if _MONTH.fullmatch(text):
            raise _fault(text, "is a month, not a time")
        try:
            return self._iso(text)
        except (ValueError, OverflowError):
            pass
        return self._mail(text)

    def _iso(self, text: str) -> int:
        body, zone = _without_zone(text.replace("t", "T").replace("z", "Z"))
        year_first = _YEAR_FIRST.match(body)
        if year_first is not None:
            year, month, day = year_first.groups()
            body = f"{year}-{month:0>2}-{day:0>2}{body[year_first.end() :]}"
        ordinal = _ORDINAL.match(body)
        if ordinal is not None:
            if not 1 <= int(ordinal[2]) <= 366:
                raise ValueError(text)
            first = datetime(int(ordinal[1]), 1, 1) + timedelta(int(ordinal[2]) - 1)
            if first.year != int(ordinal[1]):
                raise ValueError(text)
            body = f"{first:%Y-%m-%d}".rjust(10, "0") + body[ordinal.end() :]
        if "W" not in body:
            body = _SINGLE_DIGITS.sub(r"0\1", body)
        clock = _CLOCK.search(body)
        time_of_day, next_day, later_us = time(), False, 0
        if clock is not None:
            hour, minute, second = clock[1], clock[2] or "00", clock[3] or "00"
            if second == "60":
                second, later_us = "59", 10**6
            if hour == "24" and minute == second == "00" and not (clock[4] or "0").strip("0.,"):
                hour, next_day = "00", True
            later_us += int((clock[4] or ".0")[1:7].ljust(6, "0"))
            time_of_day = time(int(hour), int(minute), int(second))
            body = body[: clock.start()]
        # A day, and nothing else: fromisoformat of datetime takes any character before a time.
        moment = datetime.combine(date.fromisoformat(body), time_of_day)
        if next_day:
            try:
                # Of the calendar: not every day has 24 hours.
                moment += timedelta(days=1)
            except OverflowError:
                raise _fault(text, "is outside the years 1 to 9999") from None
        if zone is not None:
            # Not beyond the years that datetime has, whatever the offset.
            return _since_epoch(moment.replace(tzinfo=zone)) + later_us
        return self._of(moment, text) + later_us

    def _mail(self, text: str) -> int:
        try:
            moment = parsedate_to_datetime(text)
        except (ValueError, TypeError, IndexError, OverflowError):
            raise _fault(text, "is neither a unix time nor ISO 8601 nor RFC 2822") from None
        if not text.rstrip()[-1:].isdigit() and moment.tzinfo is None and not text.endswith(")"):
            raise _fault(text, "has a zone that is not known")
        return self._of(moment, text)

    def _of(self, moment: datetime, text: str) -> int:
        if moment.tzinfo is not None:
            return _since_epoch(moment)
        if self._zone is UTC:
            return _since_epoch(moment.replace(tzinfo=UTC))
        first, second = (moment.replace(tzinfo=self._zone, fold=fold) for fold in (0, 1))
        if first.utcoffset() != second.utcoffset():
            back = first.astimezone(UTC).astimezone(self._zone).replace(tzinfo=None)
            happens = "twice" if back == moment else "never"
            raise _fault(text, f"happens {happens} in {self._zone}, as clocks change")
        return _since_epoch(first)


def checked_format(form: str) -> str:
    """Return a format of times that can be read: one of TIME_FORMAT_WORDS, or directives.

    Raises:
        ValueError: it is neither.

    """
    if form in _UNIT_WORDS:
        return form
    if "%" not in form:
        words = ", ".join(TIME_FORMAT_WORDS)
        raise ValueError(f"{form!r} is none of {words}, and has no directive such as %Y")
    try:
        datetime.strptime(_EPOCH.strftime(form), form)
    except (ValueError, re.error) as error:
        raise ValueError(f"{form!r} cannot be read by: {error}") from None
    return form


def zone_of(name: str) -> tzinfo:
    """Return a time zone by its IANA name.

    Raises:
        ValueError: there is none of that name.

    """
    if name.upper() in ("UTC", "Z", "GMT"):
        return UTC
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise ValueError(f"there is no time zone {name!r}; one is Europe/Berlin") from None


def _without_zone(text: str) -> tuple[str, tzinfo | None]:
    """Return a text without the zone at its end, and the zone."""
    named = _ZONE_NAME.search(text)
    zone: tzinfo | None = None
    if named is not None and named.start() > 0:
        text, zone = text[: named.start()], UTC
    offset = _OFFSET.search(text)
    # Only behind a time of day: the last part of a date looks the same.
    if offset is not None and (":" in text[: offset.start()] or "T" in text[: offset.start()]):
        text, zone = text[: offset.start()], _offset_zone(offset[1])
    return text, zone


def _offset_zone(text: str) -> tzinfo:
    zone = datetime.fromisoformat(f"2000-01-01T00:00:00{text}").tzinfo
    if zone is None:
        raise ValueError(text)
    return zone


def _since_epoch(moment: datetime) -> int:
    since = moment - _EPOCH
    return (since.days * 86_400 + since.seconds) * 10**6 + since.microseconds


def _fault(text: str, what: str) -> RowFaultError:
    return RowFaultError("INVALID_TIME", f"{text[:64]!r} {what}")
