"""Checks of request envelopes. Faults are collected, so that a caller sees all of them at once."""

import contextlib
import re
import unicodedata
from collections.abc import Iterator
from datetime import timedelta

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from harken.common.v1 import subject_pb2
from services.common.errors import FieldViolation, InvalidRequestError
from services.common.position import Position, decode_position

MAX_ID_BYTES = 128
DEFAULT_TENANT = "default"
DEFAULT_WAIT_SECONDS = 0.1
MAX_WAIT = timedelta(seconds=10)
_YEAR_1, _YEAR_9999 = -62135596800, 253402300799
MIN_TIME_US, MAX_TIME_US = _YEAR_1 * 1_000_000, _YEAR_9999 * 1_000_000 + 999_999
"""The years 1 to 9999 in unix microseconds."""
MAX_VIOLATIONS = 20
"""Faults that are named in an answer; of the others there is a count."""
_MAX_TEXT = 200
_NAME = re.compile(r"[a-z0-9_-]{1,64}")


def id_fault(value: str, max_bytes: int = MAX_ID_BYTES) -> str | None:
    """Return what is wrong with an id, or None: 1 to `max_bytes` bytes, no control characters."""
    if not value:
        return "is required"
    # A text far too long is not encoded to find out how long.
    if len(value) > max_bytes or len(value.encode()) > max_bytes:
        return f"is longer than {max_bytes} bytes"
    if not value.isprintable() and any(unicodedata.category(c) == "Cc" for c in value):
        return "holds control characters"
    return None


def subject_fault(subject: subject_pb2.Subject) -> str | None:
    """Return what is wrong with a subject, or None."""
    match subject.WhichOneof("kind"):
        case "user_id":
            return id_fault(subject.user_id)
        case "session_id":
            return id_fault(subject.session_id)
        case _:
            return "needs user_id or session_id"


def time_fault(time: Timestamp) -> str | None:
    """Return what is wrong with a timestamp, or None: years 1 to 9999, nanos below a second."""
    if not _YEAR_1 <= time.seconds <= _YEAR_9999:
        return "is not between the years 1 and 9999"
    if not 0 <= time.nanos < 1_000_000_000:
        return "has nanos that are not between 0 and 999,999,999"
    return None


class Checks:
    """Collects the faults of one envelope; `done` raises when there are any.

    The first MAX_VIOLATIONS are kept, the others counted.
    """

    def __init__(self) -> None:
        self._violations: list[FieldViolation] = []
        self._more = 0
        self._within = ""

    @contextlib.contextmanager
    def within(self, field: str) -> Iterator[None]:
        """Name fields as those of a field, within the block."""
        before = self._within
        self._within = f"{before}{field}."
        try:
            yield
        finally:
            self._within = before

    def fail(self, field: str, description: str) -> None:
        """Note that a field is wrong."""
        field = self._within + field
        if len(self._violations) < MAX_VIOLATIONS:
            self._violations.append(FieldViolation(field[:_MAX_TEXT], description[:_MAX_TEXT]))
        else:
            self._more += 1

    def tenant(self, tenant: str) -> str:
        """Return the tenant, `default` when empty."""
        if tenant:
            self.name("tenant", tenant)
        return tenant or DEFAULT_TENANT

    def name(self, field: str, name: str) -> None:
        """Check a name that people give: 1 to 64 of [a-z0-9_-]."""
        if not _NAME.fullmatch(name):
            self.fail(field, "must be 1 to 64 of [a-z0-9_-]")

    def between(self, field: str, value: float, smallest: float, largest: float) -> None:
        """Check a number that must be within bounds, both included; NaN is not."""
        if not smallest <= value <= largest:
            self.fail(field, f"must be {smallest:,} to {largest:,}, is {value:,}")

    def shard(self, field: str, shard: int) -> None:
        """Fail unless the shard is ours: today there is one."""
        if shard != 0:
            self.fail(field, "there is only shard 0")

    def id(self, field: str, value: str, max_bytes: int = MAX_ID_BYTES) -> None:
        """Check an id."""
        fault = id_fault(value, max_bytes)
        if fault:
            self.fail(field, fault)

    def subject(self, field: str, subject: subject_pb2.Subject) -> None:
        """Check a subject."""
        fault = subject_fault(subject)
        if fault:
            self.fail(field, fault)

    def size(self, field: str, size: int, smallest: int, largest: int) -> bool:
        """Check how many elements a field has; return whether they may be looked at."""
        if smallest <= size <= largest:
            return True
        self.fail(field, f"must have {smallest} to {largest} elements, has {size}")
        return False

    def number(self, field: str, value: int, default: int, largest: int) -> int:
        """Return a count, its default when 0."""
        if value > largest:
            self.fail(field, f"must be at most {largest}, is {value}")
        return value or default

    def position(self, field: str, token: bytes) -> Position | None:
        """Return the position that a token names; None when the token is empty."""
        if not token:
            return None
        try:
            position = decode_position(token)
        except ValueError as error:
            self.fail(field, str(error))
            return None
        if position.shard != 0:
            self.fail(field, f"names shard {position.shard}; there is only shard 0")
        return position

    def wait(self, field: str, duration: Duration | None) -> float:
        """Return a wait budget in seconds, its default when None is given."""
        if duration is None:
            return DEFAULT_WAIT_SECONDS
        seconds = duration.seconds + duration.nanos / 1e9
        if not 0 <= seconds <= MAX_WAIT.total_seconds():
            self.fail(field, f"must be 0 to {MAX_WAIT.total_seconds():.0f} s, is {seconds} s")
        return seconds

    def done(self) -> None:
        """Raise InvalidRequestError when anything was wrong."""
        if self._violations:
            raise InvalidRequestError(self._violations, self._more)
