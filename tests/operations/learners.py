"""An ingest process and learners that stand by for each other, and a client who times them."""

import asyncio
import itertools
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from harken.feedback.v1 import event_pb2, feedback_service_pb2
from harken.internal.feed.v1 import feed_service_pb2
from services.cli.service_process import ServiceProcess
from services.common.position import decode_position
from tests.feedback.conftest import Client, Connect, FeedbackProcesses, event
from tests.feedback.feed_reader import FeedReader
from tests.waiting import until

ITEMS = 20


class LearnerPair:
    """Two learners of one shard, and who leads."""

    def __init__(self, processes: FeedbackProcesses, **settings: str) -> None:
        self._learners = [
            processes.create(f"learner-{n}", role="learner", **settings)[0] for n in range(2)
        ]
        for learner in self._learners:
            learner.start()
        for learner in self._learners:
            learner.wait_ready(time.monotonic() + 60)

    @property
    def leader(self) -> ServiceProcess:
        """Who began to lead last, by the logs."""
        return max(self._learners, key=lambda one: _last_term(one.log_file))

    @property
    def other(self) -> ServiceProcess:
        """Who does not lead."""
        return min(self._learners, key=lambda one: _last_term(one.log_file))

    async def restart_standing_by(self, process: ServiceProcess) -> None:
        """Start a process that ended, and wait until it stands by with the state loaded."""
        loaded = _count(process.log_file, "state loaded")
        process.start()
        await asyncio.to_thread(process.wait_ready, time.monotonic() + 60)
        await until(
            lambda: _count(process.log_file, "state loaded") > loaded, "the state to be warm"
        )


class Effect:
    """Records events one by one and waits for each on the feed."""

    def __init__(self, client: Client, reader: FeedReader) -> None:
        self._client = client
        self._reader = reader
        self._numbers = itertools.count()
        self.recorded = 0

    async def seconds(self) -> float:
        """Record an event; return how long it took until a frame showed that it was learned."""
        started = time.monotonic()
        number = next(self._numbers)
        one = event(f"effect-{number}", user=f"effect-{number}", item=f"i{number % ITEMS}")
        request = feedback_service_pb2.RecordEventsRequest(events=[one])
        answer = await self._client.feedback.RecordEvents(request, timeout=30)
        assert answer.results[0].outcome == event_pb2.EVENT_OUTCOME_ACCEPTED
        self.recorded += 1
        async with asyncio.timeout(60):
            await self._reader.frames_through(decode_position(answer.position).sequence)
        return time.monotonic() - started


@asynccontextmanager
async def learning_pair(
    processes: FeedbackProcesses, connect: Connect, lease_seconds: str
) -> AsyncIterator[tuple[LearnerPair, Effect]]:
    """Start an ingest process and two learners; a first effect was seen."""
    _, target = processes.start("ingest", role="ingest")
    pair = LearnerPair(processes, lease_seconds=lease_seconds)
    client = connect(target)
    await client.upsert(ITEMS)
    start = feed_service_pb2.ResumePoint()
    async with FeedReader(client, resume=start) as reader:
        await reader.read("welcome")
        effect = Effect(client, reader)
        await effect.seconds()
        yield pair, effect


def _last_term(log: Path) -> int:
    return max((line["term"] for line in _lines(log, "leading")), default=0)


def _count(log: Path, what: str) -> int:
    return len(_lines(log, what))


def _lines(log: Path, what: str) -> list[dict[str, int]]:
    lines = [json.loads(line) for line in log.read_text().splitlines() if line.startswith("{")]
    return [line for line in lines if line.get("event") == what]
