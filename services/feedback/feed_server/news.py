"""Wakes subscribers that have all there is, when there is more."""

import asyncio
import itertools

_WOKEN_AT_ONCE = 2
"""Subscribers that go on in one round of the loop: with all of them at once, what is new for sixty
would hold up every call that is answered meanwhile, several times on its way."""


class News:
    """The head of something that grows, and who waits for it to be another one."""

    def __init__(self) -> None:
        self._head = 0
        # In the order in which they came, so those that have the head come last.
        self._waiting: dict[asyncio.Future[None], int] = {}
        self._wakes = False

    @property
    def awaited(self) -> bool:
        """Whether anybody waits."""
        return bool(self._waiting)

    def head_is(self, head: int) -> None:
        """Take note of the head, and wake who waits for another one than theirs."""
        self._head = head
        if not self._wakes:
            self._wake_some()

    def _wake_some(self) -> None:
        """Let some who lack the head go on, and others in the next rounds."""
        self._wakes = False
        for waiting, known in [*itertools.islice(self._waiting.items(), _WOKEN_AT_ONCE)]:
            if known == self._head:
                return
            del self._waiting[waiting]
            _end(waiting)
        if self._waiting:
            self._wakes = True
            asyncio.get_running_loop().call_soon(self._wake_some)

    async def wait(self, known: int, timeout: float) -> bool:
        """Wait until the head is another one than `known`; return whether it is."""
        if self._head != known:
            return True
        loop = asyncio.get_running_loop()
        waiting: asyncio.Future[None] = loop.create_future()
        self._waiting[waiting] = known
        late = loop.call_later(timeout, _end, waiting)
        try:
            await waiting
        finally:
            late.cancel()
            self._waiting.pop(waiting, None)
        return self._head != known


def _end(waiting: "asyncio.Future[None]") -> None:
    if not waiting.done():
        waiting.set_result(None)
