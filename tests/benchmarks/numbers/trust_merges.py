"""Sessions become users under load, retries and kills: nothing lost, nothing doubled.

Each session buys something and is merged into its user, often asked for twice; processes are killed
and started again meanwhile. In the end profile is held against what was acknowledged.
"""

import argparse
import asyncio
import contextlib
import random
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

import grpc

from harken.common.v1.subject_pb2 import Subject
from harken.feedback.v1 import catalog_service_pb2, event_pb2, feedback_service_pb2, item_pb2
from harken.profile.v1 import profile_service_pb2
from harken.ranker.v1 import ranker_service_pb2
from services.cli.clients import Clients, connect
from services.cli.suite import Suite, SuiteConfig
from tests.benchmarks.fresh_postgres import fresh_postgres
from tests.benchmarks.numbers.table import Number

_ITEMS = 200
_AT_ONCE = 8
_SESSIONS_OF_USER = 4
_LOOKED_AT = 10
"""Of so many merges one is followed by a strict slate."""
_KILLED = ("profile", "feedback", "ranker-1")
_PAUSE_SECONDS = 6.0
_GIVE_UP_SECONDS = 120.0
_FINAL = (grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.FAILED_PRECONDITION)
Answer = TypeVar("Answer")


@dataclass
class _Found:
    """What was acknowledged, and what came of it."""

    items: defaultdict[int, list[int]] = field(default_factory=lambda: defaultdict(list))
    retries: int = 0
    kills: int = 0
    slates: int = 0
    ignorant: int = 0
    lost: int = 0
    doubled: int = 0


def merges(options: argparse.Namespace) -> Iterator[Number]:
    """Merge sessions into users under load."""
    with fresh_postgres() as (folder, postgres, guardian):
        config = SuiteConfig(
            folder / "suite", postgres.dsn("harken_feedback", "harken"),
            postgres.dsn("harken_profile", "harken"),
        )  # fmt: skip
        with Suite(config, guardian) as suite:
            found = asyncio.run(_measure(suite, options.merges))
    sessions = sum(map(len, found.items.values()))
    yield Number(
        f"{sessions:,} sessions merged into users, {found.retries:,} retries, {found.kills} kills:"
        " events lost, doubled",
        "0, 0", f"{found.lost}, {found.doubled}", found.lost == found.doubled == 0,
    )  # fmt: skip
    yield Number(
        "strict slates right after a merge that do not know what the session did", "0",
        f"{found.ignorant} of {found.slates:,}", found.ignorant == 0,
    )  # fmt: skip


async def _measure(suite: Suite, count: int) -> _Found:
    found = _Found()
    async with connect(suite.endpoints) as clients:
        request = catalog_service_pb2.UpsertItemsRequest(
            items=[item_pb2.Item(item_id=f"i{number}") for number in range(_ITEMS)]
        )
        learned = (await clients.catalog.UpsertItems(request, timeout=60)).position
        first = ranker_service_pb2.RecommendRequest(
            subject=Subject(user_id="nobody"), min_learned_position=learned, strict=True
        )
        first.wait_budget.FromSeconds(10)
        await clients.ranker.Recommend(first, timeout=30)
        numbers = iter(range(count))
        killer = asyncio.create_task(_kill(suite, found))
        try:
            await asyncio.gather(*(_work(clients, found, numbers, n) for n in range(_AT_ONCE)))
        finally:
            killer.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await killer
        await _compare(clients, found)
    return found


async def _kill(suite: Suite, found: _Found) -> None:
    chance = random.Random(1)
    while True:
        await asyncio.sleep(_PAUSE_SECONDS)
        name = chance.choice(_KILLED)
        # Cancelled in between it would leave a process dead.
        await asyncio.shield(asyncio.to_thread(_restart, suite, name))
        found.kills += 1


def _restart(suite: Suite, name: str) -> None:
    suite.kill(name)
    suite.start(name)


async def _work(clients: Clients, found: _Found, numbers: Iterator[int], seed: int) -> None:
    chance = random.Random(seed)
    for number in numbers:
        user, item = number // _SESSIONS_OF_USER, chance.randrange(_ITEMS)
        session = Subject(session_id=f"s{number}")
        events = feedback_service_pb2.RecordEventsRequest(
            events=[
                event_pb2.Event(
                    event_id=f"e{number}", subject=session, item_id=f"i{item}", type="purchase"
                )
            ]
        )
        merge = profile_service_pb2.MergeProfilesRequest(
            into=Subject(user_id=f"u{user}"), from_subjects=[session], source="login"
        )
        for _ in range(1 + (chance.random() < 0.2)):
            await _sure(found, partial(clients.feedback.RecordEvents, events, timeout=10))
        position = b""
        again = chance.random() < 0.2
        while not position or again:
            if position:
                again, found.retries = False, found.retries + 1
            answer = await _sure(found, partial(clients.profile.MergeProfiles, merge, timeout=10))
            position = answer.position
        found.items[user].append(item)
        if number % _LOOKED_AT == 0:
            known = {f"i{one}" for one in found.items[user]}
            request = ranker_service_pb2.RecommendRequest(
                subject=Subject(user_id=f"u{user}"), count=_ITEMS, min_position=position,
                strict=True, preview=True,
            )  # fmt: skip
            request.wait_budget.FromSeconds(5)
            slate = await _sure(found, partial(clients.ranker.Recommend, request, timeout=10))
            found.slates += 1
            found.ignorant += bool(known & {slot.item_id for slot in slate.slots})


async def _sure(found: _Found, call: Callable[[], Awaitable[Answer]]) -> Answer:
    """Return the answer of a call, made again until there is one."""
    async with asyncio.timeout(_GIVE_UP_SECONDS):
        while True:
            try:
                return await call()
            except grpc.aio.AioRpcError as error:
                if error.code() in _FINAL:
                    raise
            found.retries += 1
            await asyncio.sleep(0.1)


async def _compare(clients: Clients, found: _Found) -> None:
    """Hold the profiles of all users against what was acknowledged."""
    again = profile_service_pb2.MergeProfilesRequest(
        into=Subject(user_id="u0"), from_subjects=[Subject(session_id="s0")], source="login"
    )
    # Nothing is new, so it answers where the log ends.
    end = await _sure(found, partial(clients.profile.MergeProfiles, again, timeout=10))
    for user, items in found.items.items():
        request = profile_service_pb2.GetProfileRequest(
            subject=Subject(user_id=f"u{user}"), include_seen=True, min_position=end.position,
            strict=True,
        )  # fmt: skip
        request.wait_budget.FromSeconds(10)
        answer = await _sure(found, partial(clients.profile.GetProfile, request, timeout=20))
        there = [event.item_id for event in answer.profile.state.recent]
        found.lost += _missing([f"i{one}" for one in items], there)
        found.doubled += _missing(there, [f"i{one}" for one in items])
        found.doubled += abs(answer.profile.counters.events - len(there))


def _missing(wanted: Sequence[str], there: Sequence[str]) -> int:
    """Return how many of some are not among others, each as often as it is there."""
    left = list(there)
    count = 0
    for one in wanted:
        if one in left:
            left.remove(one)
        else:
            count += 1
    return count
