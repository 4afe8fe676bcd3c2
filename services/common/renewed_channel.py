"""A channel whose certificate may change: gRPC for Python fixes that of a channel when it is made.

After a change new calls go through a new channel. Those that are open end where they are, streams
too, and the old channel is closed after the last of them.
"""

import asyncio
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

import grpc


class _Made:
    """One channel, and the calls that are open on it."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self.channel = channel
        self.open = 0
        self.callables: dict[str, Any] = {}


class RenewedChannel(grpc.aio.Channel):
    """Does what a channel does that `make` makes; `renew` makes it anew."""

    def __init__(self, make: Callable[[], grpc.aio.Channel]) -> None:
        self._make = make
        self._now = _Made(make())
        self._old: list[_Made] = []
        self._closing: set[asyncio.Task[None]] = set()

    def renew(self) -> None:
        """Make new calls through a new channel."""
        old, self._now = self._now, _Made(self._make())
        self._old.append(old)
        self._close_if_idle(old)

    def _close_if_idle(self, one: _Made) -> None:
        if one.open or one not in self._old:
            return
        self._old.remove(one)
        closing = asyncio.get_running_loop().create_task(one.channel.close())
        self._closing.add(closing)
        closing.add_done_callback(self._closing.discard)

    def _calls(self, kind: str, method: str, **how: Any) -> Any:
        def call(*request: Any, **options: Any) -> Any:
            made = self._now
            if (send := made.callables.get(method)) is None:
                send = made.callables[method] = getattr(made.channel, kind)(method, **how)
            opened = send(*request, **options)
            made.open += 1
            opened.add_done_callback(lambda _opened: self._ended(made))
            return opened

        return call

    def _ended(self, made: _Made) -> None:
        made.open -= 1
        self._close_if_idle(made)

    def unary_unary(self, method: str, *_: Any, **how: Any) -> Any:
        """Return what makes calls of a method, with named arguments as those of gRPC."""
        return self._calls("unary_unary", method, **how)

    def unary_stream(self, method: str, *_: Any, **how: Any) -> Any:
        """Return what makes calls of a method, with named arguments as those of gRPC."""
        return self._calls("unary_stream", method, **how)

    def stream_unary(self, method: str, *_: Any, **how: Any) -> Any:
        """Return what makes calls of a method, with named arguments as those of gRPC."""
        return self._calls("stream_unary", method, **how)

    def stream_stream(self, method: str, *_: Any, **how: Any) -> Any:
        """Return what makes calls of a method, with named arguments as those of gRPC."""
        return self._calls("stream_stream", method, **how)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self, grace: float | None = None) -> None:
        """Close it, and what is left of those before."""
        for made in (*self._old, self._now):
            await made.channel.close(grace)
        self._old.clear()
        await asyncio.gather(*self._closing)

    def get_state(self, try_to_connect: bool = False) -> grpc.ChannelConnectivity:
        """Return the state of the newest."""
        return self._now.channel.get_state(try_to_connect)

    async def wait_for_state_change(self, last_observed_state: grpc.ChannelConnectivity) -> None:
        """Wait until the newest has another state."""
        await self._now.channel.wait_for_state_change(last_observed_state)

    async def channel_ready(self) -> None:
        """Wait until the newest is connected."""
        await self._now.channel.channel_ready()
