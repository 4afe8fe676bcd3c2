"""What can go wrong, and the status each fault has on the wire.

HarkenError
├── InvalidRequestError      a field of the envelope is wrong
├── UndecodableError         the body is not a message of the type that the method takes
├── UnknownTenantError       the tenant has no catalogue yet
├── MissingResourceError     what was named does not exist
├── AlreadyExistsError       the name is taken by something else
├── EtagMismatchError        the resource changed meanwhile
├── WrongGenerationError     vectors of another generation than the active one
├── AlreadyActiveError       the generation serves already
├── AnotherStagedError       another generation is staged
├── NothingToRollBackToError no other generation served before
├── EpochLostError           a position or resume point lies on an abandoned fork
├── HistoryGoneError         frames after the resume point are gone
├── StaleError               strict, and min_position not reached within the budget
├── NotReadyError            not caught up with the feed yet, or shutting down
├── OverloadedError          shed, come back later
└── StoreUnavailableError    PostgreSQL or a service needed is away
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import grpc


class HarkenError(Exception):
    """Base of all faults that have a status of their own."""

    reason = "INTERNAL"


@dataclass(frozen=True, slots=True)
class FieldViolation:
    """One wrong field: a path such as `events` or `filter.categories[3]`, and what is wrong."""

    field: str
    description: str


class InvalidRequestError(HarkenError):
    """Fields of the envelope are wrong: the first of them, and how many `more`."""

    reason = "INVALID_REQUEST"

    def __init__(self, violations: list[FieldViolation], more: int = 0) -> None:
        super().__init__("; ".join(f"{v.field}: {v.description}" for v in violations))
        self.violations = violations
        self.more = more


class UndecodableError(HarkenError):
    """The body of a request is not a message of the type that its method takes."""

    reason = "INVALID_REQUEST"


class UnknownTenantError(HarkenError):
    """The tenant has no catalogue yet, or here nothing was heard of it (`heard_by`: where)."""

    reason = "UNKNOWN_TENANT"

    def __init__(self, tenant: str, heard_by: str = "") -> None:
        if heard_by:
            message = (
                f"{heard_by} has not heard of tenant {tenant!r} yet; if it has a catalogue,"
                " try again in a moment"
            )
        else:
            message = f"tenant {tenant!r} has no catalogue yet; UpsertItems creates it"
        super().__init__(message)


class MissingResourceError(HarkenError):
    """What was named does not exist."""

    reason = "NOT_FOUND"


class AlreadyExistsError(HarkenError):
    """The name is taken by something else."""

    reason = "ALREADY_EXISTS"


class EtagMismatchError(HarkenError):
    """The resource changed since it was read."""

    reason = "ETAG_MISMATCH"


class WrongGenerationError(HarkenError):
    """The vectors were made for another generation than the active one."""

    reason = "WRONG_GENERATION"


class AlreadyActiveError(HarkenError):
    """The generation serves already."""

    reason = "ALREADY_ACTIVE"


class AnotherStagedError(HarkenError):
    """Another generation is staged."""

    reason = "ANOTHER_STAGED"


class NothingToRollBackToError(HarkenError):
    """No other generation served before."""

    reason = "NOTHING_TO_ROLL_BACK_TO"


class EpochLostError(HarkenError):
    """A position or resume point lies on a fork of the log that was abandoned."""

    reason = "EPOCH_LOST"


class HistoryGoneError(HarkenError):
    """The frames after the resume point are gone; a snapshot is needed."""

    reason = "HISTORY_GONE"


class StaleError(HarkenError):
    """The call was strict, and min_position was not reached within the wait budget."""

    reason = "STALE"


class NotReadyError(HarkenError):
    """The process has not caught up with the feed yet, or is shutting down."""

    reason = "NOT_READY"


class OverloadedError(HarkenError):
    """The call was shed; it changed nothing."""

    reason = "OVERLOADED"

    def __init__(self, message: str, retry_after_seconds: float = 0.2) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class StoreUnavailableError(HarkenError):
    """PostgreSQL or a service that is needed is away."""

    reason = "STORE_UNAVAILABLE"


STATUS_OF: Mapping[type[HarkenError], grpc.StatusCode] = MappingProxyType(
    {
        InvalidRequestError: grpc.StatusCode.INVALID_ARGUMENT,
        UndecodableError: grpc.StatusCode.INVALID_ARGUMENT,
        UnknownTenantError: grpc.StatusCode.NOT_FOUND,
        MissingResourceError: grpc.StatusCode.NOT_FOUND,
        AlreadyExistsError: grpc.StatusCode.ALREADY_EXISTS,
        EtagMismatchError: grpc.StatusCode.ABORTED,
        WrongGenerationError: grpc.StatusCode.FAILED_PRECONDITION,
        AlreadyActiveError: grpc.StatusCode.FAILED_PRECONDITION,
        AnotherStagedError: grpc.StatusCode.FAILED_PRECONDITION,
        NothingToRollBackToError: grpc.StatusCode.FAILED_PRECONDITION,
        EpochLostError: grpc.StatusCode.FAILED_PRECONDITION,
        HistoryGoneError: grpc.StatusCode.OUT_OF_RANGE,
        StaleError: grpc.StatusCode.UNAVAILABLE,
        NotReadyError: grpc.StatusCode.UNAVAILABLE,
        OverloadedError: grpc.StatusCode.RESOURCE_EXHAUSTED,
        StoreUnavailableError: grpc.StatusCode.UNAVAILABLE,
    }
)
"""The one table from fault to status."""
