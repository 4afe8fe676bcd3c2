"""What attributes may be: put, read, and enforced where attributes are written."""

from collections.abc import Awaitable
from typing import Any

import grpc
import pytest

from harken.profile.v1 import profile_pb2
from harken.profile.v1 import profile_service_pb2 as pb
from harken.profile.v1.attribute_schema_pb2 import (
    ATTRIBUTE_TYPE_BOOL,
    ATTRIBUTE_TYPE_NUMBER,
    ATTRIBUTE_TYPE_STRING,
    ATTRIBUTE_TYPE_STRINGS,
    ATTRIBUTE_TYPE_TIME,
    AttributeDefinition,
    AttributeSchema,
)
from tests.faults import reason_of, violations_of
from tests.profile.script import user
from tests.profile.service_under_test import LocalService

DEFINED = (
    AttributeDefinition(name="country", type=ATTRIBUTE_TYPE_STRING, allowed_values=["DE", "NO"]),
    AttributeDefinition(name="age", type=ATTRIBUTE_TYPE_NUMBER, minimum=0, maximum=150),
    AttributeDefinition(name="member", type=ATTRIBUTE_TYPE_BOOL),
    AttributeDefinition(name="likes", type=ATTRIBUTE_TYPE_STRINGS, allowed_values=["a", "b"]),
    AttributeDefinition(name="since", type=ATTRIBUTE_TYPE_TIME),
)


async def put(
    service: LocalService, *definitions: AttributeDefinition, closed: bool = False, etag: str = ""
) -> AttributeSchema:
    schema = AttributeSchema(attributes=definitions, closed=closed, etag=etag)
    request = pb.PutAttributeSchemaRequest(schema=schema)
    return (await service.stub.PutAttributeSchema(request)).schema


def update(attributes: dict[str, Any], *paths: str, tenant: str = "") -> pb.UpdateProfileRequest:
    request = pb.UpdateProfileRequest(
        tenant=tenant, profile=profile_pb2.Profile(subject=user("ann"))
    )
    request.profile.attributes.update(attributes)
    request.update_mask.paths.extend(paths)
    return request


async def fields(call: Awaitable[Any]) -> set[str]:
    return set(dict(await violations_of(call)))


async def test_what_breaks_the_schema_is_refused_by_name(service: LocalService) -> None:
    write = service.stub.UpdateProfile
    assert not (await service.stub.GetAttributeSchema(pb.GetAttributeSchemaRequest())).schema.etag
    before = {"country": "XX", "age": "old", "other": 1}
    await write(update(before))
    stored = await put(service, *DEFINED)
    answer = await service.stub.GetAttributeSchema(pb.GetAttributeSchemaRequest())
    assert answer.schema == stored
    assert list(stored.attributes) == list(DEFINED)

    wrong = {
        "country": "FR", "age": 151, "member": "yes", "likes": ["a", "c"], "since": "2026-01-31",
        "other": [1],
    }  # fmt: skip
    named = {f"profile.attributes.{name}" for name in wrong if name != "other"}
    assert await fields(write(update(wrong))) == named
    for one in ({"age": -1}, {"age": True}, {"likes": "a"}, {"likes": [1]}, {"since": 5}):
        assert await fields(write(update(one))) == {f"profile.attributes.{next(iter(one))}"}
    # Only what is written must fit: what was there before stays.
    after = (await write(update({"age": 7, "country": "FR"}, "attributes.age"))).profile
    assert dict(after.attributes) == {**before, "age": 7}
    fine = {
        "country": "DE", "age": 150, "member": False, "likes": [], "since": "2026-01-31T12:00:00Z",
        "other": None,
    }  # fmt: skip
    await write(update({**fine, "age": None}))
    await write(update(fine))
    # Of another tenant nothing is said.
    await write(update(wrong, tenant="other"))

    await put(service, *DEFINED, closed=True)
    assert await fields(write(update({"other": 1}))) == {"profile.attributes.other"}
    # What is not defined may go.
    gone = (await write(update({}, "attributes.other"))).profile
    assert "other" not in gone.attributes.fields


async def test_of_two_who_read_the_same_schema_one_writes(service: LocalService) -> None:
    first = await put(service, *DEFINED)
    second = await put(service, *DEFINED[:1], etag=first.etag)
    for etag in (first.etag, "nonsense"):
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await put(service, etag=etag)
        assert reason_of(refused.value) == "ETAG_MISMATCH"
    answer = await service.stub.GetAttributeSchema(pb.GetAttributeSchemaRequest())
    assert answer.schema == second


async def test_a_wrong_schema_changes_nothing(service: LocalService) -> None:
    twice = AttributeDefinition(name="n", type=ATTRIBUTE_TYPE_BOOL)
    wrong = [
        AttributeDefinition(type=ATTRIBUTE_TYPE_BOOL),
        AttributeDefinition(name="a"),
        AttributeDefinition(name="b", type=ATTRIBUTE_TYPE_BOOL, allowed_values=["x"]),
        AttributeDefinition(name="c", type=ATTRIBUTE_TYPE_STRING, minimum=1),
        AttributeDefinition(name="d", type=ATTRIBUTE_TYPE_NUMBER, minimum=2, maximum=1),
        AttributeDefinition(name="e", type=ATTRIBUTE_TYPE_NUMBER, maximum=float("nan")),
        AttributeDefinition(name="f", type=ATTRIBUTE_TYPE_STRING, allowed_values=["x", "x"]),
        twice,
        twice,
    ]
    places = (
        "0].name", "1].type", "2].allowed_values", "3].minimum", "4].maximum", "5].maximum",
        "6].allowed_values", "8].name",
    )  # fmt: skip
    assert await fields(put(service, *wrong)) == {f"schema.attributes[{one}" for one in places}
    answer = await service.stub.GetAttributeSchema(pb.GetAttributeSchemaRequest())
    assert answer.schema == AttributeSchema()
