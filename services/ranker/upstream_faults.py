"""What a service that we asked says is wrong, said by us."""

import contextlib
from collections.abc import Iterator

import grpc

from services.common.errors import (
    HarkenError,
    InvalidRequestError,
    MissingResourceError,
    OverloadedError,
    StoreUnavailableError,
    UnknownTenantError,
)
from services.common.retry_info import retry_seconds_of
from services.common.status import reason_of, received_status, violations_of


@contextlib.contextmanager
def passed_on(service: str, tenant: str) -> Iterator[None]:
    """Raise the faults of calls within the block as our own.

    Raises:
        HarkenError: as the service said; that it is away, for all that is no fault of the request.

    """
    try:
        yield
    except grpc.aio.AioRpcError as error:
        raise _own(service, tenant, error) from error


def _own(service: str, tenant: str, error: grpc.aio.AioRpcError) -> HarkenError:
    details = error.details() or ""
    match error.code():
        case grpc.StatusCode.NOT_FOUND:
            unknown = reason_of(received_status(error)) == UnknownTenantError.reason
            return UnknownTenantError(tenant) if unknown else MissingResourceError(details)
        case grpc.StatusCode.INVALID_ARGUMENT:
            return InvalidRequestError(violations_of(error))
        case grpc.StatusCode.RESOURCE_EXHAUSTED:
            return OverloadedError(details, retry_seconds_of(error) or 1.0)
        case code:
            return StoreUnavailableError(f"{service} does not answer: {code.name}: {details}")
