"""Slates are logged, joined with events, and teach the head, on real processes."""

import asyncio
import urllib.request
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import grpc
import numpy as np
import pytest
import pytest_asyncio

from harken.internal.feed.v1 import feed_service_pb2, feed_service_pb2_grpc, frame_pb2
from harken.internal.log.v1 import entry_pb2
from harken.ranker.v1 import ranker_service_pb2
from services.cli.suite import Suite
from services.common.position import decode_position
from tests.conftest import StartSuite
from tests.end_to_end.clients import Caller, caller_of, catalogue, event, user
from tests.waiting import until

SETTLE_SECONDS = 0.3


@pytest.fixture(scope="module")
def running(module_suite: StartSuite) -> Suite:
    return module_suite(
        preset="media",
        environment={
            "feedback": {
                "HARKEN_FEEDBACK_SETTLE_SECONDS": str(SETTLE_SECONDS),
                "HARKEN_FEEDBACK_TICK_SECONDS": "0.2",
                # Clicks move no vector, rule or popularity: what they do, the head does.
                "HARKEN_FEEDBACK_EVENT_TYPES": '{"click": {"weight": 0}}',
            },
            "ranker": {
                "HARKEN_RANKER_SURFACE_WEIGHTS": '{"negated": {"play": -1, "long_view": -1,'
                ' "favour": -1, "hide": 0}}'
            },
        },
    )


@pytest_asyncio.fixture
async def caller(running: Suite) -> AsyncIterator[Caller]:
    async with caller_of(running) as own:
        filled = await own.upsert(*catalogue())
        await own.slate("nobody", filled, preview=True)
        yield own


async def logged(admin: asyncpg.Connection, kind: str) -> list[entry_pb2.Entry]:
    rows = await admin.fetch("SELECT entry FROM feedback.log ORDER BY sequence")
    entries = [entry_pb2.Entry.FromString(row["entry"]) for row in rows]
    return [entry for entry in entries if entry.WhichOneof("kind") == kind]


async def test_a_shown_slate_is_logged_and_a_preview_is_not(
    caller: Caller, module_admin: asyncpg.Connection
) -> None:
    position = await caller.record(event("ann-1", "ann", "space-0"))
    preview = await caller.slate("ann", position, preview=True)
    shown = await caller.slate("ann", position, surface="home")

    async def there() -> bool:
        return any(
            entry.slate.slate_id == shown.slate_id for entry in await logged(module_admin, "slate")
        )

    await until(there, "the slate in the log")
    slates = {entry.slate.slate_id: entry.slate for entry in await logged(module_admin, "slate")}
    assert preview.slate_id not in slates
    logged_slate = slates[shown.slate_id]
    assert list(logged_slate.item_ids) == [slot.item_id for slot in shown.slots]
    assert logged_slate.user_key == b"u:ann"
    assert logged_slate.surface == "home"
    assert logged_slate.generation_id == shown.generation_id
    assert logged_slate.served_sequence == decode_position(shown.position).sequence
    assert len(logged_slate.propensities) == 4 * 10
    assert len(logged_slate.logits) == len(logged_slate.probabilities) == 4 * 10 * 4
    assert len(logged_slate.features) % 40 == 0


async def test_rank_orders_the_items_of_a_slate_as_the_slate_does(caller: Caller) -> None:
    """Of many users, on surfaces with weights and without; all of them, and any two."""
    for n in range(12):
        who = f"ranked-{n}"
        events = [
            event(f"{who}-{k}", who, item)
            for k, item in enumerate(
                (f"space-{3 * n}", f"crime-{3 * n + 2}", f"space-{(21 * n) % 36}")
            )
        ]
        position = await caller.record(*events)
        for surface in ("", "home", "negated"):
            slate = await caller.items(who, position, preview=True, surface=surface)
            for asked in (slate[::-1], slate[1::2], [slate[7], slate[2]]):
                request = ranker_service_pb2.RankRequest(
                    subject=user(who), item_ids=asked, surface=surface, min_position=position
                )
                answer = await caller.clients.rankers[0].Rank(request)
                order = [slot.item_id for slot in answer.slots]
                assert order == [item for item in slate if item in asked]


