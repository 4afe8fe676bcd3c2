"""Administrative calls of real processes are written down, and nobody can unwrite them unseen."""

import asyncio
import contextlib
import hashlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import asyncpg
import grpc
import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from harken.common.v1 import subject_pb2
from harken.feedback.v1 import (
    catalog_service_pb2,
    embedding_service_pb2,
    event_pb2,
    feedback_service_pb2,
    generation_pb2,
    generation_service_pb2,
    item_pb2,
    surface_pb2,
    surface_service_pb2,
)
from harken.profile.v1 import profile_pb2, profile_service_pb2
from services.cli.audit_rows import check, head
from services.common.access.api_keys import create_key, revoked, write_keys
from services.common.user_key import Pseudonyms
from tests.audit.conftest import As, Audited, Calls, Log
from tests.cli.harken_process import harken
from tests.faults import fault_of, reason_of
from tests.waiting import until

Logs = tuple[Log, Log]
BACKEND, MERCHANDISER, OPERATOR = "backend/default", "merchandiser/default", "operator/%2A"
LONG_AGO = Timestamp(seconds=1_000_000_000)
SURFACES = "harken.feedback.v1.SurfaceService"


async def with_items(calls: Calls, *names: str) -> None:
    items = [item_pb2.Item(item_id=name, title=name) for name in names]
    await calls.items.UpsertItems(catalog_service_pb2.UpsertItemsRequest(items=items))


async def test_a_call_is_written_down_before_it_begins_and_when_it_ended(
    acting_as: As, logs: Logs
) -> None:
    feedback, _ = logs
    caller = acting_as(MERCHANDISER)
    request = surface_service_pb2.PutSurfaceRequest(
        surface=surface_pb2.Surface(name="home", config=surface_pb2.SurfaceConfig())
    )
    await with_items(acting_as(BACKEND), "i1")
    await feedback.more()
    await caller.surfaces.PutSurface(request)
    begun, ended = await feedback.more()
    call = begun.pop("call")
    assert len(begun.pop("certificate")) == 64
    assert begun.pop("peer").startswith("ipv4:127.0.0.1")
    assert begun == {
        "phase": "begun", "rpc": f"{SURFACES}/PutSurface", "tenant": "default",
        "kind": "merchandiser", "caller": f"spiffe://harken/{MERCHANDISER}",
        "caller_tenant": "default", "resources": ["home"], "resource_count": 1,
        "request_sha256": hashlib.sha256(request.SerializeToString(deterministic=True)).hexdigest(),
    }  # fmt: skip
    assert ended == {
        "phase": "ended", "rpc": f"{SURFACES}/PutSurface", "call": call, "code": "OK",
    }  # fmt: skip


async def test_a_call_that_fails_says_how(acting_as: As, logs: Logs) -> None:
    feedback, _ = logs
    await with_items(acting_as(BACKEND), "i1")
    await feedback.more()
    request = surface_service_pb2.DeleteSurfaceRequest(name="nowhere")
    await fault_of(acting_as(MERCHANDISER).surfaces.DeleteSurface(request))
    begun, ended = await feedback.more()
    assert begun["resources"] == ["nowhere"]
    assert (ended["call"], ended["code"], ended["reason"]) == (
        begun["call"], "NOT_FOUND", "NOT_FOUND",
    )  # fmt: skip


async def test_what_owners_write_and_read_every_day_is_not_in_it(acting_as: As, logs: Logs) -> None:
    caller = acting_as(BACKEND)
    await with_items(caller, "i1")
    await caller.items.GetItems(catalog_service_pb2.GetItemsRequest(item_ids=["i1"]))
    await caller.profiles.UpdateProfile(updated("ann"))
    await caller.profiles.GetProfile(profile_service_pb2.GetProfileRequest(subject=named("ann")))
    assert [await log.more() for log in logs] == [[], []]


def named(user: str) -> subject_pb2.Subject:
    return subject_pb2.Subject(user_id=user)


def updated(user: str) -> profile_service_pb2.UpdateProfileRequest:
    profile = profile_pb2.Profile(subject=named(user))
    profile.attributes["country"] = "DE"
    return profile_service_pb2.UpdateProfileRequest(profile=profile)


