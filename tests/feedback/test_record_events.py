"""RecordEvents: outcomes of events, faults of the envelope, exactly once (truths 1 and 2)."""

import asyncio
import math
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import asyncpg
import grpc
import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from harken.common.v1 import subject_pb2
from harken.feedback.v1 import event_pb2 as pb
from harken.feedback.v1 import feedback_service_pb2
from harken.internal.log.v1 import entry_pb2
from services.common.position import decode_position
from tests.faults import fault_of, fields_of, reason_of
from tests.feedback.conftest import Client, event, row_of


async def record(client: Client, *events: pb.Event, tenant: str = "") -> list[pb.EventResult]:
    request = feedback_service_pb2.RecordEventsRequest(tenant=tenant, events=events)
    return list((await client.feedback.RecordEvents(request)).results)


def at(seconds_from_now: float) -> dict[str, Any]:
    probe = pb.Event()
    probe.event_time.FromMicroseconds(int((time.time() + seconds_from_now) * 1e6))
    return {"event_time": probe.event_time}


BAD = {
    "no id": (event(""), pb.EVENT_REASON_MISSING_EVENT_ID),
    "no subject": (
        pb.Event(event_id="x", item_id="i0", type="view"),
        pb.EVENT_REASON_MISSING_SUBJECT,
    ),
    "empty user": (
        pb.Event(event_id="x", subject=subject_pb2.Subject(user_id=""), item_id="i0", type="view"),
        pb.EVENT_REASON_INVALID_ID,
    ),
    "no item": (event("x", item=""), pb.EVENT_REASON_MISSING_ITEM),
    "no type": (event("x", kind=""), pb.EVENT_REASON_MISSING_TYPE),
    "long id": (event("x" * 129), pb.EVENT_REASON_INVALID_ID),
    "control character": (event("x", user="a\x00b"), pb.EVENT_REASON_INVALID_ID),
    "year 0": (
        event("x", event_time=Timestamp(seconds=-62135596801)),
        pb.EVENT_REASON_INVALID_TIME,
    ),
    "negative nanos": (
        event("x", event_time=Timestamp(seconds=-62135596800, nanos=-1000)),
        pb.EVENT_REASON_INVALID_TIME,
    ),
    "large context": (
        event("x", context={str(n): "" for n in range(17)}),
        pb.EVENT_REASON_CONTEXT_TOO_LARGE,
    ),
}
DOUBTFUL: dict[str, tuple[Callable[[], pb.Event], pb.EventReason]] = {
    "unknown item": (lambda: event("q1", item="nowhere"), pb.EVENT_REASON_UNKNOWN_ITEM),
    "unknown type": (lambda: event("q2", kind="teleport"), pb.EVENT_REASON_UNKNOWN_TYPE),
    "nan": (lambda: event("q3", value=math.nan), pb.EVENT_REASON_VALUE_OUT_OF_RANGE),
    "negative price": (
        lambda: event("q4", kind="purchase", value=-1),
        pb.EVENT_REASON_VALUE_OUT_OF_RANGE,
    ),
    "no rating": (lambda: event("q5", kind="rating"), pb.EVENT_REASON_MISSING_VALUE),
    "future": (lambda: event("q6", **at(3600)), pb.EVENT_REASON_TIME_IN_FUTURE),
    "past": (lambda: event("q7", **at(-8 * 86400)), pb.EVENT_REASON_TIME_TOO_OLD),
}


@pytest.mark.parametrize("name", BAD)
async def test_a_malformed_event_is_rejected_and_the_rest_is_kept(
    client: Client, name: str
) -> None:
    bad, reason = BAD[name]
    first, second, third = await record(
        client, event(f"{name}-before"), bad, event(f"{name}-after")
    )
    assert (first.outcome, third.outcome) == (pb.EVENT_OUTCOME_ACCEPTED,) * 2
    assert (second.outcome, second.reason) == (pb.EVENT_OUTCOME_REJECTED, reason)
    assert second.ordinal == 1
    assert second.detail
    assert not second.position


