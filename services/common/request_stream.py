"""The requests of a stream: read one by one, and heard out when their call is refused."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

from services.common.request_reader import Refused

QUIET_SECONDS = 0.25
"""Without a request for so long, a caller is not in the middle of writing. It is longer than what
travels between two continents takes there and back."""


class RequestStream:
    """Parses the requests of one call as they are asked for.

    A reader that is cancelled loses nothing: the next one is given what came meanwhile. gRPC's own
    stream could not be read any more.
    """

    def __init__(self, bodies: AsyncIterator[bytes], parse: Callable[[bytes], Any] | None) -> None:
        """Read `bodies`; `parse` may return `Refused` (see `request_reader`)."""
        self._bodies = bodies
        self._parse = parse
        self._coming: asyncio.Future[bytes | None] | None = None
        self._asked_at = 0.0
        self.check: Callable[[Any], None] = lambda _request: None
        """Raises what a request is refused for."""

    def __aiter__(self) -> "RequestStream":
        """Return this."""
        return self

    async def __anext__(self) -> Any:
        """Return the next request.

        Raises:
            HarkenError: it is refused.

        """
        body = await asyncio.shield(self._next())
        self._coming = None
        if body is None:
            raise StopAsyncIteration
        request = body if self._parse is None else self._parse(body)
        if isinstance(request, Refused):
            raise request.error
        self.check(request)
        return request

    async def hear_out(self, most_seconds: float) -> None:
        """Read what still comes and keep nothing of it: until its end, until nothing came for
        QUIET_SECONDS, or for as long as is given.
        """
        clock = asyncio.get_running_loop().time
        until = clock() + most_seconds
        while clock() < until:
            coming = self._next()
            left = min(until, self._asked_at + QUIET_SECONDS) - clock()
            await asyncio.wait((coming,), timeout=max(left, 0.0))
            if not coming.done() or coming.exception() or coming.result() is None:
                return
            self._coming = None

    def close(self) -> None:
        """Give up what was asked for and did not come."""
        if self._coming is not None:
            self._coming.cancel()
            self._coming = None

    def _next(self) -> "asyncio.Future[bytes | None]":
        if self._coming is None:
            self._coming = asyncio.ensure_future(anext(self._bodies, None))
            self._asked_at = asyncio.get_running_loop().time()
        return self._coming