async def test_users_are_named_by_their_stored_keys_and_their_requests_have_no_digest(
    acting_as: As, logs: Logs
) -> None:
    """A digest of a request that is easy to guess would say what was in it."""
    _, log = logs
    caller = acting_as(OPERATOR)
    await caller.profiles.UpdateProfile(updated("zoe-17"))
    await caller.profiles.GetProfile(profile_service_pb2.GetProfileRequest(subject=named("zoe-17")))
    found = [one for one in await log.more() if one["phase"] == "begun"]
    assert [one["rpc"].rpartition("/")[2] for one in found] == ["UpdateProfile", "GetProfile"]
    for one in found:
        assert one["resources"] == [f"user:{Pseudonyms().key_of('default', named('zoe-17')).hex()}"]
        assert "request_sha256" not in one
        assert "zoe-17" not in str(one)


async def test_ids_that_callers_make_up_are_counted_only(acting_as: As, logs: Logs) -> None:
    feedback, _ = logs
    request = feedback_service_pb2.RetractEventsRequest(event_ids=["ann-1", "ann-2"])
    await acting_as(BACKEND).events.RetractEvents(request)
    begun, _ended = await feedback.more()
    assert begun["resource_count"] == 2
    assert "ann" not in str(begun)


async def test_vectors_are_named_by_item_and_user(acting_as: As, logs: Logs) -> None:
    feedback, _ = logs
    made = [embedding_service_pb2.Embedding(item_id=f"i{n}", values=[1.0]) for n in range(30)]
    made.append(embedding_service_pb2.Embedding(subject=named("ann"), values=[1.0]))
    request = embedding_service_pb2.PutEmbeddingsRequest(generation_id="g", embeddings=made)
    with contextlib.suppress(grpc.aio.AioRpcError):
        await acting_as(BACKEND).vectors.PutEmbeddings(request)
    begun, _ended = await feedback.more()
    assert begun["resources"] == ["g", *(f"i{n}" for n in range(19))]
    assert begun["resource_count"] == 32


async def test_streams_are_written_down_by_their_first_request(acting_as: As, logs: Logs) -> None:
    feedback, _ = logs
    caller = acting_as(OPERATOR)

    async def upload() -> AsyncIterator[Any]:
        manifest = generation_pb2.GenerationManifest(tenant="default", generation_id="g-9")
        yield generation_service_pb2.PublishGenerationRequest(manifest=manifest)

    await fault_of(caller.generations.PublishGeneration(upload()))
    begun, ended = await feedback.more()
    assert (begun["tenant"], begun["resources"]) == ("default", ["g-9"])
    assert ended["code"] == "INVALID_ARGUMENT"
    export = caller.events.ExportEvents(feedback_service_pb2.ExportEventsRequest())
    async for _ in export:
        pass
    begun, ended = await feedback.more()
    assert (begun["rpc"].rpartition("/")[2], ended["code"]) == ("ExportEvents", "OK")


async def test_who_is_gone_before_the_end_is_written_down_as_such(
    acting_as: As, logs: Logs
) -> None:
    feedback, _ = logs
    found: list[Any] = []

    async def endless() -> AsyncIterator[Any]:
        seen = event_pb2.Event(
            event_id="e-1", subject=named("ann"), item_id="i1", type="view", event_time=LONG_AGO
        )
        yield feedback_service_pb2.ImportEventsRequest(events=[seen])
        await asyncio.Event().wait()

    call = acting_as(OPERATOR).events.ImportEvents(endless())
    waiting = asyncio.ensure_future(call.read())

    async def has(count: int) -> bool:
        found.extend(await feedback.more())
        return len(found) >= count

    await until(lambda: has(1), "the beginning")
    call.cancel()
    await until(lambda: has(2), "the end")
    await asyncio.gather(waiting, return_exceptions=True)
    assert [one["phase"] for one in found] == ["begun", "ended"]
    # gRPC may tell of the end of the requests first, and the call then ends as if that were all.
    assert found[1]["code"] in ("CANCELLED", "OK")


