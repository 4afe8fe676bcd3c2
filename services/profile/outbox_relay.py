"""Delivers facts about users from the outbox to the log, at least once."""

import asyncio
import re
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import grpc

from harken.common.v1 import consent_pb2
from harken.internal.facts.v1 import user_fact_service_pb2 as pb
from harken.internal.facts.v1 import user_fact_service_pb2_grpc
from services.common.errors import StoreUnavailableError
from services.common.jitter import jittered
from services.common.logs import logger
from services.common.retry_info import pause_seconds
from services.common.status import violations_of
from services.profile import attributes
from services.profile.metrics import ProfileMetrics
from services.profile.store.outbox_store import Fact, OutboxStore

POLL_SECONDS = 1.0
CALL_SECONDS = 5.0
_PATIENCE_SECONDS = 1.0
"""Of callers who want to know when others know."""
FIRST_BACKOFF_SECONDS = 0.1
MAX_BACKOFF_SECONDS = 5.0
_SET_ASIDE_SECONDS = 600.0
"""What feedback refuses may be right later: a revision of a clock that was ahead, for one."""
_FACT = re.compile(r"(facts|links)\[(\d+)\]")

_log = logger("outbox")


@dataclass(slots=True)
class _Backoff:
    """When a tenant is tried again, and how long the next pause will be."""

    until: float = 0.0
    pause: float = FIRST_BACKOFF_SECONDS


class OutboxRelay:
    """Moves facts from the outbox to the feedback service.

    A row is deleted in the transaction that read it, after the feedback service has it: what is
    delivered and not deleted is delivered again, and recognised there by its revision. A fact that
    is refused is set aside, so that the others of its tenant go on; it counts as one that waits.
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
        self._refused: dict[str, dict[int, float]] = {}
        self._next_count = 0.0

    def wake(self) -> None:
        """Deliver now: there is a new row."""
        self._woken.set()

    async def position_of(
        self, tenant: str, facts: Sequence[pb.UserFact] = (), links: Sequence[pb.UserLink] = ()
    ) -> bytes:
        """Return a position by which the log has facts or links of the outbox; empty when the log
        does not say so in a second: it will have them, as their rows stay until it has.
        """
        request = pb.AppendUserFactsRequest(tenant=tenant, facts=facts, links=links)
        try:
            answer = await self._stub.AppendUserFacts(request, timeout=_PATIENCE_SECONDS)
        except grpc.aio.AioRpcError as error:
            _log.warning(
                "a fact has no position yet",
                tenant=tenant, code=error.code().name, details=error.details(),
            )  # fmt: skip
            return b""
        return answer.position

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
            own = jittered(backoff.pause)
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
        facts: Sequence[Fact] = ()
        try:
            async with self._store.claimed(tenant, self._set_aside(tenant)) as claim:
                facts = claim.facts
                if facts:
                    request = pb.AppendUserFactsRequest(
                        tenant=tenant,
                        facts=[_message(fact) for fact in facts if fact.link is None],
                        links=[_link(fact.link) for fact in facts if fact.link is not None],
                    )
                    await self._stub.AppendUserFacts(request, timeout=CALL_SECONDS)
        except grpc.aio.AioRpcError as error:
            refused = _refused(error, facts)
            if not refused:
                raise
            self._metrics.outbox_refused.inc(len(refused))
            _log.error(
                "facts were refused, the others go on",
                tenant=tenant, facts=len(refused), details=error.details(),
            )  # fmt: skip
            until = time.monotonic() + _SET_ASIDE_SECONDS
            self._refused.setdefault(tenant, {}).update(dict.fromkeys(refused, until))
            return True
        self._metrics.outbox_delivered.inc(len(facts))
        return claim.more

    def _set_aside(self, tenant: str) -> Collection[int]:
        now = time.monotonic()
        kept = {at: until for at, until in self._refused.get(tenant, {}).items() if until > now}
        if kept:
            self._refused[tenant] = kept
        else:
            self._refused.pop(tenant, None)
        return kept

    async def _count(self) -> None:
        # Counting reads all that waits, so not more often than the poll.
        if time.monotonic() < self._next_count:
            return
        self._next_count = time.monotonic() + POLL_SECONDS
        backlog = await self._store.backlog()
        self._metrics.outbox_rows.set(backlog.rows)
        self._metrics.outbox_age.set(backlog.age)


def _link(link: bytes) -> pb.UserLink:
    return pb.UserLink.FromString(link)


def _message(fact: Fact) -> pb.UserFact:
    return pb.UserFact(
        user_key=fact.user_key,
        revision=fact.revision,
        attributes=attributes.from_json(fact.attributes),
        consent=consent_pb2.Consent.FromString(fact.consent) if fact.consent else None,
    )


def _refused(error: grpc.aio.AioRpcError, facts: Sequence[Fact]) -> set[int]:
    """Return the places of the facts that an error names; none: it is about something else."""
    if error.code() is not grpc.StatusCode.INVALID_ARGUMENT:
        return set()
    named = (_FACT.match(one.field) for one in violations_of(error))
    indices = {(one[1] == "links", int(one[2])) for one in named if one is not None}
    refused = set()
    for is_link in (False, True):
        own = [fact for fact in facts if (fact.link is not None) == is_link]
        refused |= {fact.place for index, fact in enumerate(own) if (is_link, index) in indices}
    return refused
