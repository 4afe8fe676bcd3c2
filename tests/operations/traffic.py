"""A client as we tell clients to be, at a steady rate, that keeps account of everything.

It has one channel per service with all addresses, balanced and repeated by gRPC as `open_channel`
says. What gRPC gives up on it repeats itself, with the same event ids, while it is told
UNAVAILABLE or RESOURCE_EXHAUSTED, for up to `PATIENCE_SECONDS`.
"""

import asyncio
import collections
import contextlib
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import grpc
import numpy as np

from harken.common.v1 import subject_pb2
from harken.feedback.v1 import (
    catalog_service_pb2,
    catalog_service_pb2_grpc,
    event_pb2,
    feedback_service_pb2,
    feedback_service_pb2_grpc,
    item_pb2,
)
from harken.profile.v1 import profile_service_pb2, profile_service_pb2_grpc
from harken.ranker.v1 import ranker_service_pb2, ranker_service_pb2_grpc
from services.cli.clients import is_retryable
from services.common.channels import ACCEPTING, open_channel
from services.common.retry_info import retry_seconds_of
from tests.waiting import until

PATIENCE_SECONDS = 30.0
CALL_SECONDS = 10.0
_PAUSE_SECONDS = 0.05


@dataclass
class Account:
    """What became of the calls. Seconds are those of the whole call, repetitions included."""

    acknowledged: dict[str, str] = field(default_factory=dict)
    """User by event id."""
    record_seconds: list[float] = field(default_factory=list)
    slate_seconds: list[float] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    """Calls that never succeeded."""
    repeated: collections.Counter[str] = field(default_factory=collections.Counter)
    """Calls that gRPC gave up on and the client repeated, by phase."""
    marked: collections.Counter[str] = field(default_factory=collections.Counter)
    """Slates that say they are not as they should be, by how."""

    def latency(self) -> str:
        """Return percentiles in milliseconds."""
        lines = []
        for what, seconds in (("events", self.record_seconds), ("slates", self.slate_seconds)):
            p50, p99, top = np.percentile(np.array(seconds) * 1e3, [50, 99, 100])
            lines.append(f"{what}: p50 {p50:.1f} ms  p99 {p99:.1f} ms  max {top:.0f} ms")
        return "   ".join(lines)