async def test_who_may_not_is_written_down_and_nothing_else_of_it(
    acting_as: As, logs: Logs
) -> None:
    feedback, profile = logs
    delete = catalog_service_pb2.DeleteItemsRequest(tenant="b", item_ids=["i1"])
    for principal, reason in (
        ("merchandiser/b", "NOT_ALLOWED"), ("backend/a", "OTHER_TENANT"),
        ("nobody/b", "UNAUTHENTICATED"),
    ):  # fmt: skip
        error = await fault_of(acting_as(principal).items.DeleteItems(delete))
        (refused,) = await feedback.more()
        assert (refused["phase"], refused["reason"]) == ("refused", reason)
        assert (refused["code"], reason_of(error)) == (error.code().name, reason)
        known = f"spiffe://harken/{principal}" if reason != "UNAUTHENTICATED" else None
        assert refused.get("caller") == known
        assert refused["tenant"] == "b"
    # What is audited only of operators is not, of others.
    other = profile_service_pb2.GetProfileRequest(tenant="b", subject=named("ann"))
    await fault_of(acting_as("backend/a").profiles.GetProfile(other))
    assert await profile.more() == []
    await fault_of(acting_as("operator/a").profiles.GetProfile(other))
    (refused,) = await profile.more()
    assert refused["reason"] == "OTHER_TENANT"


async def test_what_cannot_be_written_down_is_not_done(
    acting_as: As, logs: Logs, admin: asyncpg.Connection
) -> None:
    caller = acting_as(BACKEND)
    await with_items(caller, "stays")
    request = catalog_service_pb2.DeleteItemsRequest(item_ids=["stays"])
    reading = catalog_service_pb2.GetItemsRequest(item_ids=["stays"])
    await admin.execute("REVOKE INSERT ON feedback.audit_entries FROM harken_feedback")
    try:
        error = await fault_of(caller.items.DeleteItems(request))
        assert (error.code().name, reason_of(error)) == ("UNAVAILABLE", "AUDIT_UNWRITABLE")
        assert len((await caller.items.GetItems(reading)).items) == 1, "reading goes on"
        await with_items(caller, "another")
    finally:
        await admin.execute("GRANT INSERT ON feedback.audit_entries TO harken_feedback")
    await caller.items.DeleteItems(request)
    assert not (await caller.items.GetItems(reading)).items


async def test_calls_at_once_make_one_chain(acting_as: As, audited: Audited, logs: Logs) -> None:
    feedback, _ = logs
    caller = acting_as(BACKEND)
    calls = [
        caller.items.DeleteItems(catalog_service_pb2.DeleteItemsRequest(item_ids=[f"x{n}"]))
        for n in range(30)
    ]
    await asyncio.gather(*calls)
    found = await feedback.more()
    begun = {one["call"]: one["resources"] for one in found if one["phase"] == "begun"}
    assert sorted(begun.values()) == sorted([f"x{n}"] for n in range(30))
    assert {one["call"] for one in found if one["phase"] == "ended"} == set(begun)
    reached, fault = await check(audited.dsns, "feedback", [await head(audited.dsns, "feedback")])
    assert fault is None
    assert reached.sequence >= 60


async def test_keys_that_come_and_go_are_written_down(audited: Audited, logs: Logs) -> None:
    feedback, _ = logs
    one, _shown = create_key("backend/default", 1.0, "", 1_700_000_000.0)
    file = audited.tls / "feedback" / "keys.json"
    found: list[Any] = []

    async def noted(count: int) -> bool:
        found.extend(entry for entry in await feedback.more() if entry["phase"] == "noted")
        return len(found) >= count

    write_keys(file, [one])
    await until(lambda: noted(1), "the new key")
    write_keys(file, revoked([one], one.key_id, 1_700_000_001.0))
    await until(lambda: noted(2), "the revocation")
    assert [entry["resources"] for entry in found] == [
        [f"created key:{one.key_id} backend/default"],
        [f"revoked key:{one.key_id} backend/default"],
    ]
    assert one.sha256 not in str(found)
    assert found[0]["request_sha256"] != found[1]["request_sha256"]


