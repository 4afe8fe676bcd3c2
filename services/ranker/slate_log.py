"""Slates that were shown, on their way to the log: a bounded queue, and a task that sends them.

Their messages are made when they are sent, many at once, and not while a caller waits.

Logging never blocks or slows an answer: what does not fit is dropped and counted.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import NamedTuple

import grpc
from prometheus_client import CollectorRegistry, Counter, Gauge

from harken.common.v1 import subject_pb2
from harken.internal.slates.v1 import decision_pb2, slate_service_pb2
from harken.ranker.v1 import ranker_service_pb2 as pb
from services.common.logs import logger
from services.common.reloadable import Reloadable
from services.common.retry_info import pause_seconds
from services.ranker.slate_conversion import varint

_PAUSE_SECONDS = 0.25
"""Between two batches: slates of that time share a call, a write and a step of the learner, which
learns from a slate seconds later anyway, and holds events that come before their slate."""
_CALL_SECONDS = 5.0
_LAST_CALL_SECONDS = 1.0
_BATCH = 500
_BATCH_BYTES = 2 * 1024 * 1024
_BYTES_BESIDE = 512
_BYTES_OF_EXPOSURE = 256
_GIVE_UP_SECONDS = 60.0
"""A slate that could not be sent for so long is dropped; feedback takes none after 5 minutes."""
_METHOD = "/{}/{}".format(
    slate_service_pb2.DESCRIPTOR.services_by_name["SlateService"].full_name, "RecordSlates"
)
_Record = grpc.aio.UnaryUnaryMultiCallable[bytes, slate_service_pb2.RecordSlatesResponse]
_log = logger("slates")


class Decision(NamedTuple):
    """How a slate was decided. size: bytes on the wire, at most. made: makes the message when it is
    needed: there are hundreds of candidates.
    """

    size: int
    made: Callable[[], decision_pb2.SlateDecision]


class ServedSlate(NamedTuple):
    """A slate that was answered: to whom and where, and the response without slots.

    items: what is logged of its items, see EncodedSlate.
    """

    tenant: str
    subject: subject_pb2.Subject
    surface: str
    response: pb.RecommendResponse
    items: bytes
    served_at_us: int
    decision: Decision | None = None

    def size(self) -> int:
        """Return about how many bytes it takes on the wire."""
        decided = 0 if self.decision is None else self.decision.size
        exposed = _BYTES_OF_EXPOSURE * len(self.response.experiments)
        return len(self.items) + decided + exposed + _BYTES_BESIDE

    def message(self) -> bytes:
        """Return the bytes of a harken.internal.slates.v1.ServedSlate."""
        response = self.response
        about = slate_service_pb2.ServedSlate(
            slate_id=response.slate_id,
            subject=self.subject,
            surface=self.surface,
            served_position=response.position,
            generation_id=response.generation_id,
            policy=response.policy,
            seed=response.seed,
            exposures=[
                decision_pb2.SlateExposure(
                    experiment=one.experiment, variant=one.variant, revision=one.revision,
                    layer=one.layer, not_served=one.not_served,
                )
                for one in response.experiments
            ],
            decision=None if self.decision is None else self.decision.made(),
        )  # fmt: skip
        about.serve_time.FromMicroseconds(self.served_at_us)
        # What comes one after the other is one message.
        return about.SerializeToString() + self.items


@dataclass(frozen=True, slots=True)
class SlateLogBounds:
    """The share of slates that is logged (0 to 1), chosen by chance, and how many may wait."""

    share: float
    waiting: int


class SlateLogMetrics:
    """What became of slates that were to be logged."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.waiting = Gauge(
            "harken_ranker_slates_waiting", "Slates waiting to be logged.", registry=registry
        )
        self.logged = Counter(
            "harken_ranker_slates_logged", "Slates that feedback logged.", registry=registry
        )
        dropped = Counter(
            "harken_ranker_slates_dropped", "Slates not logged, by why.", ["why"], registry=registry
        )
        self.queue_full = dropped.labels("queue_full")
        self.refused = dropped.labels("refused")
        self.failed = dropped.labels("failed")
        self.too_large = dropped.labels("too_large")


