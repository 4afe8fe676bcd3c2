"""FindSimilarUsers: exact, of one generation, and never who nobody knows."""

import asyncio
from itertools import islice

import asyncpg
import grpc
import numpy as np
import pytest

from harken.common.v1.subject_pb2 import Subject
from harken.profile.v1 import profile_service_pb2 as pb
from tests.faults import fault_of, violations_of
from tests.profile.script import Happening, Script, user
from tests.profile.scripted_feedback import ScriptedFeedback
from tests.profile.service_under_test import LocalService
from tests.profile.test_vectors import learned_to


async def similar(
    service: LocalService, name: str, count: int = 0, tenant: str = ""
) -> pb.FindSimilarUsersResponse:
    request = pb.FindSimilarUsersRequest(tenant=tenant, subject=user(name), count=count)
    answer: pb.FindSimilarUsersResponse = await service.stub.FindSimilarUsers(request)
    return answer


async def test_the_nearest_of_thousands_are_found(
    service: LocalService, feedback: ScriptedFeedback, script: Script, admin: asyncpg.Connection
) -> None:
    """More than are read at once; the oracle sorts all of them."""
    rng = np.random.default_rng(1)
    rows = rng.standard_normal((5000, 8)).astype("<f2")
    names = [f"u{n}" for n in range(len(rows))]
    feedback.publish(script.events([Happening("u0", "a")]))
    await service.get("u0", script.position)
    feedback.learn(script.learned({"u0": rows[0].tolist()}))
    await learned_to(service, "u0", 1)
    for table, column, values in (
        ("histories", "types, tail", "(SELECT types FROM one), (SELECT tail FROM one)"),
        ("learned_vectors", "generation_id, vector", "'g1', k.vector"),
    ):
        await admin.execute(
            "WITH one AS (SELECT types, tail FROM profile.histories LIMIT 1)"
            f" INSERT INTO profile.{table} (tenant, user_key, {column})"
            f" SELECT 'default', k.key, {values} FROM unnest($1::bytea[], $2::bytea[])"
            " AS k (key, vector)",
            [f"u:{name}".encode() for name in names[1:]],
            [row.tobytes() for row in rows[1:]],
        )
    answer = await similar(service, "u0", 100)
    wide = rows.astype(float)
    cosines = wide @ wide[0] / np.linalg.norm(wide, axis=1) / np.linalg.norm(wide[0])
    expected = np.argsort(-cosines)[1:101]
    assert [one.subject.user_id for one in answer.users] == [names[n] for n in expected]
    assert [one.similarity for one in answer.users] == pytest.approx(cosines[expected])
    assert (answer.compared, answer.generation_id) == (4999, "g1")


async def test_vectors_are_those_that_profiles_answer(
    service: LocalService, feedback: ScriptedFeedback, script: Script
) -> None:
    """Truths 10 and 15: of one generation and tenant; set ones go first; nobody without history."""
    happenings = [Happening(name, "a") for name in ("ann", "bob", "carl", "old", "set")]
    feedback.publish(script.events([*happenings, Happening("ann", "a", tenant="other")]))
    feedback.learn(
        script.learned({"old": [1, 0]}, generation="g0"),
        script.learned({"ann": [1, 0], "bob": [1, 1], "carl": [0, 0], "set": [1, 0],
                        "stranger": [1, 0]}),
        script.learned({"ann": [1, 0]}, tenant="other"),
    )  # fmt: skip
    await learned_to(service, "ann", script.sequence)
    feedback.publish(
        script.put("set", [-1, 0]), script.put("new", [2, 0.1]), script.put("odd", [1, 0, 0]),
    )  # fmt: skip
    await service.get("ann", script.position)
    answer = await similar(service, "ann")
    assert [one.subject.user_id for one in answer.users] == ["new", "bob", "set"]
    assert [one.similarity for one in answer.users] == pytest.approx([0.99875, 0.7071, -1], 1e-4)
    assert answer.compared == 3
    assert [one.subject.user_id for one in (await similar(service, "new", 1)).users] == ["ann"]
    old = await similar(service, "old")
    assert (list(old.users), old.generation_id, old.compared) == ([], "g0", 0)
    # Nothing is near to a vector without length.
    assert not (await similar(service, "carl")).users
    assert not (await similar(service, "ann", tenant="other")).users


async def test_who_is_not_known_is_not_found_and_who_has_no_vector_has_nobody(
    service: LocalService, feedback: ScriptedFeedback, script: Script
) -> None:
    feedback.publish(script.events([Happening("ann", "a")]))
    await service.get("ann", script.position)
    for tenant, name in (("", "nobody"), ("none", "ann")):
        failure = await fault_of(similar(service, name, tenant=tenant))
        assert failure.code() is grpc.StatusCode.NOT_FOUND
    assert await similar(service, "ann") == pb.FindSimilarUsersResponse()


async def test_what_is_wrong_with_a_request_is_named(service: LocalService) -> None:
    request = pb.FindSimilarUsersRequest(tenant="A", subject=Subject(user_id=""), count=101)
    wrong = await violations_of(service.stub.FindSimilarUsers(request))
    assert [field for field, _ in wrong] == ["tenant", "subject", "count"]


async def test_more_calls_than_may_wait_are_told_to_come_again(
    service: LocalService, feedback: ScriptedFeedback, script: Script, admin: asyncpg.Connection
) -> None:
    """Truth 13. The first one stands at a lock of ours."""
    feedback.publish(script.put("ann", [1, 0]))
    await service.get("ann", script.position)
    async with admin.transaction():
        await admin.execute("LOCK TABLE profile.set_vectors IN ACCESS EXCLUSIVE MODE")
        calls = [asyncio.ensure_future(similar(service, "ann")) for _ in range(12)]
        for first in islice(asyncio.as_completed(calls), 8):
            failure = await fault_of(first)
            assert failure.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    answers = await asyncio.gather(*calls, return_exceptions=True)
    assert sum(isinstance(one, pb.FindSimilarUsersResponse) for one in answers) == 4