@pytest.mark.parametrize("name", DOUBTFUL)
async def test_a_doubtful_event_is_quarantined_with_its_reason(
    client: Client, module_admin: asyncpg.Connection, name: str
) -> None:
    make, reason = DOUBTFUL[name]
    doubtful = make()
    fine, result = await record(client, event(f"{name}-fine"), doubtful)
    assert fine.outcome == pb.EVENT_OUTCOME_ACCEPTED
    assert (result.outcome, result.reason) == (pb.EVENT_OUTCOME_QUARANTINED, reason)
    assert result.detail
    assert not result.position
    row = await row_of(
        module_admin,
        "SELECT reason, entry FROM feedback.quarantine WHERE event_id = $1",
        doubtful.event_id,
    )
    kept = entry_pb2.Entry.FromString(row["entry"]).event
    assert row["reason"] == reason
    assert (kept.item_id, kept.type) == (doubtful.item_id, doubtful.type)
    logged = await module_admin.fetchval(
        "SELECT count(*) FROM feedback.event_ids WHERE event_id = $1", doubtful.event_id
    )
    assert logged == 0


async def test_history_may_be_old_but_not_from_the_future(client: Client) -> None:
    async def chunks() -> AsyncIterator[feedback_service_pb2.ImportEventsRequest]:
        for number in range(2):
            yield feedback_service_pb2.ImportEventsRequest(
                events=[
                    event(f"old-{number}", **at(-900 * 86400)),
                    event(f"new-{number}", **at(3600)),
                ]
            )

    answers = [answer async for answer in client.feedback.ImportEvents(chunks())]
    assert [(a.chunk, a.accepted, a.duplicates) for a in answers] == [(0, 1, 0), (1, 1, 0)]
    assert [a.faults[0].reason for a in answers] == [pb.EVENT_REASON_TIME_IN_FUTURE] * 2
    assert [a.faults[0].ordinal for a in answers] == [1, 1]


async def test_the_same_event_again_is_a_duplicate_at_the_same_position(client: Client) -> None:
    """Truth 2."""
    once = event("twice", item="i1", value=3.0, context={"a": "1", "b": "2"})
    (first,) = await record(client, once)
    (second,) = await record(client, once)
    assert first.outcome == pb.EVENT_OUTCOME_ACCEPTED
    assert second.outcome == pb.EVENT_OUTCOME_DUPLICATE
    assert second.position == first.position


async def test_the_same_id_with_another_payload_is_rejected(client: Client) -> None:
    """Truth 2, also within one request."""
    await record(client, event("reused", item="i1"))
    (other,) = await record(client, event("reused", item="i2"))
    assert (other.outcome, other.reason) == (
        pb.EVENT_OUTCOME_REJECTED,
        pb.EVENT_REASON_EVENT_ID_REUSED,
    )
    accepted, same, different = await record(
        client, event("pair", item="i1"), event("pair", item="i1"), event("pair", item="i2")
    )
    assert accepted.outcome == pb.EVENT_OUTCOME_ACCEPTED
    assert same.outcome == pb.EVENT_OUTCOME_DUPLICATE
    assert same.position == accepted.position
    assert different.reason == pb.EVENT_REASON_EVENT_ID_REUSED


async def exported(client: Client, event_id: str) -> feedback_service_pb2.ExportedEvent:
    pages = client.feedback.ExportEvents(feedback_service_pb2.ExportEventsRequest())
    found: list[feedback_service_pb2.ExportedEvent] = [
        one async for page in pages for one in page.events if one.event_id == event_id
    ]
    assert len(found) == 1
    return found[0]


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"kind": "rating", "value": -0.0, "slate_id": "s-1"},
        {"value": 5e-324, "context": {"b": "2", "a": "1", "": "ø\n"}},
    ],
)
async def test_an_event_without_a_time_is_the_same_with_the_time_of_its_acceptance(
    client: Client, fields: dict[str, Any]
) -> None:
    """Truth 2, for who records again what ExportEvents said."""
    name = f"timeless-{len(fields)}"
    (first,) = await record(client, event(name, user="session:ann ", **fields))
    seen = await exported(client, name)
    assert not seen.event_time_given
    assert seen.event_time == seen.accept_time

    again = event(name, user="session:ann ", **fields)
    again.event_time.FromMicroseconds(seen.event_time.ToMicroseconds())
    fine, twice = await record(client, again, again)
    assert fine.outcome == twice.outcome == pb.EVENT_OUTCOME_DUPLICATE
    assert fine.position == first.position

    others = [pb.Event() for _ in range(3)]
    for other in others:
        other.CopyFrom(again)
    others[0].event_time.FromMicroseconds(seen.event_time.ToMicroseconds() + 1)
    others[1].slate_id = "another"
    others[2].subject.session_id = "session:ann "
    for result in await record(client, *others):
        assert result.reason == pb.EVENT_REASON_EVENT_ID_REUSED


