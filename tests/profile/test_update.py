"""UpdateProfile: masks, etags, limits; and the envelope of all RPCs."""

import asyncio
import math
import time
from collections.abc import Awaitable
from typing import Any

import grpc
import pytest
from google.protobuf import json_format
from google.protobuf.message import Message
from google.protobuf.struct_pb2 import Struct
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harken.common.v1.subject_pb2 import Subject
from harken.profile.v1 import profile_pb2
from harken.profile.v1 import profile_service_pb2 as pb
from services.common.position import Position
from services.profile.attributes import updated
from tests.faults import fault_of, reason_of, violations_of
from tests.profile.script import user
from tests.profile.service_under_test import LocalService


def _update(
    attributes: dict[str, Any], *paths: str, etag: str = "", name: str = "ann", tenant: str = ""
) -> pb.UpdateProfileRequest:
    request = pb.UpdateProfileRequest(
        tenant=tenant, profile=profile_pb2.Profile(subject=user(name), etag=etag)
    )
    request.profile.attributes.update(attributes)
    request.update_mask.paths.extend(paths)
    return request


def _plain(attributes: Struct) -> Any:
    return json_format.MessageToDict(attributes)


async def _violations(call: Awaitable[Any]) -> dict[str, str]:
    return dict(await violations_of(call))


async def test_masks(service: LocalService) -> None:
    update = service.stub.UpdateProfile
    first = (await update(_update({"country": "NO", "plan": {"name": "x", "seats": 3}}))).profile
    assert _plain(first.attributes) == {"country": "NO", "plan": {"name": "x", "seats": 3}}
    assert first.etag
    assert first.subject == user("ann")
    assert not first.HasField("state")
    assert not first.HasField("counters")

    one = (await update(_update({"country": "SE", "age": 7}, "attributes.country"))).profile
    assert _plain(one.attributes) == {"country": "SE", "plan": {"name": "x", "seats": 3}}
    assert one.etag != first.etag
    assert one.update_time.ToNanoseconds() > first.update_time.ToNanoseconds()

    removed = (await update(_update({"b.c": 1}, "attributes.plan", "attributes.b.c"))).profile
    assert _plain(removed.attributes) == {"country": "SE", "b.c": 1}

    all_of_them = (await update(_update({"x": None}, "attributes"))).profile
    assert _plain(all_of_them.attributes) == {"x": None}
    read = (await service.get("ann")).profile
    assert read.attributes == all_of_them.attributes
    assert read.etag == all_of_them.etag
    assert read.update_time == all_of_them.update_time

    same = (await update(_update({"x": None}))).profile
    assert same == all_of_them

    empty = (await update(_update({}, name="eve"))).profile
    assert empty.etag
    assert (await service.get("eve")).profile.etag == empty.etag


def test_a_path_named_a_thousand_times_is_written_once() -> None:
    """Truth 13: each copy would stay in memory, 600 MiB of them for one request of 80 KiB."""
    given = Struct()
    given.update({"x": [None] * 15_000})
    seconds = []
    for times in (1, 1000):
        began = time.perf_counter()
        assert updated(Struct(), given, ["attributes.x"] * times) == given
        seconds.append(time.perf_counter() - began)
    assert seconds[1] < 10 * seconds[0] + 0.02


_json = st.recursive(
    st.none()
    | st.booleans()
    | st.floats(allow_nan=False, allow_infinity=False).map(lambda x: x + 0.0)  # no -0: JSON
    | st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc", max_size=3), inner),
    max_leaves=8,
)


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(attributes=st.dictionaries(st.text("xyz.Ü", max_size=4), _json, max_size=4))
async def test_attributes_come_back_as_they_were(
    service: LocalService, attributes: dict[str, Any]
) -> None:
    request = _update(attributes)
    stored = (await service.stub.UpdateProfile(request)).profile
    assert stored.attributes == request.profile.attributes
    assert (await service.get("ann")).profile.attributes == request.profile.attributes


async def test_etags(service: LocalService) -> None:
    update = service.stub.UpdateProfile

    async def is_aborted(request: pb.UpdateProfileRequest) -> None:
        failure = await fault_of(update(request))
        assert failure.code() == grpc.StatusCode.ABORTED
        assert reason_of(failure) == "ETAG_MISMATCH"

    await is_aborted(_update({"a": 1}, etag="7"))
    failure = await fault_of(service.get("ann"))
    assert failure.code() == grpc.StatusCode.NOT_FOUND

    first = (await update(_update({"a": 1}))).profile
    second = (await update(_update({"a": 2}, etag=first.etag))).profile
    await is_aborted(_update({"a": 3}, etag=first.etag))
    read = (await service.get("ann")).profile
    assert (_plain(read.attributes), read.etag) == ({"a": 2}, second.etag)


async def test_of_concurrent_updates_with_one_etag_one_wins(service: LocalService) -> None:
    first = (await service.stub.UpdateProfile(_update({"n": -1}))).profile
    outcomes = await asyncio.gather(
        *(service.stub.UpdateProfile(_update({"n": n}, etag=first.etag)) for n in range(12)),
        return_exceptions=True,
    )
    won = [o for o in outcomes if isinstance(o, pb.UpdateProfileResponse)]
    assert len(won) == 1
    assert (await service.get("ann")).profile.etag == won[0].profile.etag


