"""What can go wrong, and the status each fault has on the wire.

HarkenError
├── InvalidRequestError      a field of the envelope is wrong
├── UndecodableError         the body is not a message of the type that the method takes
├── UnknownTenantError       the tenant has no catalogue yet
├── MissingResourceError     what was named does not exist
├── AlreadyExistsError       the name is taken by something else
├── EtagMismatchError        the resource changed meanwhile
├── TooManyError             there are as many of a kind as may be
├── WrongStateError          the resource is not in a state in which this can be done
├── WrongGenerationError     vectors of another generation than the active one
├── AlreadyActiveError       the generation serves already
├── AnotherStagedError       another generation is staged
├── NothingToRollBackToError no other generation served before
├── EpochLostError           a position or resume point lies on an abandoned fork
├── HistoryGoneError         frames after the resume point are gone
├── StaleError               strict, and min_position not reached within the budget
├── NotReadyError            not caught up with the feed yet, or shutting down
├── UnauthenticatedError     nobody known: no credentials, or none that hold
├── PermissionDeniedError    somebody known, who may not
├── OverloadedError          shed, come back later
│   └── RateLimitedError     more calls of one caller than they may make
└── StoreUnavailableError    PostgreSQL or a service needed is away
    └── AuditUnwritableError the audit log takes no rows, so no administrative call is taken
"""

from dataclasses import dataclass

import grpc


class HarkenError(Exception):
    """Base of all faults that have a status of their own."""

    reason = "INTERNAL"
    code = grpc.StatusCode.INTERNAL


@dataclass(frozen=True, slots=True)
class FieldViolation:
    """One wrong field: a path such as `events` or `filter.categories[3]`, and what is wrong."""

    field: str
    description: str


class InvalidRequestError(HarkenError):
    """Fields of the envelope are wrong: the first of them, and how many `more`."""

    reason = "INVALID_REQUEST"
    code = grpc.StatusCode.INVALID_ARGUMENT

    def __init__(self, violations: list[FieldViolation], more: int = 0) -> None:
        super().__init__("; ".join(f"{v.field}: {v.description}" for v in violations))
        self.violations = violations
        self.more = more


class UndecodableError(HarkenError):
    """The body of a request is not a message of the type that its method takes."""

    reason = "INVALID_REQUEST"
    code = grpc.StatusCode.INVALID_ARGUMENT


class UnknownTenantError(HarkenError):
    """The tenant has no catalogue yet, or here nothing was heard of it (`heard_by`: where)."""

    reason = "UNKNOWN_TENANT"
    code = grpc.StatusCode.NOT_FOUND

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
    code = grpc.StatusCode.NOT_FOUND


class AlreadyExistsError(HarkenError):
    """The name is taken by something else."""

    reason = "ALREADY_EXISTS"
    code = grpc.StatusCode.ALREADY_EXISTS


class EtagMismatchError(HarkenError):
    """The resource changed since it was read."""

    reason = "ETAG_MISMATCH"
    code = grpc.StatusCode.ABORTED


class TooManyError(HarkenError):
    """There are as many of a kind as there may be: one must go before another comes."""

    reason = "TOO_MANY"
    code = grpc.StatusCode.RESOURCE_EXHAUSTED


class WrongStateError(HarkenError):
    """The resource is not in a state in which this can be done."""

    reason = "WRONG_STATE"
    code = grpc.StatusCode.FAILED_PRECONDITION


class WrongGenerationError(HarkenError):
    """The vectors were made for another generation than the active one."""

    reason = "WRONG_GENERATION"
    code = grpc.StatusCode.FAILED_PRECONDITION


class AlreadyActiveError(HarkenError):
    """The generation serves already."""

    reason = "ALREADY_ACTIVE"
    code = grpc.StatusCode.FAILED_PRECONDITION


class AnotherStagedError(HarkenError):
    """Another generation is staged."""

    reason = "ANOTHER_STAGED"
    code = grpc.StatusCode.FAILED_PRECONDITION


class NothingToRollBackToError(HarkenError):
    """No other generation served before."""

    reason = "NOTHING_TO_ROLL_BACK_TO"
    code = grpc.StatusCode.FAILED_PRECONDITION


class EpochLostError(HarkenError):
    """A position or resume point lies on a fork of the log that was abandoned."""

    reason = "EPOCH_LOST"
    code = grpc.StatusCode.FAILED_PRECONDITION


class HistoryGoneError(HarkenError):
    """The frames after the resume point are gone; a snapshot is needed."""

    reason = "HISTORY_GONE"
    code = grpc.StatusCode.OUT_OF_RANGE


class StaleError(HarkenError):
    """The call was strict, and min_position was not reached within the wait budget."""

    reason = "STALE"
    code = grpc.StatusCode.UNAVAILABLE


class NotReadyError(HarkenError):
    """The process has not caught up with the feed yet, or is shutting down."""

    reason = "NOT_READY"
    code = grpc.StatusCode.UNAVAILABLE


class OverloadedError(HarkenError):
    """The call was shed; it changed nothing."""

    reason = "OVERLOADED"
    code = grpc.StatusCode.RESOURCE_EXHAUSTED

    def __init__(self, message: str, retry_after_seconds: float = 0.2) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class UnauthenticatedError(HarkenError):
    """The caller is nobody known. It is not said what of the credentials is wrong."""

    reason = "UNAUTHENTICATED"
    code = grpc.StatusCode.UNAUTHENTICATED


class PermissionDeniedError(HarkenError):
    """The caller is known and may not; the same is said whether or not what was named exists."""

    code = grpc.StatusCode.PERMISSION_DENIED

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class RateLimitedError(OverloadedError):
    """The caller makes more calls than they may."""

    reason = "RATE_LIMITED"

    def __init__(self, retry_after_seconds: float) -> None:
        super().__init__("too many calls of this caller", retry_after_seconds)


class StoreUnavailableError(HarkenError):
    """PostgreSQL or a service that is needed is away."""

    reason = "STORE_UNAVAILABLE"
    code = grpc.StatusCode.UNAVAILABLE


class AuditUnwritableError(StoreUnavailableError):
    """The audit log takes no rows: an administrative call that cannot be written down is not
    taken.
    """

    reason = "AUDIT_UNWRITABLE"
