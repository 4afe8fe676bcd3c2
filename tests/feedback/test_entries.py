"""The entries lane: the log as columns, from any point on, whoever learns or not."""

import asyncio
import math
from collections.abc import Sequence
from typing import Any

import asyncpg
import grpc
import numpy as np
import pytest

from harken.common.v1 import subject_pb2
from harken.feedback.v1 import (
    catalog_service_pb2,
    embedding_service_pb2,
    feedback_service_pb2,
    item_pb2,
)
from harken.internal.facts.v1 import user_fact_service_pb2
from harken.internal.feed.v1 import entries_pb2, feed_service_pb2
from harken.internal.log.v1 import entry_pb2
from services.common.position import decode_position
from services.feed.entries_codec import decode, encode
from tests.faults import fault_of, fields_of, reason_of
from tests.feedback.conftest import Client, Connect, FeedbackProcesses, event, record_sequence
from tests.feedback.feed_reader import EntriesReader, events_in
from tests.feedback.test_record_slates import record, slate

WRITERS = 6


async def read_through(client: Client, sequence: int, **request: Any) -> list[entries_pb2.Entries]:
    async with EntriesReader(client, **request) as reader:
        await reader.read("welcome")
        return await reader.through(sequence)


async def logged_events(admin: asyncpg.Connection) -> list[tuple[int, str, str]]:
    """Return what `events_in` returns, of the table."""
    found = []
    for row in await admin.fetch("SELECT sequence, entry FROM feedback.log ORDER BY sequence"):
        entry = entry_pb2.Entry.FromString(row["entry"])
        if entry.HasField("event"):
            own = entry.event
            found.append((row["sequence"], own.user_key.decode(), own.item_id))
    return found


async def test_entries_are_the_log_whoever_writes_it_and_nobody_learns(
    processes: FeedbackProcesses, connect: Connect, admin: asyncpg.Connection
) -> None:
    """Truth 3: two processes write, each serves all of it, in order, and there is no learner."""
    clients = [
        connect(processes.start(f"ingest-{n}", role="ingest", tick_seconds="60")[1])
        for n in range(2)
    ]
    await clients[0].upsert(20)
    async with EntriesReader(clients[0]) as one, EntriesReader(clients[1]) as other:
        for reader in (one, other):
            await reader.read("welcome")

        async def write(writer: int) -> int:
            last = 0
            for number in range(25):
                names = [f"w{writer}-{number}-{n}" for n in range(1 + number % 3)]
                last = await record_sequence(clients[writer % 2], *names)
            return last

        last = max(await asyncio.gather(*(write(writer) for writer in range(WRITERS))))
        streamed = [await reader.through(last) for reader in (one, other)]
    wanted = await logged_events(admin)
    assert len(wanted) == WRITERS * (25 + 24)
    for stretches in streamed:
        assert [one.after_sequence for one in stretches[1:]] == [
            one.through_sequence for one in stretches[:-1]
        ]
        assert events_in(stretches) == wanted


async def test_whoever_resumes_gets_what_follows_and_nothing_else(
    client: Client, module_admin: asyncpg.Connection
) -> None:
    last = await record_sequence(client, *(f"resume-{n}" for n in range(9)))
    wanted = await logged_events(module_admin)
    head = await module_admin.fetchval("SELECT head FROM feedback.shards")
    for sequence in (0, 1, last - 4, last - 1):
        point = feed_service_pb2.EntryPoint(epoch=1, sequence=sequence)
        stretches = await read_through(client, last, resume=point)
        assert stretches[0].after_sequence == sequence
        assert events_in(stretches) == [one for one in wanted if one[0] > sequence]
    newest = feed_service_pb2.FromNewest()
    async with EntriesReader(client, newest=newest) as reader:
        welcome = await reader.read("welcome")
        assert welcome.after_sequence == welcome.head_sequence >= head
        after = await record_sequence(client, "newest")
        assert [user for _, user, _ in events_in(await reader.through(after))] == ["u:newest"]


@pytest.mark.parametrize(("epoch", "sequence"), [(1, 10**9), (7, 1), (2, 1)])
async def test_a_point_that_is_not_of_the_log_is_lost(
    client: Client, epoch: int, sequence: int
) -> None:
    """Truth 5."""
    point = feed_service_pb2.EntryPoint(epoch=epoch, sequence=sequence)
    async with EntriesReader(client, resume=point) as reader:
        error = await fault_of(reader.read("welcome"))
    assert error.code() == grpc.StatusCode.FAILED_PRECONDITION
    assert reason_of(error) == "EPOCH_LOST"


async def test_a_wrong_request_names_its_fields(client: Client) -> None:
    async with EntriesReader(client, subscriber="", shard=3) as reader:
        error = await fault_of(reader.read("welcome"))
    assert error.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert fields_of(error) == {"subscriber", "shard"}