CHANGES = {
    "a change": "UPDATE {log} SET entry = replace(entry, 'rpc', 'RPC') WHERE sequence = 5",
    "a row less": "DELETE FROM {log} WHERE sequence = 5",
    "a row more": "UPDATE {log} SET sequence = -sequence WHERE sequence >= 5;"
    "UPDATE {log} SET sequence = 1 - sequence WHERE sequence < 0;"
    "INSERT INTO {log} SELECT 5, at_us, entry, hash FROM {log} WHERE sequence = 4",
    "two rows changed about": "UPDATE {log} SET sequence = -5 WHERE sequence = 5;"
    "UPDATE {log} SET sequence = 5 WHERE sequence = 6;"
    "UPDATE {log} SET sequence = 6 WHERE sequence = -5",
    "another time": "UPDATE {log} SET at_us = at_us - 60000000 WHERE sequence = 5",
    "the end cut off": "DELETE FROM {log} WHERE sequence >= 5",
}


@pytest.mark.parametrize("what", CHANGES)
async def test_what_a_superuser_changes_is_found(
    what: str, acting_as: As, audited: Audited, admin: asyncpg.Connection
) -> None:
    for n in range(4):
        request = catalog_service_pb2.DeleteItemsRequest(item_ids=[f"y{n}"])
        await acting_as(BACKEND).items.DeleteItems(request)
    log, before = "feedback.audit_entries", await head(audited.dsns, "feedback")
    await admin.execute(f"CREATE TEMP TABLE kept AS TABLE {log}")
    await admin.execute(f"ALTER TABLE {log} DISABLE TRIGGER USER")
    try:
        await admin.execute(CHANGES[what].format(log=log))
        reached, fault = await check(audited.dsns, "feedback", [before])
        assert fault is not None
        assert (fault.sequence, reached.sequence) == (5, 4)
    finally:
        await admin.execute(f"DELETE FROM {log}; INSERT INTO {log} TABLE kept")
        await admin.execute(f"ALTER TABLE {log} ENABLE TRIGGER USER")
    assert (await check(audited.dsns, "feedback", [before]))[1] is None


@pytest.mark.parametrize("change", ["UPDATE {} SET entry = ''", "DELETE FROM {}", "TRUNCATE {}"])
@pytest.mark.parametrize("schema", ["feedback", "profile"])
async def test_rows_are_appended_and_nothing_else(
    schema: str, change: str, audited: Audited, admin: asyncpg.Connection
) -> None:
    """The role has no right to, and the trigger stops even a superuser."""
    dsn = audited.dsns.feedback if schema == "feedback" else audited.dsns.profile
    own = await asyncpg.connect(dsn)
    try:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await own.execute(change.format(f"{schema}.audit_entries"))
    finally:
        await own.close()
    with pytest.raises(asyncpg.RaiseError, match="do not change"):
        await admin.execute(change.format(f"{schema}.audit_entries"))


async def test_the_command_says_what_is_wrong_by_its_exit_code(
    audited: Audited, acting_as: As, admin: asyncpg.Connection, tmp_path: Path
) -> None:
    options = ("--feedback-dsn", audited.dsns.feedback, "--profile-dsn", audited.dsns.profile)
    request = surface_service_pb2.PutSurfaceRequest(
        surface=surface_pb2.Surface(name="shown", config=surface_pb2.SurfaceConfig())
    )
    await acting_as(MERCHANDISER).surfaces.PutSurface(request)
    shown = await harken("audit", "head", *options, folder=tmp_path)
    heads = [word for line in shown.output.split() for word in ("--head", line)]
    assert len(heads) == 4
    listed = await harken("audit", "list", "--last", "3", *options, folder=tmp_path)
    assert "PutSurface" in listed.output
    right = await harken("audit", "verify", *heads, *options, folder=tmp_path)
    assert right.code == 0, right.output + right.errors
    last = await admin.fetchval("SELECT max(sequence) FROM feedback.audit_entries")
    row = await admin.fetchrow(f"SELECT * FROM feedback.audit_entries WHERE sequence = {last}")
    assert row is not None
    await admin.execute("ALTER TABLE feedback.audit_entries DISABLE TRIGGER USER")
    try:
        await admin.execute(f"DELETE FROM feedback.audit_entries WHERE sequence = {last}")
        wrong = await harken("audit", "verify", *heads, *options, folder=tmp_path)
    finally:
        await admin.execute("INSERT INTO feedback.audit_entries VALUES ($1, $2, $3, $4)", *row)
        await admin.execute("ALTER TABLE feedback.audit_entries ENABLE TRIGGER USER")
    assert wrong.code == 1
    assert f"feedback:{last}" in wrong.output
