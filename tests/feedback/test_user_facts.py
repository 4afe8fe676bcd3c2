"""User facts: each revision once in the log, whatever the outbox repeats (truth 2)."""

import asyncio
import math
import time
from typing import Any

import asyncpg
import grpc

from harken.internal.facts.v1 import user_fact_service_pb2 as pb
from harken.internal.feed.v1 import feed_service_pb2
from harken.internal.log.v1 import entry_pb2
from services.common.position import decode_position
from tests.faults import fault_of, fields_of
from tests.feedback.conftest import Client, Connect, FeedbackProcesses
from tests.feedback.feed_reader import FeedReader


def fact(key: bytes, revision: int, country: str = "de") -> pb.UserFact:
    result = pb.UserFact(user_key=key, revision=revision)
    result.attributes.update({"country": country})
    return result


async def append(client: Client, *facts: pb.UserFact) -> pb.AppendUserFactsResponse:
    response: pb.AppendUserFactsResponse = await client.user_fact.AppendUserFacts(
        pb.AppendUserFactsRequest(facts=facts)
    )
    return response


async def test_a_revision_is_appended_once_and_older_ones_never_after_it(
    client: Client, module_admin: asyncpg.Connection
) -> None:
    first = await append(client, fact(b"u:1", 2, "fr"), fact(b"u:2", 1))
    assert first.appended == 2
    assert (await append(client, fact(b"u:1", 2, "fr"))).appended == 0
    assert (await append(client, fact(b"u:1", 1, "it"))).appended == 0
    newer = await append(client, fact(b"u:1", 3, "es"), fact(b"u:1", 4, "pt"))
    assert newer.appended == 1
    rows = await module_admin.fetch(
        "SELECT entry FROM feedback.log WHERE user_key = $1 ORDER BY sequence", b"u:1"
    )
    facts = [entry_pb2.Entry.FromString(row["entry"]).user_fact for row in rows]
    assert [(one.revision, one.attributes["country"]) for one in facts] == [(2, "fr"), (4, "pt")]


async def test_faults_name_their_field(client: Client) -> None:
    error = await fault_of(append(client, pb.UserFact()))
    assert fields_of(error) == {"facts[0].user_key", "facts[0].revision"}


async def test_a_revision_of_the_future_and_bad_attributes_change_nothing(
    client: Client, module_admin: asyncpg.Connection
) -> None:
    """Truths 2 and 13: what is refused cannot silence what comes after it."""
    key = b"u:bounded"
    for revision in (2**63 - 1, 2**64 - 1, int((time.time() + 25 * 3600) * 1e6)):
        error = await fault_of(append(client, fact(key, revision)))
        assert error.code() == grpc.StatusCode.INVALID_ARGUMENT
        assert fields_of(error) == {"facts[0].revision"}
    deep: list[Any] = []
    for _ in range(20):
        deep = [deep]
    for value in (math.nan, math.inf, "x" * 65_000 + "y" * 600, "zero\0", deep):
        bad = fact(key, 5)
        bad.attributes.update({"list": [{"deep": value}]})
        error = await fault_of(append(client, fact(b"u:fine", 1), bad))
        assert error.code() == grpc.StatusCode.INVALID_ARGUMENT
        assert fields_of(error) == {"facts[1].attributes"}
    assert not await module_admin.fetch(
        "SELECT 1 FROM feedback.log WHERE user_key = ANY ($1::bytea[])", [key, b"u:fine"]
    )
    assert (await append(client, fact(key, int(time.time() * 1e6)))).appended == 1


async def test_large_facts_are_learned_and_none_is_lost(
    processes: FeedbackProcesses, connect: Connect
) -> None:
    """40 facts of 64 KiB are nearly as many bytes as one reading of the log takes."""
    _, target = processes.start("feedback", tick_seconds="0.2")
    client = connect(target)
    await client.upsert(1)
    for batch in range(3):
        large = [fact(f"u:{batch}-{n}".encode(), 1, "c" * 65_000) for n in range(40)]
        answer = await append(client, *large)
        assert answer.appended == 40
    last = decode_position(answer.position).sequence
    async with FeedReader(client, resume=feed_service_pb2.ResumePoint()) as reader:
        await reader.read("welcome")
        async with asyncio.timeout(20):
            await reader.frames_through(last)
