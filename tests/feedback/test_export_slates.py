"""ExportSlates: every logged slate once, with what came of it."""

from collections.abc import Sequence
from typing import Any

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration

from harken.feedback.v1 import event_pb2, exported_slate_pb2, feedback_service_pb2
from harken.internal.slates.v1 import slate_service_pb2
from tests.feedback.conftest import Client, event
from tests.feedback.test_record_slates import decision, exposures, slate

Exported = exported_slate_pb2.ExportedSlate


async def exported(client: Client, **fields: Any) -> list[Exported]:
    request = feedback_service_pb2.ExportSlatesRequest(**fields)
    return [one async for page in client.feedback.ExportSlates(request) for one in page.slates]


async def show(client: Client, tenant: str, *slates: slate_service_pb2.ServedSlate) -> None:
    request = slate_service_pb2.RecordSlatesRequest(tenant=tenant, slates=slates)
    answer = await client.slates.RecordSlates(request)
    accepted = slate_service_pb2.SLATE_OUTCOME_ACCEPTED
    assert [one.outcome for one in answer.results] == [accepted] * len(slates)


async def act(client: Client, tenant: str, events: Sequence[event_pb2.Event]) -> None:
    request = feedback_service_pb2.RecordEventsRequest(tenant=tenant, events=events)
    answer = await client.feedback.RecordEvents(request)
    assert {one.outcome for one in answer.results} == {event_pb2.EVENT_OUTCOME_ACCEPTED}


async def test_a_slate_comes_as_it_was_logged(client: Client) -> None:
    await client.upsert(20, "whole")
    sent = slate(
        "s", surface="home", policy="plackett-luce", seed=2**64 - 1, generation_id="bootstrap-16",
        decision=decision(drawn=[b"\0\x3c" * 9]), exposures=exposures(2),
        propensities=b"\0\0\x80\x3e" * 3,
    )  # fmt: skip
    await show(client, "whole", sent)
    (one,) = await exported(client, tenant="whole")
    assert (one.slate_id, one.subject, one.surface) == ("s", sent.subject, "home")
    assert (one.policy, one.seed, one.generation_id) == (
        "plackett-luce", 2**64 - 1, "bootstrap-16",
    )  # fmt: skip
    assert one.serve_time.ToMicroseconds() == sent.serve_time.ToMicroseconds()
    assert [(i.item_id, i.propensity, list(i.predicted)) for i in one.items] == [
        (f"i{n}", 0.25, [0.5]) for n in range(3)
    ]
    # The bootstrap generation's, of the preset that the service has by default.
    assert list(one.outcome_names) == ["click", "purchase", "hide"]
    assert one.decision.surface_revision == 7
    assert one.decision.exploration.plackett_luce_temperature == 0.5
    assert list(one.decision.candidate_ids) == [f"i{n}" for n in range(9)]
    assert list(one.decision.utilities)[:2] == [1.0, 0.875]
    assert list(one.decision.predicted) == [0.5] * 18
    assert list(one.decision.barred) == [b"\0\0", b"\1\0", b"\3\0"]
    assert list(one.decision.drawn) == [b"\0\x3c" * 9]
    assert [(e.experiment, e.variant, e.revision, e.layer) for e in one.exposures] == [
        ("e0", "a", 3, "l"), ("e1", "a", 3, "l"),
    ]  # fmt: skip
    assert not one.window_over
    assert not one.outcomes


