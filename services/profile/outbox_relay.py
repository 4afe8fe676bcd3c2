"""Delivers facts about users from the outbox to the log, at least once."""

import asyncio
import random
import time
from dataclasses import dataclass

import grpc

from harken.feedback.v1 import user_fact_service_pb2 as pb
from harken.feedback.v1 import user_fact_service_pb2_grpc
from services.common.errors import StoreUnavailableError
from services.common.logs import logger
from services.common.retry_info import pause_seconds
from services.profile import attributes
from services.profile.metrics import ProfileMetrics
from services.profile.store.outbox_store import OutboxStore

POLL_SECONDS = 1.0
CALL_SECONDS = 5.0
FIRST_BACKOFF_SECONDS = 0.1
MAX_BACKOFF_SECONDS = 5.0

_log = logger("outbox")


@dataclass(slots=True)
class _Backoff:
    """When a tenant is tried again, and how long the next pause will be."""

    until: float = 0.0
    pause: float = FIRST_BACKOFF_SECONDS


class OutboxRelay:
    """Moves facts from the outbox to the feedback service.

    A row is deleted in the transaction that read it, after the feedback service has it: what is
    delivered and not deleted is delivered again, and recognised there by its revision.
    """

    def __init__(
        self, store: OutboxStore, channel: grpc.aio.Channel, metrics: ProfileMetrics
    ) -> None:
        self._store = store
        self._stub: user_fact_service_pb2_grpc.UserFactServiceAsyncStub
        self._stub = user_fact_service_pb2_grpc.UserFactServiceStub(channel)  # type: ignore[assignment]
        self._metrics = metrics
        self._woken = asyncio.Event()
        self._backoffs: dict[str, _Backoff] = {}
        self._next_count = 0.0

    def wake(self) -> None:
        """Deliver now: there is a new row."""
        self._woken.set()

    async def run(self) -> None:
        """Deliver until cancelled."""
        while True:
            self._woken.clear()
            try:
                await self._deliver_all()
                await self._count()
            except StoreUnavailableError as error:
                self._metrics.outbox_failures.labels("STORE").inc()
                _log.warning("outbox cannot be read", error=str(error))
                await asyncio.sleep(POLL_SECONDS)
            await self._pause()

    async def _pause(self) -> None:
        now = time.monotonic()
        due = [backoff.until - now for backoff in self._backoffs.values()]
        try:
            async with asyncio.timeout(max(0.0, min([POLL_SECONDS, *due]))):
                await self._woken.wait()
        except TimeoutError:
            return

    async def _deliver_all(self) -> None:
        tenants = await self._store.tenants()
        for settled in self._backoffs.keys() - tenants:
            del self._backoffs[settled]
        for tenant in tenants:
            await self._deliver_all_of(tenant)

    async def _deliver_all_of(self, tenant: str) -> None:
        backoff = self._backoffs.get(tenant)
        if backoff is not None and time.monotonic() < backoff.until:
            return
        try:
            while await self._deliver(tenant):
                pass
        except grpc.aio.AioRpcError as error:
            self._metrics.outbox_failures.labels(error.code().name).inc()
            backoff = self._backoffs.setdefault(tenant, _Backoff())
            own = backoff.pause * random.uniform(0.5, 1.0)
            backoff.until = time.monotonic() + (pause_seconds(error) or own)
            backoff.pause = min(backoff.pause * 2, MAX_BACKOFF_SECONDS)
            _log.warning(
                "facts not delivered",
                tenant=tenant, code=error.code().name, details=error.details(),
            )  # fmt: skip
        else:
            self._backoffs.pop(tenant, None)

    async def _deliver(self, tenant: str) -> bool:
        """Deliver the oldest facts of a tenant; return whether more wait."""
        async with self._store.claimed(tenant) as claim:
            if claim.facts:
                request = pb.AppendUserFactsRequest(
                    tenant=tenant,
                    facts=[
                        pb.UserFact(
                            user_key=fact.user_key,
                            revision=fact.revision,
                            attributes=attributes.from_json(fact.attributes),
                        )
                        for fact in claim.facts
                    ],
                )
                await self._stub.AppendUserFacts(request, timeout=CALL_SECONDS)
        self._metrics.outbox_delivered.inc(len(claim.facts))
        return claim.more

    async def _count(self) -> None:
        # Counting reads all that waits, so not more often than the poll.
        if time.monotonic() < self._next_count:
            return
        self._next_count = time.monotonic() + POLL_SECONDS
        backlog = await self._store.backlog()
        self._metrics.outbox_rows.set(backlog.rows)
        self._metrics.outbox_age.set(backlog.age)
