"""Tells feedback that this replica knows users no more who were erased."""

import asyncio
from collections import deque
from datetime import UTC, datetime

import grpc

from harken.internal.users.v1 import user_log_service_pb2 as pb
from harken.internal.users.v1 import user_log_service_pb2_grpc
from harken.profile.v1 import erasure_pb2
from services.common.logs import logger
from services.common.position import Position
from services.common.receipts import ReceiptSigner
from services.feed.entries import Entries

_PAUSE_SECONDS = 1.0
_CALL_SECONDS = 5.0
_BATCH = 1000
_MOST_WAITING = 100_000
_log = logger("erasures")


class ErasureReceipts:
    """Receipts on their way; what is too much for the queue is not sent."""

    def __init__(self, channel: grpc.aio.Channel, signer: ReceiptSigner) -> None:
        self._stub: user_log_service_pb2_grpc.UserLogServiceAsyncStub
        self._stub = user_log_service_pb2_grpc.UserLogServiceStub(channel)  # type: ignore[assignment]
        self._signer = signer
        self._waiting: deque[erasure_pb2.ErasureReceipt] = deque(maxlen=_MOST_WAITING)
        self._woken = asyncio.Event()

    def taken(self, entries: Entries) -> None:
        """Take note of who was erased in a stretch that was applied."""
        erased = [one for own in entries.tenants for one in own.erased]
        if not erased:
            return
        position = Position(0, entries.epoch, entries.through_sequence).encode()
        now = datetime.now(UTC)
        self._waiting.extend(
            self._signer.signed(one.erasure_id, {"caches": 1}, position, now) for one in erased
        )
        self._woken.set()

    async def run(self) -> None:
        """Send receipts until cancelled."""
        while True:
            await self._woken.wait()
            self._woken.clear()
            while self._waiting:
                batch = [self._waiting[at] for at in range(min(_BATCH, len(self._waiting)))]
                try:
                    request = pb.AddReceiptsRequest(receipts=batch)
                    await self._stub.AddReceipts(request, timeout=_CALL_SECONDS)
                except grpc.aio.AioRpcError as error:
                    _log.warning(
                        "receipts are not taken",
                        code=error.code().name, details=error.details(),
                    )  # fmt: skip
                    if error.code() is not grpc.StatusCode.NOT_FOUND:
                        await asyncio.sleep(_PAUSE_SECONDS)
                        continue
                for _ in batch:
                    self._waiting.popleft()