async def test_weights_of_a_surface_order_its_slates(caller: Caller) -> None:
    position = await caller.record(event("eve-1", "eve", "space-3"))
    plain = await caller.items("eve", position, preview=True, count=20)
    other = await caller.items("eve", position, preview=True, count=20, surface="elsewhere")
    negated = await caller.items("eve", position, preview=True, count=59, surface="negated")
    assert other == plain
    whole = await caller.items("eve", position, preview=True, count=59)
    assert sorted(negated) == sorted(whole)
    # Untrained, wanted outcomes rise with one score: negated weights turn the order around.
    assert negated[-1] == whole[0]


async def test_the_head_learns_what_is_taken(caller: Caller, running: Suite) -> None:
    """Readers take what is not popular, by clicks that teach nothing but the head: what is popular
    comes later, in the next slates of everybody.
    """
    liked = [f"crime-{n}" for n in range(2, 32, 3)]
    position = b""
    for n, item in enumerate(liked):
        for k in range(5):
            position = await caller.record(event(f"fan-{n}-{k}", f"fan-{n}-{k}", item))

    async def mean_place() -> float:
        items = await caller.items("judge", position, preview=True, count=60)
        return sum(items.index(item) for item in liked) / len(liked)

    position = await caller.record(event("judge-1", "judge", "space-0"))
    before = await mean_place()
    shown_to = 200
    for n in range(shown_to):
        who = f"reader-{n}"
        position = await caller.record(event(f"{who}-0", who, f"space-{3 * (n % 20)}"))
        slate = await caller.slate(who, position, count=40, surface="learn")
        taken = [slot.item_id for slot in slate.slots if slot.item_id not in liked]
        await caller.record(
            *(
                event(f"{who}-{item}", who, item, "click", slate_id=slate.slate_id)
                for item in taken[:15]
            )
        )

    async def trained() -> bool:
        return (await caller.state()).tenants[0].head_slates >= shown_to

    await until(trained, "all slates in the head")
    assert await mean_place() > before + 3
    tenant = (await caller.state()).tenants[0]
    figures = {(one.surface, one.outcome): one for one in tenant.outcomes}
    play = figures["learn", "play"]
    assert 0 < play.predicted < 1
    assert 0 < play.actual < 1
    assert abs(play.predicted - play.actual) - 1e-9 <= play.calibration_error <= 1
    assert any(
        line.startswith("harken_outcome_ece") and 'surface="learn"' in line
        for line in metrics(running)
    )
    head = await head_of(running)
    parameters = np.frombuffer(head.parameters, "<f8").reshape(len(head.outcomes), -1)
    of_play = parameters[list(head.outcomes).index("play")]
    assert np.abs(of_play[1:-2]).max() > 0.05


async def head_of(suite: Suite) -> frame_pb2.ScorerHead:
    """Return the head as a new subscriber gets it: from the snapshot and the frames after it."""
    start = feed_service_pb2.SubscribeStart(
        subscriber="test",
        snapshot=feed_service_pb2.FromSnapshot(),
        sections=[frame_pb2.SECTION_HEAD],
    )
    async with grpc.aio.insecure_channel(suite.endpoints.feedback) as channel:
        stub: Any = feed_service_pb2_grpc.FeedServiceStub(channel)
        call = stub.Subscribe()
        await call.write(feed_service_pb2.SubscribeRequest(start=start))
        found = frame_pb2.ScorerHead()
        head_version, version = None, -1
        async with asyncio.timeout(30):
            while head_version is None or version < head_version:
                message = await call.read()
                if message.HasField("welcome"):
                    head_version = message.welcome.head_version
                    continue
                frame = message.snapshot_chunk.content
                version = frame.version if message.snapshot_chunk.last else -1
                if message.HasField("frame"):
                    frame = message.frame
                    version = frame.version
                for tenant in frame.tenants:
                    assert not tenant.HasField("learner")
                    if tenant.HasField("head"):
                        found = tenant.head
        call.cancel()
        return found


def metrics(suite: Suite) -> list[str]:
    address = suite.metrics_endpoints["feedback"]
    with urllib.request.urlopen(f"http://{address}/metrics", timeout=10) as answer:
        return str(answer.read().decode()).splitlines()
