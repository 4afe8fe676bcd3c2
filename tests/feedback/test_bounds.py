"""Large items and long lists of faults fit into messages; a backlog drains at once (truth 13)."""

import asyncio
import time

import grpc

from harken.feedback.v1 import (
    catalog_service_pb2,
    event_pb2,
    feedback_service_pb2,
    generation_service_pb2,
    item_pb2,
)
from harken.internal.feed.v1 import feed_service_pb2
from services.common.position import decode_position
from tests.faults import fault_of, fields_of, violations_of
from tests.feedback.conftest import Client, Connect, FeedbackProcesses, event
from tests.feedback.feed_reader import FeedReader
from tests.feedback.test_generations import manifest, publish
from tests.waiting import until


def large_item(number: int) -> item_pb2.Item:
    return item_pb2.Item(
        item_id=f"large-{number}",
        description="x" * 8000,
        categories=[f"{n:03}" + "c" * 120 for n in range(32)],
        tags=[f"{n:03}" + "t" * 120 for n in range(64)],
    )


async def upsert_large(client: Client, count: int) -> int:
    sequence = 0
    for start in range(0, count, 400):
        items = [large_item(n) for n in range(start, min(start + 400, count))]
        request = catalog_service_pb2.UpsertItemsRequest(items=items)
        answer = await client.catalog.UpsertItems(request)
        sequence = decode_position(answer.position).sequence
    return sequence


async def test_frames_snapshots_and_pages_of_large_items_fit_default_clients(
    processes: FeedbackProcesses, connect: Connect
) -> None:
    """1,000 items of about 20 KB are 20 MB; a gRPC client takes 4 MiB unless told otherwise."""
    _, target = processes.start("feedback", checkpoint_versions="1", checkpoint_seconds="0.01")
    client = connect(target)
    last = await upsert_large(client, 1000)
    async with FeedReader(client, resume=feed_service_pb2.ResumePoint()) as reader:
        await reader.read("welcome")
        frames = await reader.frames_through(last)
    wanted = {f"large-{n}" for n in range(1000)}
    assert {i.item_id for f in frames for t in f.tenants for i in t.catalogue.items} == wanted

    async def whole_snapshot() -> bool:
        await client.upsert(1, prefix=f"poke-{time.monotonic_ns()}-")
        async with FeedReader(client, snapshot=True) as reader:
            await reader.read("welcome")
            chunks = await reader.snapshot()
        items = {
            item.item_id
            for chunk in chunks
            for tenant in chunk.content.tenants
            for item in tenant.catalogue.items
        }
        return wanted <= items

    await until(whole_snapshot, "a checkpoint with all items", 30)
    listed: list[str] = []
    token = ""
    while True:
        request = catalog_service_pb2.ListItemsRequest(page_size=1000, page_token=token)
        page = await client.catalog.ListItems(request)
        assert page.items
        listed += [item.item_id for item in page.items]
        token = page.next_page_token
        if not token:
            break
    assert len(listed) == len(set(listed))
    assert wanted <= set(listed)


async def test_items_that_default_clients_cannot_take_are_refused(client: Client) -> None:
    """Truth 13: the largest request that the proto allows is answered, or said to be too large."""
    await upsert_large(client, 1000)
    every = [f"large-{n}" for n in range(1000)]
    request = catalog_service_pb2.GetItemsRequest(item_ids=every)
    [(field, what)] = await violations_of(client.catalog.GetItems(request))
    assert field == "item_ids"
    assert "ask for fewer" in what
    found: list[str] = []
    for start in range(0, 1000, 100):
        part = every[start : start + 100]
        answer = await client.catalog.GetItems(catalog_service_pb2.GetItemsRequest(item_ids=part))
        found += [item.item_id for item in answer.items]
    assert found == every


async def test_pages_of_large_events_fit_default_clients(client: Client) -> None:
    """Export: 1,500 events of 4.5 KB each, by pages of the default size and of the largest."""
    sent: list[str] = []
    for start in range(0, 1500, 500):
        events = [
            event(
                f"{n:04}" + "e" * 124, user="u" * 128, item="i0",
                slate_id="s" * 64, context={f"{k:02}" + "k" * 126: "c" * 128 for k in range(16)},
            )
            for n in range(start, start + 500)
        ]  # fmt: skip
        request = feedback_service_pb2.RecordEventsRequest(events=events)
        answer = await client.feedback.RecordEvents(request)
        assert all(one.outcome == event_pb2.EVENT_OUTCOME_ACCEPTED for one in answer.results)
        sent += [one.event_id for one in events]
    for size in (0, 5000):
        wanted = feedback_service_pb2.ExportEventsRequest(page_size=size)
        pages = [page async for page in client.feedback.ExportEvents(wanted)]
        exported = [one.event_id for page in pages for one in page.events]
        assert [one for one in exported if one.endswith("e" * 124)] == sent


async def test_a_thousand_faults_are_still_an_invalid_argument(client: Client) -> None:
    request = catalog_service_pb2.GetItemsRequest(item_ids=["\x01" * 100] * 1000)
    error = await fault_of(client.catalog.GetItems(request))
    assert error.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert "item_ids[0]" in fields_of(error)


async def test_a_backlog_drains_without_waiting_for_news(
    processes: FeedbackProcesses, connect: Connect
) -> None:
    """Nothing new comes after the learner's start, and there is more than one step to take."""
    _, target = processes.start("ingest", role="ingest")
    client = connect(target)
    await client.upsert(5)
    last = 0
    for batch in range(20):
        events = [event(f"{batch}-{n}", item=f"i{n % 5}") for n in range(50)]
        request = feedback_service_pb2.RecordEventsRequest(events=events)
        last = decode_position((await client.feedback.RecordEvents(request)).position).sequence
    # Steps of 10: a hundred of them, which at one per time-out would take minutes.
    processes.start("learner", role="learner", step_events="10")
    async with FeedReader(client, resume=feed_service_pb2.ResumePoint()) as reader:
        await reader.read("welcome")
        async with asyncio.timeout(20):
            frames = await reader.frames_through(last)
    assert frames[-1].version >= 100


async def test_a_list_of_the_largest_manifests_fits_default_clients(
    processes: FeedbackProcesses, connect: Connect
) -> None:
    _, target = processes.start("feedback", kept_generations="30")
    client = connect(target)
    await client.upsert(1)
    metrics = {f"{n:04}" + "m" * 60: 1.0 for n in range(3300)}
    for n in range(18):
        large = manifest(f"large-{n:02}", metrics=metrics)
        assert 250_000 < large.ByteSize() <= 256 * 1024
        await publish(client, large)
    listed = await client.generation.ListGenerations(
        generation_service_pb2.ListGenerationsRequest()
    )
    names = [one.manifest.generation_id for one in listed.generations]
    assert names == [f"large-{n:02}" for n in range(17, 17 - len(names), -1)]
    assert 15 <= len(names) < 18
