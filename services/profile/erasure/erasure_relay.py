"""Carries erasures on: into the log, our receipts to it, and whether it is done with them."""

import asyncio
import time

import grpc

from harken.internal.users.v1 import user_log_service_pb2 as pb
from harken.internal.users.v1 import user_log_service_pb2_grpc
from harken.profile.v1 import erasure_pb2
from services.common.errors import StoreUnavailableError
from services.common.logs import logger
from services.common.position import Position, decode_position
from services.common.receipts import ReceiptSigner
from services.feed.progress import Progress
from services.profile.store.erasure_store import ErasureStore, StoredErasure

POLL_SECONDS = 1.0
CALL_SECONDS = 5.0
_VACUUM_EVERY_SECONDS = 60.0
_FINISH_EVERY_SECONDS = 5.0
_MOST = 200
"""Erasures of one round."""

_log = logger("erasures")


class ErasureRelay:
    """Tells feedback of erasures, at least once; it knows them by their ids."""

    def __init__(
        self,
        store: ErasureStore,
        channel: grpc.aio.Channel,
        signer: ReceiptSigner,
        progress: Progress,
    ) -> None:
        """`progress`: how far the log is applied here."""
        self._store = store
        self._stub: user_log_service_pb2_grpc.UserLogServiceAsyncStub
        self._stub = user_log_service_pb2_grpc.UserLogServiceStub(channel)  # type: ignore[assignment]
        self._signer = signer
        self._progress = progress
        self._unvacuumed = False
        self._vacuum_at = 0.0
        self._finish_at = 0.0

    async def run(self) -> None:
        """Carry on until cancelled."""
        while True:
            try:
                for erasure in await self._store.waiting(_MOST):
                    await self.append(erasure)
                await self._send_receipts()
                if time.monotonic() >= self._finish_at:
                    await self._finish()
                    self._finish_at = time.monotonic() + _FINISH_EVERY_SECONDS
                await self._vacuum()
            except StoreUnavailableError as error:
                _log.warning("erasures cannot be read", error=str(error))
            except grpc.aio.AioRpcError as error:
                _log.warning(
                    "erasures are not carried on",
                    code=error.code().name, details=error.details(),
                )  # fmt: skip
            await asyncio.sleep(POLL_SECONDS)

    async def append(self, erasure: StoredErasure) -> Position:
        """Append an erasure to the log, and return its position there.

        Raises:
            grpc.aio.AioRpcError: feedback is away, or took it and could not say so.
            StoreUnavailableError: our store is away.

        """
        answer = await self._stub.AppendErasure(
            pb.AppendErasureRequest(
                tenant=erasure.tenant,
                erasure_id=erasure.erasure_id,
                user_key=erasure.user_key or b"",
            ),
            timeout=CALL_SECONDS,
        )
        await self._store.appended(erasure.erasure_id, answer.position, answer.erased_at_us)
        return decode_position(answer.position)

    async def progress_of(self, erasure_id: str) -> pb.GetErasureProgressResponse:
        """Return what the log says of an erasure. Raises grpc.aio.AioRpcError."""
        return await self._stub.GetErasureProgress(
            pb.GetErasureProgressRequest(erasure_id=erasure_id), timeout=CALL_SECONDS
        )

    async def _send_receipts(self) -> None:
        erasures = await self._store.untold(_MOST)
        if not erasures:
            return
        epoch = self._progress.applied.epoch
        receipts = [
            self._signer.signed(
                one.erasure_id, one.counts or {}, Position(0, epoch, one.sequence).encode(),
                one.applied_at or one.requested_at,
            )
            for one in erasures
        ]  # fmt: skip
        await self._stub.AddReceipts(pb.AddReceiptsRequest(receipts=receipts), timeout=CALL_SECONDS)
        await self._store.told([one.erasure_id for one in erasures])
        self._unvacuumed = True

    async def _vacuum(self) -> None:
        """Vacuum after erasures; many share one, as it reads whole tables."""
        now = time.monotonic()
        if self._unvacuumed and now >= self._vacuum_at:
            await self._store.vacuum()
            self._unvacuumed, self._vacuum_at = False, time.monotonic() + _VACUUM_EVERY_SECONDS

    async def _finish(self) -> None:
        for erasure in await self._store.unfinished(_MOST):
            answer = await self.progress_of(erasure.erasure_id)
            if answer.state == erasure_pb2.ERASURE_STATE_DONE:
                await self._store.finish(erasure.erasure_id)