class Traffic:
    """Sends events and asks for slates, open loop, until told to stop."""

    def __init__(
        self, feedback: Any, ranker: Any, profile: Any, catalog: Any, items: int, users: int
    ) -> None:
        self.feedback = feedback
        self.ranker = ranker
        self.profile = profile
        self.catalog = catalog
        self.account = Account()
        self.phase = "start"
        self._items = items
        self._users = users
        self._chance = random.Random(7)
        self._calls: set[asyncio.Task[None]] = set()
        self._number = 0

    async def fill(self) -> bytes:
        """Create the catalogue; return its position when rankers have it."""
        position = b""
        for start in range(0, self._items, 1000):
            items = [
                item_pb2.Item(
                    item_id=f"item-{n}", title=f"Title {n % 97}", categories=[f"category-{n % 19}"]
                )
                for n in range(start, min(start + 1000, self._items))
            ]
            request = catalog_service_pb2.UpsertItemsRequest(items=items)
            answer = await self.catalog.UpsertItems(request, timeout=60, wait_for_ready=True)
            position = answer.position
        for _ in range(10):
            ask = ranker_service_pb2.RecommendRequest(
                subject=subject_pb2.Subject(user_id="nobody"),
                count=1,
                min_learned_position=position,
                strict=True,
            )
            ask.wait_budget.FromSeconds(10)
            await self.ranker.Recommend(ask, timeout=60, wait_for_ready=True)
        return position

    async def run(self, events: float, slates: float, stop: asyncio.Event) -> None:
        """Send `events` and `slates` a second until `stop`, then wait for all answers."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._paced(events, self._record, stop))
            group.create_task(self._paced(slates, self._ask, stop))
        while self._calls:
            await asyncio.wait(self._calls)

    async def more_answers(self, count: int = 15, seconds: float = 60.0) -> None:
        """Return when `count` more events and slates were answered, all sent from now on."""
        seen = self.account
        events, slates = len(seen.record_seconds), len(seen.slate_seconds)
        waiting = len(self._calls)
        await until(
            lambda: (
                len(seen.record_seconds) >= events + waiting + count
                and len(seen.slate_seconds) >= slates + waiting + count
            ),
            "more answers",
            seconds,
        )

    async def _paced(
        self, rate: float, call: Callable[[], Awaitable[None]], stop: asyncio.Event
    ) -> None:
        due = time.monotonic()
        while not stop.is_set():
            due += 1 / rate
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            task = asyncio.ensure_future(call())
            self._calls.add(task)
            task.add_done_callback(self._calls.discard)

    async def _record(self) -> None:
        self._number += 1
        user = f"user-{self._chance.randrange(self._users)}"
        event = event_pb2.Event(
            event_id=f"event-{self._number}",
            subject=subject_pb2.Subject(user_id=user),
            item_id=f"item-{min(int(self._chance.expovariate(20 / self._items)), self._items - 1)}",
            type="view",
        )
        request = feedback_service_pb2.RecordEventsRequest(events=[event])
        answer = await self._call(
            "RecordEvents", self.feedback.RecordEvents, request, self.account.record_seconds
        )
        if answer is None:
            return
        fine = (event_pb2.EVENT_OUTCOME_ACCEPTED, event_pb2.EVENT_OUTCOME_DUPLICATE)
        if answer.results[0].outcome in fine:
            self.account.acknowledged[event.event_id] = user
        else:
            self.account.failed.append(f"{self.phase}: event was refused: {answer.results[0]}")

    async def _ask(self) -> None:
        user = f"user-{self._chance.randrange(self._users)}"
        request = ranker_service_pb2.RecommendRequest(
            subject=subject_pb2.Subject(user_id=user), count=10
        )
        answer = await self._call(
            "Recommend", self.ranker.Recommend, request, self.account.slate_seconds
        )
        if answer is None:
            return
        if not answer.slots:
            self.account.failed.append(f"{self.phase}: an empty slate")
        self.account.marked["stale"] += answer.stale
        self.account.marked["degraded"] += bool(answer.degradations)

    async def _call(
        self,
        name: str,
        method: Callable[..., Any],
        request: Any,
        seconds: list[float],
    ) -> Any:
        """Return the answer, None when there was none in time."""
        started = time.monotonic()
        phase = self.phase
        while True:
            try:
                answer = await method(request, timeout=CALL_SECONDS)
            except grpc.aio.AioRpcError as error:
                if is_retryable(error) and time.monotonic() - started < PATIENCE_SECONDS:
                    self.account.repeated[f"{phase}: {name} {error.code().name}"] += 1
                    pause = retry_seconds_of(error) or _PAUSE_SECONDS
                    await asyncio.sleep(pause * self._chance.uniform(0.5, 1.5))
                    continue
                self.account.failed.append(f"{phase}: {name} {error.code()} {error.details()}")
                return None
            seconds.append(time.monotonic() - started)
            return answer

    async def profile_events(self, user: str, position: bytes) -> int:
        """Return how many events of a user profile counted, everything up to `position` in it."""
        request = profile_service_pb2.GetProfileRequest(
            subject=subject_pb2.Subject(user_id=user), min_position=position, strict=True
        )
        request.wait_budget.FromSeconds(10)
        answer = await self.profile.GetProfile(request, timeout=30, wait_for_ready=True)
        return int(answer.profile.counters.events)

    async def settle(self) -> bytes:
        """Record a last event; return its position."""
        await self._record()
        events = [
            event_pb2.Event(
                event_id="the-last",
                subject=subject_pb2.Subject(user_id="the-last"),
                item_id="item-0",
                type="view",
            )
        ]
        request = feedback_service_pb2.RecordEventsRequest(events=events)
        answer = await self.feedback.RecordEvents(request, timeout=30, wait_for_ready=True)
        self.account.acknowledged["the-last"] = "the-last"
        return bytes(answer.position)


@contextlib.asynccontextmanager
async def traffic_to(
    feedback: str,
    ranker: str,
    profile: str,
    *,
    items: int,
    users: int,
    health: str | None = ACCEPTING,
) -> AsyncIterator[Traffic]:
    """Open channels to three targets; `health` is the name that rankers are chosen by."""
    async with (
        open_channel(feedback) as to_feedback,
        open_channel(ranker, health) as to_ranker,
        open_channel(profile) as to_profile,
    ):
        yield Traffic(
            feedback_service_pb2_grpc.FeedbackServiceStub(to_feedback),
            ranker_service_pb2_grpc.RankerServiceStub(to_ranker),
            profile_service_pb2_grpc.ProfileServiceStub(to_profile),
            catalog_service_pb2_grpc.CatalogServiceStub(to_feedback),
            items,
            users,
        )
