"""How soon a slate knows what was just recorded.

Its bias: everything shares one machine of 2 cores, the measuring client (Python, one process)
included, so client time counts against us; loopback has no network in it; the catalogue is that
of MovieLens-100k in size (1,682 items) and users are drawn at random from 2,000, so most of their
first slates cost the ranker a question to profile. PostgreSQL is durable (fsync on).

    python -m tests.benchmarks.feedback_to_effect [--rate 200] [--seconds 30] [--probes 200]

sends `rate` events a second, open loop. For `probes` of them a second it measures, from the return
of RecordEvents, (a) until a strict Recommend(min_position) of that user has returned, checked to
leave the item out; and (b) with three replicas, until each of the three has answered so. Prints
p50, p95, p99. (b) asks three slates per probe, so it probes 20 events a second by default.
"""

import argparse
import asyncio
import contextlib
import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import grpc
import numpy as np

from harken.common.v1 import subject_pb2
from harken.feedback.v1 import catalog_service_pb2, event_pb2, feedback_service_pb2, item_pb2
from harken.ranker.v1 import ranker_service_pb2
from services.cli.catch_up import wait_for_rankers
from services.cli.clients import Clients, connect
from services.cli.suite import Suite, SuiteConfig
from tests.benchmarks.fresh_postgres import fresh_postgres

ITEMS = 1682
USERS = 2000
DEADLINE_SECONDS = 10.0


@dataclass
class Measured:
    """Seconds from the return of RecordEvents to the effect, and what RecordEvents took."""

    effect: list[float] = field(default_factory=list)
    record: list[float] = field(default_factory=list)
    late: int = 0
    shed: int = 0
    """Calls refused because the machine is saturated: then the times are of what was left."""


def catalogue() -> list[item_pb2.Item]:
    """Return made-up items in 19 categories."""
    chance = random.Random(1)
    names = [f"category-{n}" for n in range(19)]
    return [
        item_pb2.Item(
            item_id=f"item-{n}", title=f"Title {n % 97}", categories=chance.sample(names, 2)
        )
        for n in range(ITEMS)
    ]


async def prepare(clients: Clients) -> None:
    """Fill the catalogue, and give the learner some history to serve from."""
    items = catalogue()
    position = b""
    for start in range(0, len(items), 1000):
        upsert = catalog_service_pb2.UpsertItemsRequest(items=items[start : start + 1000])
        position = (await clients.catalog.UpsertItems(upsert)).position
    chance = random.Random(2)
    for batch in range(20):
        events = [made_event(f"warm-{batch}-{n}", chance) for n in range(500)]
        request = feedback_service_pb2.RecordEventsRequest(events=events)
        position = (await clients.feedback.RecordEvents(request)).position
    await wait_for_rankers(clients, "default", position)


def made_event(name: str, chance: random.Random) -> event_pb2.Event:
    """Return an event of a random user on an item from the popular end."""
    item = min(int(chance.expovariate(1 / 250)), ITEMS - 1)
    return event_pb2.Event(
        event_id=name,
        subject=subject_pb2.Subject(user_id=f"user-{chance.randrange(USERS)}"),
        item_id=f"item-{item}",
        type="play",
    )


async def one_event(
    clients: Clients, event: event_pb2.Event, probe: bool, measured: Measured
) -> None:
    """Record an event and, if it is a probe, measure its effect on every ranker."""
    try:
        await effect_of(clients, event, probe, measured)
    except grpc.aio.AioRpcError as error:
        if error.code() is not grpc.StatusCode.RESOURCE_EXHAUSTED:
            raise
        measured.shed += 1


async def effect_of(
    clients: Clients, event: event_pb2.Event, probe: bool, measured: Measured
) -> None:
    """Do what `one_event` says; a call may be shed."""
    request = feedback_service_pb2.RecordEventsRequest(events=[event])
    started = time.perf_counter()
    answer = await clients.feedback.RecordEvents(request, timeout=DEADLINE_SECONDS)
    recorded = time.perf_counter()
    measured.record.append(recorded - started)
    if not probe:
        return
    ask = ranker_service_pb2.RecommendRequest(
        subject=event.subject, count=10, min_position=answer.position, strict=True
    )
    ask.wait_budget.FromSeconds(5)
    slates = await asyncio.gather(
        *(ranker.Recommend(ask, timeout=DEADLINE_SECONDS) for ranker in clients.rankers)
    )
    measured.effect.append(time.perf_counter() - recorded)
    for slate in slates:
        assert not slate.stale
        assert not slate.degradations, slate.degradations
        assert event.item_id not in {slot.item_id for slot in slate.slots}


async def load(clients: Clients, rate: float, seconds: float, probes: float, tag: str) -> Measured:
    """Send events at fixed times, whatever has come back by then."""
    chance = random.Random(3)
    measured = Measured()
    tasks: list[asyncio.Task[None]] = []
    begin = time.perf_counter()
    due_probes = 0.0
    for number in range(int(rate * seconds)):
        due = begin + number / rate
        ahead = due - time.perf_counter()
        if ahead > 0:
            await asyncio.sleep(ahead)
        elif ahead < -0.05:
            measured.late += 1
        due_probes += min(1.0, probes / rate)
        probe = due_probes >= 1.0
        due_probes -= probe
        event = made_event(f"{tag}-{number}", chance)
        tasks.append(asyncio.create_task(one_event(clients, event, probe, measured)))
    await asyncio.gather(*tasks)
    return measured


def line(what: str, seconds: Sequence[float]) -> str:
    """Return percentiles in milliseconds."""
    p50, p95, p99 = np.percentile(np.array(seconds) * 1e3, [50, 95, 99])
    return f"{what:44s} p50 {p50:7.2f} ms  p95 {p95:7.2f} ms  p99 {p99:7.2f} ms  n {len(seconds)}"


async def measure(suite: Suite, rate: float, seconds: float, probes: float) -> Measured:
    """Prepare, warm up for a few seconds, then measure."""
    async with connect(suite.endpoints) as clients:
        await prepare(clients)
        await load(clients, rate, 5.0, probes, "warm")
        return await load(clients, rate, seconds, probes, "run")


@contextlib.contextmanager
def fresh_suite(rankers: int) -> Iterator[Suite]:
    """Run a suite on an embedded PostgreSQL of its own, durable as in production."""
    with fresh_postgres() as (folder, postgres, guardian):
        config = SuiteConfig(
            folder / "suite",
            postgres.dsn("harken_feedback"),
            postgres.dsn("harken_profile"),
            rankers=rankers,
            preset="media",
            log_level="warning",
        )
        with Suite(config, guardian) as suite:
            yield suite


def main() -> None:
    """Measure one replica, then three."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--rate", type=float, default=200.0)
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--probes", type=float, default=200.0)
    parser.add_argument("--replica-probes", type=float, default=20.0)
    given = parser.parse_args()
    for rankers, probes in ((1, given.probes), (3, given.replica_probes)):
        with fresh_suite(rankers) as suite:
            measured = asyncio.run(measure(suite, given.rate, given.seconds, probes))
        print(f"-- {rankers} ranker(s), {given.rate:.0f} events/s, {probes:.0f} probes/s, "
              f"{measured.late} sends late by more than 50 ms, {measured.shed} shed")  # fmt: skip
        print(line("RecordEvents", measured.record))
        print(line("return of RecordEvents to slate", measured.effect))


if __name__ == "__main__":
    main()
