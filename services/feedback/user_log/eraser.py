"""Finishes erasures in the background, beside the learner that leads."""

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime

from services.common.errors import StoreUnavailableError
from services.common.logs import logger
from services.common.position import Position
from services.common.receipts import ReceiptSigner
from services.feedback.log.log_store import SHARD
from services.feedback.user_log.eraser_store import EraserStore

_POLL_SECONDS = 0.5
_PAUSE_SECONDS = 0.02
"""Between two stretches of the log: others want the store, too."""
_log = logger("eraser")


class Eraser:
    """Searches, has the learner unlearn, scrubs: each step leaves what is to be done in the store,
    so whoever leads next goes on.

    Many erasures share a search, a checkpoint and a scrubbing, as each of them costs about the same
    for many as for one.
    """

    def __init__(
        self,
        store: EraserStore,
        learner: ReceiptSigner,
        log: ReceiptSigner,
        rest_seconds: float,
    ) -> None:
        """`rest_seconds`: between two scrubbings, each of which takes a checkpoint."""
        self._store = store
        self._learner = learner
        self._log = log
        self._rest_seconds = rest_seconds
        self._scrubbed_at = -rest_seconds

    async def run(self, epoch: int, want_checkpoint: Callable[[int], None]) -> None:
        """Work until cancelled; `want_checkpoint`: have one written that reflects a sequence."""
        while True:
            try:
                if await self._store.search():
                    await asyncio.sleep(_PAUSE_SECONDS)
                    continue
                await self._store.begin_unlearning()
                if time.monotonic() - self._scrubbed_at >= self._rest_seconds:
                    await self._scrub(epoch, want_checkpoint)
            except StoreUnavailableError as error:
                _log.warning("erasures wait for the store", error=str(error))
            except Exception as error:
                # Learning goes on, and what is to be done stays in the store.
                _log.error("erasures failed", exc_info=error)
            await asyncio.sleep(_POLL_SECONDS)

    async def _scrub(self, epoch: int, want_checkpoint: Callable[[int], None]) -> None:
        erasures = await self._store.unlearned()
        if not erasures:
            return
        # State of before must not be needed any more, or the log could not be replayed from it.
        checkpointed = await self._store.checkpointed()
        reflected = [one for one in erasures if one.unlearn_sequence <= checkpointed]
        if not reflected:
            want_checkpoint(max(one.unlearn_sequence for one in erasures))
            return
        erasures, through = reflected, max(one.unlearn_sequence for one in reflected)
        now = datetime.now(UTC)
        position = Position(SHARD, epoch, through).encode()
        counts = await self._store.scrub(erasures)
        if not await self._store.forget_copies(through):
            return
        await self._store.vacuum()
        receipts = []
        for one in erasures:
            own = counts[one.erasure_id]
            receipts.append(
                self._learner.signed(
                    one.erasure_id, {"events_unlearned": own["events"]}, position, now
                )
            )
            receipts.append(
                self._log.signed(one.erasure_id, {"entries": own["entries"]}, position, now)
            )
        await self._store.done([one.erasure_id for one in erasures], receipts)
        self._scrubbed_at = time.monotonic()
        _log.info("erasures done", count=len(erasures))