class SlateLog:
    """Takes slates on the event loop and sends them to RecordSlates in batches."""

    def __init__(
        self,
        channel: grpc.aio.Channel,
        metrics: SlateLogMetrics,
        bounds: Reloadable[SlateLogBounds],
    ) -> None:
        # Slates are bytes already, so requests are put together of bytes.
        self._record: _Record = channel.unary_unary(
            _METHOD, response_deserializer=slate_service_pb2.RecordSlatesResponse.FromString
        )
        self._metrics = metrics
        self._bounds = bounds
        self._waiting: deque[ServedSlate] = deque()
        self._chance = Random()
        self._wake = asyncio.Event()
        self._fails = False
        self._moved = asyncio.Event()

    def wanted(self) -> bool:
        """Return whether the next slate is one of those to be logged."""
        share = self._bounds.value.share
        return share >= 1 or self._chance.random() < share

    def offer(self, slate: ServedSlate) -> None:
        """Log a slate soon; drop it when too many are waiting, or it is too large to send."""
        if len(self._waiting) >= self._bounds.value.waiting:
            self._metrics.queue_full.inc()
            return
        if slate.size() > _BATCH_BYTES:
            # A thousand items with hundreds of features: no request takes it.
            self._metrics.too_large.inc()
            return
        self._waiting.append(slate)
        self._wake.set()

    async def room(self) -> None:
        """Wait while more than half of the places are taken: the others are for slates that nobody
        can hold up. Where feedback takes none there is nothing to wait for.
        """
        while len(self._waiting) * 2 > self._bounds.value.waiting and not self._fails:
            self._moved.clear()
            await self._moved.wait()

    async def run(self) -> None:
        """Send until cancelled."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._waiting:
                await asyncio.sleep(_PAUSE_SECONDS)
                await self._send_some(_CALL_SECONDS)

    async def drain(self) -> None:
        """Send what is waiting, for a second at most; call it when `run` has ended."""
        try:
            async with asyncio.timeout(_LAST_CALL_SECONDS):
                while self._waiting:
                    await self._send_some(_LAST_CALL_SECONDS)
        except TimeoutError:
            _log.warning("slates were not logged", slates=len(self._waiting))
        self._metrics.failed.inc(len(self._waiting))
        self._waiting.clear()

    async def _send_some(self, seconds: float) -> None:
        batch = self._batch()
        # What is being sent stays in the queue until it is known what became of it.
        self._metrics.waiting.set(len(self._waiting))
        try:
            answer = await self._record(_request(batch), timeout=seconds)
        except grpc.aio.AioRpcError as error:
            self._fails = True
            self._failed(batch, error)
            await asyncio.sleep(pause_seconds(error) or _PAUSE_SECONDS * 10)
            return
        self._fails = False
        refused = [
            result
            for result in answer.results
            if result.outcome != slate_service_pb2.SLATE_OUTCOME_ACCEPTED
        ]
        for result in refused[:1]:
            _log.error("slates refused", slates=len(refused), detail=result.detail)
        self._metrics.refused.inc(len(refused))
        self._metrics.logged.inc(len(batch) - len(refused))
        self._forget(len(batch))

    def _batch(self) -> list[ServedSlate]:
        """Return the first slates, of one tenant and not too large together; at least one."""
        batch: list[ServedSlate] = []
        size = 0
        for slate in self._waiting:
            size += slate.size()
            if batch and (
                slate.tenant != batch[0].tenant or size > _BATCH_BYTES or len(batch) == _BATCH
            ):
                break
            batch.append(slate)
        return batch

    def _failed(self, batch: list[ServedSlate], error: grpc.aio.AioRpcError) -> None:
        """Keep a batch for another try, if one can help."""
        _log.warning("slates not logged", code=error.code().name, details=error.details())
        passing = error.code() in (
            grpc.StatusCode.UNAVAILABLE,
            grpc.StatusCode.DEADLINE_EXCEEDED,
            grpc.StatusCode.RESOURCE_EXHAUSTED,
        )
        oldest_us = time.time() * 1e6 - _GIVE_UP_SECONDS * 1e6
        lost = sum(not passing or slate.served_at_us < oldest_us for slate in batch)
        self._metrics.failed.inc(lost)
        # Slates wait in order of time, so those that are too old come first.
        self._forget(lost)

    def _forget(self, count: int) -> None:
        self._moved.set()
        for _ in range(count):
            self._waiting.popleft()
        self._metrics.waiting.set(len(self._waiting))


def _request(batch: list[ServedSlate]) -> bytes:
    """Return the bytes of a RecordSlatesRequest: those of its fields, one after the other."""
    tenant = slate_service_pb2.RecordSlatesRequest(tenant=batch[0].tenant).SerializeToString()
    parts = [tenant]
    for slate in batch:
        message = slate.message()
        parts += (_SLATES, varint(len(message)), message)
    return b"".join(parts)


_SLATES = bytes([slate_service_pb2.RecordSlatesRequest.SLATES_FIELD_NUMBER << 3 | 2])
"""What an element of `slates` begins with: its number, and that a length follows."""