async def test_concurrent_updates_of_single_attributes_are_all_kept(service: LocalService) -> None:
    names = [f"a{n}" for n in range(20)]
    await asyncio.gather(
        *(service.stub.UpdateProfile(_update({n: n}, f"attributes.{n}")) for n in names)
    )
    read = (await service.get("ann")).profile
    assert _plain(read.attributes) == {name: name for name in names}


async def test_no_more_than_64_kib_of_attributes(service: LocalService) -> None:
    await service.stub.UpdateProfile(_update({"a": "x" * 40_000}))
    for request in (
        _update({"a": "x" * 65_536}),
        # Too large together with what is there.
        _update({"b": "x" * 40_000}, "attributes.b"),
    ):
        assert (
            "65536"
            in (await _violations(service.stub.UpdateProfile(request)))["profile.attributes"]
        )
    assert _plain((await service.get("ann")).profile.attributes) == {"a": "x" * 40_000}


def _nested(depth: int, value: Any) -> dict[str, Any]:
    """Return attributes that are `depth` deep, themselves among them: lists or objects."""
    for _ in range(depth - 1):
        value = [value] if isinstance(value, list) else {"in": value}
    return {"in": value}


@pytest.mark.parametrize("innermost", [[], {}], ids=["lists", "objects"])
async def test_attributes_nest_as_deep_as_every_answer_can_hold(
    service: LocalService, innermost: Any
) -> None:
    """Truth 13: what a request may just hold must not spoil an answer that holds others too."""
    await service.stub.UpdateProfile(_update({"a": 1}, name="bob"))
    await service.stub.UpdateProfile(_update(_nested(19, innermost)))
    for depth in (20, 30):
        deeper = _update(_nested(depth, innermost))
        assert await _violations(service.stub.UpdateProfile(deeper)) == {
            "profile.attributes": "nests objects and lists more than 20 deep"
        }
    batch = await service.stub.BatchGetProfiles(
        pb.BatchGetProfilesRequest(subjects=[user("ann"), user("bob")])
    )
    read = [_plain(result.profile.attributes) for result in batch.results]
    assert read == [_nested(19, innermost), {"a": 1}]
    listed = await service.stub.ListProfiles(pb.ListProfilesRequest())
    assert [_plain(one.attributes) for one in listed.profiles] == read


_ENVELOPES: dict[str, tuple[str, Message, set[str]]] = {
    "all at once": (
        "GetProfile",
        pb.GetProfileRequest(tenant="Not OK", min_position=b"junk"),
        {"tenant", "subject", "min_position"},
    ),
    "long id": ("GetProfile", pb.GetProfileRequest(subject=user("x" * 129)), {"subject"}),
    "control character": ("GetProfile", pb.GetProfileRequest(subject=user("a\nb")), {"subject"}),
    "empty session": (
        "GetProfile",
        pb.GetProfileRequest(subject=Subject(session_id="")),
        {"subject"},
    ),
    "other shard": (
        "GetProfile",
        pb.GetProfileRequest(subject=user("a"), min_position=Position(3, 1, 1).encode()),
        {"min_position"},
    ),
    "long wait": (
        "GetProfile",
        pb.GetProfileRequest(subject=user("a"), wait_budget={"seconds": 11}),
        {"wait_budget"},
    ),
    "no subjects": ("BatchGetProfiles", pb.BatchGetProfilesRequest(), {"subjects"}),
    "501 subjects": (
        "BatchGetProfiles",
        pb.BatchGetProfilesRequest(subjects=[user("a")] * 501),
        {"subjects"},
    ),
    "more than anyone takes": (
        "BatchGetProfiles",
        pb.BatchGetProfilesRequest(subjects=[user("a")], max_answer_bytes=(16 << 20) + 1),
        {"max_answer_bytes"},
    ),
    "one of them wrong": (
        "BatchGetProfiles",
        pb.BatchGetProfilesRequest(subjects=[user("a"), Subject()]),
        {"subjects[1]"},
    ),
    "nothing": ("UpdateProfile", pb.UpdateProfileRequest(), {"profile.subject"}),
    "masks": (
        "UpdateProfile",
        _update({}, "attributes.a", "state", "attributes.", "attributesx"),
        {"update_mask.paths[1]", "update_mask.paths[2]", "update_mask.paths[3]"},
    ),
    "nan": ("UpdateProfile", _update({"a": [math.nan]}), {"profile.attributes"}),
    "infinity": ("UpdateProfile", _update({"a": {"b": -math.inf}}), {"profile.attributes"}),
    "zero character": ("UpdateProfile", _update({"a": ["\0"]}), {"profile.attributes"}),
    "zero character in a key": ("UpdateProfile", _update({"\0": 1}), {"profile.attributes"}),
}


@pytest.mark.parametrize("envelope", _ENVELOPES)
async def test_wrong_fields_are_named(service: LocalService, envelope: str) -> None:
    method, request, fields = _ENVELOPES[envelope]
    found = await violations_of(getattr(service.stub, method)(request))
    assert sorted(field for field, _ in found) == sorted(fields), "each is named, once"
    assert all(what for _, what in found)