async def test_what_is_taken_back_comes_after_it_in_a_stretch_of_its_own(client: Client) -> None:
    first = await record_sequence(client, "back-1", "back-2")
    request = feedback_service_pb2.RetractEventsRequest(event_ids=["back-1"])
    answer = await client.feedback.RetractEvents(request)
    last = decode_position(answer.position).sequence
    point = feed_service_pb2.EntryPoint(epoch=1, sequence=first - 2)
    stretches = await read_through(client, last, resume=point)
    taken = [
        (one.after_sequence + own.retracted.sequence_offsets[0], own.user_keys[0].decode())
        for one in stretches
        for own in one.tenants
        if own.retracted.users
    ]
    assert taken == [(first - 1, "u:back-1")]
    for one in stretches:
        decode(one)
        assert not any(own.events.users and own.retracted.users for own in one.tenants)


async def test_vectors_of_users_facts_and_what_hides_items(client: Client) -> None:
    await client.upsert(3, prefix="hide-")
    vip = subject_pb2.Subject(user_id="vip")
    put = embedding_service_pb2.Embedding(subject=vip, values=[0.5] * 16, pinned=True)
    await client.embedding.PutEmbeddings(
        embedding_service_pb2.PutEmbeddingsRequest(embeddings=[put])
    )
    fact = user_fact_service_pb2.UserFact(user_key=b"u:vip", revision=7)
    fact.attributes["plan"] = "gold"
    await client.user_fact.AppendUserFacts(
        user_fact_service_pb2.AppendUserFactsRequest(facts=[fact])
    )
    sold_out = item_pb2.Item(item_id="hide-1", available=False)
    sold_out.expire_time.FromSeconds(2_000_000_000)
    await client.catalog.UpsertItems(catalog_service_pb2.UpsertItemsRequest(items=[sold_out]))
    answer = await client.catalog.DeleteItems(
        catalog_service_pb2.DeleteItemsRequest(item_ids=["hide-2"])
    )
    last = decode_position(answer.position).sequence
    with_facts = decoded_tenants(await read_through(client, last, user_facts=True))
    (vectors,) = [(own, part) for own in with_facts for part in own.vectors]
    assert vectors[0].user_keys[vectors[1].users[0]] == b"u:vip"
    assert vectors[1].vectors.tolist() == [[0.5] * 16]
    assert vectors[1].pinned.tolist() == [True]
    (found,) = [(own, part) for own in with_facts for part in own.facts]
    assert found[0].user_keys[found[1].user] == b"u:vip"
    assert found[1].revision == 7
    seen: dict[str, tuple[bool, bool, int]] = {}
    for own in with_facts:
        if own.items is not None:
            columns = (own.items.items, own.items.listed, own.items.available)
            for item, listed, available, expires in zip(
                *(column.tolist() for column in (*columns, own.items.expires_at_us)), strict=True
            ):
                seen[own.item_ids[item]] = (listed, available, expires)
    assert seen["hide-0"] == (True, True, 0)
    assert seen["hide-1"] == (True, False, 2_000_000_000_000_000)
    assert seen["hide-2"][0] is False
    assert not any(own.facts for own in decoded_tenants(await read_through(client, last)))


async def test_slates_that_are_remembered_come_and_no_others(client: Client) -> None:
    await client.upsert(4)
    plain = slate("not-told")
    told = slate("told", surface="home", remembered=True)
    answer = await record(client, plain, told)
    last = decode_position(answer.position).sequence
    found = decoded_tenants(await read_through(client, last))
    (own,) = [own for own in found if own.shown]
    (shown,) = own.shown
    assert shown == ("told", b"u:u", "home", shown.items)
    assert [own.item_ids[item] for item in shown.items] == ["i0", "i1", "i2"]


def decoded_tenants(stretches: Sequence[entries_pb2.Entries]) -> list[Any]:
    return [own for one in stretches for own in decode(one).tenants]


async def test_times_and_values_are_those_of_the_log(
    client: Client, module_admin: asyncpg.Connection
) -> None:
    timed = event("timed", kind="rating", value=4.0)
    timed.event_time.GetCurrentTime()
    timed.event_time.nanos = 123_456_000
    plain = event("plain")
    request = feedback_service_pb2.RecordEventsRequest(events=[timed, plain])
    answer = await client.feedback.RecordEvents(request)
    last = decode_position(answer.position).sequence
    rows = await module_admin.fetch(
        "SELECT (extract(epoch FROM accepted_at) * 1000000)::bigint AS at FROM feedback.log"
        " WHERE sequence > $1 AND sequence <= $2 ORDER BY sequence", last - 2, last,
    )  # fmt: skip
    point = feed_service_pb2.EntryPoint(epoch=1, sequence=last - 2)
    stretches = await read_through(client, last, resume=point)
    events = [own.events for one in stretches for own in decode(one).tenants]
    times = np.concatenate([one.times_us for one in events]).tolist()
    values = np.concatenate([one.values for one in events]).tolist()
    assert times == [timed.event_time.ToMicroseconds(), rows[1]["at"]]
    assert values[0] == 4.0
    assert math.isnan(values[1])
    accepted = np.concatenate([one.accepted_us for one in events]).tolist()
    assert accepted == [row["at"] for row in rows]
    for one in stretches:
        assert encode(decode(one)) == one
