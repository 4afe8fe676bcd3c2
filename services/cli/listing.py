"""What a tenant has, page by page."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Protocol, TypeVar

import grpc

from harken.feedback.v1 import catalog_service_pb2, item_pb2
from harken.profile.v1 import profile_pb2, profile_service_pb2
from services.cli.clients import CALL_SECONDS, Clients, is_retryable

_PAGE = 1_000
_PAUSES_SECONDS = (0.1, 0.5, 1.0, 2.0, 5.0)


class _PageRequest(Protocol):
    """A request for a page."""

    page_token: str


class _PageAnswer(Protocol):
    """A page. next_page_token: empty: there is no next one."""

    next_page_token: str


Answer = TypeVar("Answer")
Page = TypeVar("Page", bound=_PageAnswer)


async def listed_items(
    clients: Clients, tenant: str, page_size: int = _PAGE
) -> AsyncIterator[list[item_pb2.Item]]:
    """Yield the items of a tenant, in byte order of their ids, page by page.

    Raises:
        grpc.aio.AioRpcError: the service refuses, or is away for longer than a few tries.

    """
    request = catalog_service_pb2.ListItemsRequest(tenant=tenant, page_size=page_size)
    async for answer in pages(
        request,
        lambda: _patiently(lambda: clients.catalog.ListItems(request, timeout=CALL_SECONDS)),
    ):
        yield list(answer.items)


async def listed_profiles(
    clients: Clients, tenant: str
) -> AsyncIterator[list[profile_pb2.Profile]]:
    """Yield the users and sessions of a tenant whose attributes were ever set, page by page.

    Raises:
        as listed_items.

    """
    request = profile_service_pb2.ListProfilesRequest(tenant=tenant, page_size=_PAGE)
    async for answer in pages(
        request,
        lambda: _patiently(lambda: clients.profile.ListProfiles(request, timeout=CALL_SECONDS)),
    ):
        yield list(answer.profiles)


async def pages(request: _PageRequest, call: Callable[[], Awaitable[Page]]) -> AsyncIterator[Page]:
    """Yield the answers of `call`, which sends `request`, from its page on to the last."""
    while True:
        answer = await call()
        yield answer
        request.page_token = answer.next_page_token
        if not request.page_token:
            return


async def _patiently(call: Callable[[], Awaitable[Answer]]) -> Answer:
    """Return the answer of a call that changes nothing; it is made again while that may help."""
    for pause in _PAUSES_SECONDS:
        try:
            return await call()
        except grpc.aio.AioRpcError as error:
            if not is_retryable(error):
                raise
        await asyncio.sleep(pause)
    return await call()