async def test_an_event_with_a_time_is_another_one_without_it(client: Client) -> None:
    """Truth 2."""
    timed = event("timed", **at(-60))
    await record(client, timed)
    seen = await exported(client, "timed")
    assert seen.event_time_given
    assert seen.event_time.ToMicroseconds() == timed.event_time.ToMicroseconds()
    accepted = event("timed")
    accepted.event_time.FromMicroseconds(seen.accept_time.ToMicroseconds())
    without, later = await record(client, event("timed"), accepted)
    assert without.reason == later.reason == pb.EVENT_REASON_EVENT_ID_REUSED


async def test_a_quarantined_event_is_accepted_once_its_item_exists(
    client: Client, module_admin: asyncpg.Connection
) -> None:
    late = event("late", item="late0")
    (before,) = await record(client, late)
    assert before.outcome == pb.EVENT_OUTCOME_QUARANTINED
    await client.upsert(1, prefix="late")
    (after,) = await record(client, late)
    assert after.outcome == pb.EVENT_OUTCOME_ACCEPTED
    left = await module_admin.fetchval(
        "SELECT count(*) FROM feedback.quarantine WHERE event_id = 'late'"
    )
    assert left == 0


async def test_concurrent_calls_with_one_id_are_accepted_once(client: Client) -> None:
    """Truth 2, under a race."""
    results = await asyncio.gather(*(record(client, event("race", item="i3")) for _ in range(40)))
    outcomes = [result[0].outcome for result in results]
    assert outcomes.count(pb.EVENT_OUTCOME_ACCEPTED) == 1
    assert outcomes.count(pb.EVENT_OUTCOME_DUPLICATE) == 39
    assert len({result[0].position for result in results}) == 1


async def test_what_was_acknowledged_is_in_the_log_as_it_was_sent(
    client: Client, module_admin: asyncpg.Connection
) -> None:
    """Truth 1."""
    sent = event(
        "whole", user="ürsula", item="i5", kind="rating", value=4.5, slate_id="s-1",
        context={"device": "tv"}, **at(-60),
    )  # fmt: skip
    (result,) = await record(client, sent)
    row = await row_of(
        module_admin,
        "SELECT entry, user_key, tenant FROM feedback.log WHERE sequence = $1",
        decode_position(result.position).sequence,
    )
    kept = entry_pb2.Entry.FromString(row["entry"]).event
    assert row["user_key"] == kept.user_key == "u:ürsula".encode()
    assert row["tenant"] == "default"
    assert (kept.event_id, kept.item_id, kept.type, kept.value) == ("whole", "i5", "rating", 4.5)
    assert (kept.slate_id, dict(kept.context)) == ("s-1", {"device": "tv"})
    assert kept.event_time_us == sent.event_time.ToMicroseconds()


@pytest.mark.parametrize(
    ("request_fields", "wrong"),
    [
        ({"events": []}, {"events"}),
        ({"events": [event(str(n)) for n in range(1001)]}, {"events"}),
        ({"tenant": "No Such!", "events": []}, {"tenant", "events"}),
    ],
)
async def test_faults_of_the_envelope_name_every_field(
    client: Client, request_fields: dict[str, Any], wrong: set[str]
) -> None:
    request = feedback_service_pb2.RecordEventsRequest(**request_fields)
    error = await fault_of(client.feedback.RecordEvents(request))
    assert error.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert fields_of(error) == wrong


async def test_a_tenant_without_catalogue_is_not_found(client: Client) -> None:
    error = await fault_of(record(client, event("x"), tenant="nobody"))
    assert error.code() == grpc.StatusCode.NOT_FOUND
    assert reason_of(error) == "UNKNOWN_TENANT"