async def test_outcomes_are_of_the_user_and_the_items_of_the_slate(client: Client) -> None:
    await client.upsert(20, "joined")
    early = event("early", item="i2", kind="click", slate_id="a")
    await act(client, "joined", [early])
    await show(client, "joined", slate("a"), slate("b"))
    timed = event("timed", item="i0", kind="purchase", slate_id="a", value=2.5)
    timed.event_time.FromMicroseconds(
        (await exported(client, tenant="joined"))[0].serve_time.ToMicroseconds() + 1_500_000
    )
    await act(client, "joined", [
        timed,
        event("gone", item="i1", slate_id="a"),
        event("stranger", user="v", item="i1", slate_id="a"),
        event("elsewhere", item="i9", slate_id="a"),
        event("nameless", item="i1"),
        event("unknown", item="i1", slate_id="c"),
        event("other", item="i1", slate_id="b"),
    ])  # fmt: skip
    taken_back = feedback_service_pb2.RetractEventsRequest(tenant="joined", event_ids=["gone"])
    await client.feedback.RetractEvents(taken_back)
    # Sent again it is in the log twice, and is one slate.
    await show(client, "joined", slate("a"))
    a, b = await exported(client, tenant="joined")
    assert [(o.item_id, o.place, o.type, o.HasField("value"), o.value) for o in a.outcomes] == [
        ("i2", 3, "click", False, 0.0), ("i0", 1, "purchase", True, 2.5),
    ]  # fmt: skip
    assert a.outcomes[1].delay.ToMicroseconds() == 1_500_000
    assert -60 < a.outcomes[0].delay.ToTimedelta().total_seconds() < 0.5
    assert [(o.item_id, o.place, o.type) for o in b.outcomes] == [("i1", 2, "view")]
    with_end = await exported(client, tenant="joined", window=Duration(seconds=1))
    assert [one.slate_id for one in with_end] == ["a", "b"]


async def test_whoever_resumes_after_a_page_misses_nothing_and_gets_nothing_twice(
    client: Client,
) -> None:
    await client.upsert(20, "paged")
    for number in range(7):
        await show(client, "paged", slate(f"s{number}"), slate(f"s{max(number - 1, 0)}"))
        await act(client, "paged", [event(f"e{number}", item="i1", slate_id=f"s{number}")])
    whole = await exported(client, tenant="paged")
    assert [one.slate_id for one in whole] == [f"s{number}" for number in range(7)]
    assert all(len(one.outcomes) == 1 for one in whole)
    found: list[Exported] = []
    position = b""
    for _ in range(20):
        request = feedback_service_pb2.ExportSlatesRequest(
            tenant="paged", page_size=2, after_position=position
        )
        call = client.feedback.ExportSlates(request)
        page = await call.read()
        call.cancel()
        assert len(page.slates) <= 2
        found += page.slates
        if page.position == position:
            break
        position = page.position
    assert found == whole
    # Up to a position: what came of these slates after it is theirs all the same.
    request = feedback_service_pb2.ExportSlatesRequest(tenant="paged", page_size=3)
    first = await client.feedback.ExportSlates(request).read()
    until = await exported(client, tenant="paged", until_position=first.position)
    assert until == whole[: len(until)]
    assert until == list(first.slates)


async def test_slates_of_one_surface_and_tenant(client: Client) -> None:
    for tenant in ("mine", "yours"):
        await client.upsert(20, tenant)
        await show(client, tenant, slate(f"{tenant}-home", surface="home"), slate(f"{tenant}-none"))
    assert [one.slate_id for one in await exported(client, tenant="mine", surface="home")] == [
        "mine-home"
    ]
    assert [one.slate_id for one in await exported(client, tenant="mine", surface="")] == [
        "mine-none"
    ]


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"window": Duration(nanos=999_999_999)}, "window"),
        ({"window": Duration(seconds=30 * 86_400 + 1)}, "window"),
        ({"window": Duration(seconds=2**62)}, "window"),
        ({"page_size": 1001}, "page_size"),
        ({"after_position": b"mine"}, "after_position"),
        ({"until_position": b"mine"}, "until_position"),
    ],
)
async def test_the_request_is_bounded(client: Client, fields: dict[str, Any], field: str) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await exported(client, **fields)
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert field in (caught.value.details() or "")


async def test_an_unknown_tenant_is_not_found(client: Client) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await exported(client, tenant="nobody")
    assert caught.value.code() is grpc.StatusCode.NOT_FOUND
