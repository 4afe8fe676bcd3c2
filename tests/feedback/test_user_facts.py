"""User facts: each revision once in the log, whatever the outbox repeats (truth 2)."""

import asyncpg

from harken.feedback.v1 import user_fact_service_pb2 as pb
from harken.log.v1 import entry_pb2
from tests.faults import fault_of, fields_of
from tests.feedback.conftest import Client


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
