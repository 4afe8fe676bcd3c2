"""Attributes reach the log, each revision once."""

import asyncio
import functools
import itertools
from pathlib import Path

import asyncpg
from google.protobuf.struct_pb2 import Struct

from harken.profile.v1 import profile_pb2
from harken.profile.v1 import profile_service_pb2 as pb
from tests.profile.conftest import StartService
from tests.profile.script import user
from tests.profile.scripted_feedback import ScriptedFeedback
from tests.profile.service_under_test import Client, LocalService, ServiceProcess
from tests.waiting import until


async def _set(service: Client, name: str, number: int, tenant: str = "default") -> int:
    attributes = Struct()
    attributes.update({"n": number})
    profile = profile_pb2.Profile(subject=user(name), attributes=attributes)
    request = pb.UpdateProfileRequest(tenant=tenant, profile=profile)
    answer = await service.stub.UpdateProfile(request)
    return int(answer.profile.etag, 16)


def _told(feedback: ScriptedFeedback, tenant: str = "default") -> list[tuple[bytes, int, float]]:
    return [
        (key, revision, attributes["n"])
        for (owner, key, revision), attributes in feedback.facts
        if owner == tenant
    ]


def _told_last(feedback: ScriptedFeedback, fact: tuple[bytes, int, float]) -> bool:
    return _told(feedback)[-1:] == [fact]


async def test_told_at_once(service: LocalService, feedback: ScriptedFeedback) -> None:
    """Woken by the update: ten round trips take less than ten polls of a second."""
    async with asyncio.timeout(5):
        for number in range(10):
            revision = await _set(service, "ann", number)
            expected = (b"u:ann", revision, float(number))
            await until(functools.partial(_told_last, feedback, expected), "the fact")


async def test_each_revision_once_across_an_outage(
    service: LocalService, feedback: ScriptedFeedback
) -> None:
    expected = [(b"u:ann", await _set(service, "ann", n), float(n)) for n in range(5)]
    await until(lambda: len(_told(feedback)) == 5, "the facts of before")
    await feedback.stop()
    for number in range(5, 155):
        name = f"user-{number % 7}"
        key = f"u:{name}".encode()
        expected.append((key, await _set(service, name, number), float(number)))
    await service.wait_for_metric("harken_profile_outbox_rows", 150)
    assert await service.metric("harken_profile_outbox_oldest_seconds") > 0
    # What was taken and not answered is sent again, and recognised by its revision.
    feedback.lose_answers = 2
    await feedback.start()
    await until(lambda: len(_told(feedback)) == len(expected), "the facts of the outage")
    assert _told(feedback) == expected
    await service.wait_for_metric("harken_profile_outbox_rows", 0)


async def test_large_facts_fit_into_messages(
    service: LocalService, feedback: ScriptedFeedback
) -> None:
    """A hundred of 60 KB are 6 MB, and a message holds 4 MiB."""
    await feedback.stop()
    attributes = Struct()
    attributes.update({"n": 1, "text": "t" * 60_000})
    for number in range(100):
        profile = profile_pb2.Profile(subject=user(f"user-{number}"), attributes=attributes)
        await service.stub.UpdateProfile(pb.UpdateProfileRequest(profile=profile))
    await feedback.start()
    await until(lambda: len(_told(feedback)) == 100, "the facts")
    assert [key for key, _, _ in _told(feedback)] == [f"u:user-{n}".encode() for n in range(100)]
    await service.wait_for_metric("harken_profile_outbox_rows", 0)


async def test_facts_that_are_refused_hold_up_nobody(
    service: LocalService, feedback: ScriptedFeedback
) -> None:
    feedback.refused_keys = {f"u:bad-{n}".encode() for n in range(30)}
    for number in range(30):
        await _set(service, f"bad-{number}", number)
        await _set(service, f"good-{number}", number)
    await until(lambda: len(_told(feedback)) == 30, "the facts of others")
    assert {key[:7] for key, _, _ in _told(feedback)} == {b"u:good-"}
    # They wait, and are seen to wait.
    await service.wait_for_metric("harken_profile_outbox_rows", 30)
    assert await service.metric("harken_profile_outbox_refused_total") == 30


async def test_a_tenant_without_catalogue_keeps_its_rows_and_holds_up_nobody(
    service: LocalService, feedback: ScriptedFeedback
) -> None:
    feedback.unknown_tenants = {"a-new", "b-new"}
    waiting = await _set(service, "ann", 1, "a-new")
    await _set(service, "ann", 1, "b-new")
    for number in range(3):
        await _set(service, "ann", number, "known")
    await until(lambda: len(_told(feedback, "known")) == 3, "the facts of another tenant")
    calls = feedback.fact_calls
    await until(lambda: feedback.fact_calls > calls, "another try")
    assert not _told(feedback, "a-new")
    feedback.unknown_tenants = {"b-new"}
    await until(lambda: _told(feedback, "a-new") == [(b"u:ann", waiting, 1.0)], "the fact")
    assert not _told(feedback, "b-new")


async def test_kill_and_restart_tell_all_the_same(
    tmp_path: Path, dsn: str, feedback: ScriptedFeedback
) -> None:
    """Truth 1, of facts: an acknowledged update is told, whatever dies."""
    await feedback.stop()
    process = await ServiceProcess.start(tmp_path, dsn, feedback.target)
    expected = [(b"u:ann", await _set(process, "ann", n), float(n)) for n in range(20)]
    await process.kill()
    await feedback.start()
    process = await ServiceProcess.start(tmp_path, dsn, feedback.target)
    await until(lambda: len(_told(feedback)) == 20, "the facts")
    assert _told(feedback) == expected
    assert await process.stop() == 0


async def test_two_relays_tell_everything_once(
    start_service: StartService, feedback: ScriptedFeedback, dsn: str
) -> None:
    services = [await start_service(), await start_service()]
    for number in range(40):
        await _set(services[number % 2], f"user-{number}", number)
    await until(lambda: len(_told(feedback)) == 40, "the facts")
    connection = await asyncpg.connect(dsn)
    try:
        count = "SELECT count(*) = 0 FROM profile.user_fact_outbox"
        await until(lambda: connection.fetchval(count), "an empty outbox")
    finally:
        await connection.close()
    assert sorted(number for _, _, number in _told(feedback)) == [float(n) for n in range(40)]


async def test_a_relay_that_is_shed_waits_as_told(
    service: LocalService, feedback: ScriptedFeedback
) -> None:
    feedback.shed, feedback.told_seconds = 2, 0.6
    revision = await _set(service, "ann", 1)
    await until(functools.partial(_told_last, feedback, (b"u:ann", revision, 1.0)), "the fact")
    pauses = [later - earlier for earlier, later in itertools.pairwise(feedback.fact_times)]
    assert len(pauses) == 2
    assert min(pauses) >= 0.6 * 0.99
