"""Room for a few uploads at once: one that does not come forward makes room for another."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Iterator

from harken.feedback.v1 import generation_service_pb2 as pb
from services.common.errors import OverloadedError

_IDLE_SECONDS = 10.0
_GRACE_SECONDS = 1.0
_LEAST_RATE = 64 * 1024
_RETRY_SECONDS = 5.0


class UploadSlots:
    """Gives a slot to each upload, `most` at once."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._slots: set[_Slot] = set()

    @contextlib.contextmanager
    def slot(self) -> "Iterator[_Slot]":
        """Hold a slot; when there is none, one that stalls is taken.

        Raises:
            OverloadedError: all are taken by uploads that come forward.

        """
        if len(self._slots) >= self._most:
            stalled = [slot for slot in self._slots if slot.stalls()]
            if not stalled:
                raise OverloadedError(
                    f"{self._most} generations are being uploaded already", _RETRY_SECONDS
                )
            slowest = min(stalled, key=lambda slot: slot.received)
            slowest.lose()
            self._slots.discard(slowest)
        own = _Slot()
        self._slots.add(own)
        try:
            yield own
        finally:
            self._slots.discard(own)


class _Slot:
    """One upload: what it sent so far, and since when."""

    def __init__(self) -> None:
        self.received = 0
        self._began = asyncio.get_running_loop().time()
        self._receiving = True
        self._lost = asyncio.Event()

    def stalls(self) -> bool:
        """Return whether messages come slower than 64 KiB/s, after a second."""
        age = asyncio.get_running_loop().time() - self._began - _GRACE_SECONDS
        return self._receiving and self.received < age * _LEAST_RATE

    def lose(self) -> None:
        """Let the upload end with OverloadedError."""
        self._lost.set()

    async def messages(
        self, requests: AsyncIterator[pb.PublishGenerationRequest]
    ) -> AsyncGenerator[pb.PublishGenerationRequest]:
        """Yield what comes.

        Raises:
            OverloadedError: nothing came for 10 seconds, or another upload took the slot.

        """
        lost = asyncio.create_task(self._lost.wait())
        iterator = aiter(requests)
        try:
            while True:
                coming = asyncio.ensure_future(anext(iterator, None))
                try:
                    await asyncio.wait(
                        (coming, lost),
                        timeout=_IDLE_SECONDS,
                        return_when=asyncio.FIRST_COMPLETED,
                    )
                    if lost.done():
                        raise OverloadedError(
                            "another upload took the place of this one, which was slower than"
                            f" {_LEAST_RATE} bytes a second",
                            _RETRY_SECONDS,
                        )
                    if not coming.done():
                        raise OverloadedError(
                            f"nothing came for {_IDLE_SECONDS:.0f} s", _RETRY_SECONDS
                        )
                    request = coming.result()
                finally:
                    coming.cancel()
                if request is None:
                    break
                self.received += request.ByteSize()
                yield request
        finally:
            self._receiving = False
            lost.cancel()
