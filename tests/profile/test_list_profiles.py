"""ListProfiles: everyone whose attributes were ever set, once, below 4 MiB a page."""

import asyncio
from typing import Any

import pytest
from google.protobuf import json_format
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harken.common.v1.subject_pb2 import Subject
from harken.profile.v1 import profile_pb2
from harken.profile.v1 import profile_service_pb2 as pb
from services.common.page_token import encode_page_token
from tests.faults import violations_of
from tests.profile.script import Happening, Script, user
from tests.profile.scripted_feedback import ScriptedFeedback
from tests.profile.service_under_test import LocalService

# What clients take that set no option.
DEFAULT_ANSWER_BYTES = 4 * 1024 * 1024


async def put(
    service: LocalService, subject: Subject, attributes: dict[str, Any], tenant: str = ""
) -> profile_pb2.Profile:
    profile = profile_pb2.Profile(subject=subject)
    profile.attributes.update(attributes)
    request = pb.UpdateProfileRequest(tenant=tenant, profile=profile)
    return (await service.stub.UpdateProfile(request)).profile


async def pages(
    service: LocalService, page_size: int = 0, tenant: str = ""
) -> list[list[profile_pb2.Profile]]:
    found: list[list[profile_pb2.Profile]] = []
    request = pb.ListProfilesRequest(tenant=tenant, page_size=page_size)
    while True:
        answer = await service.stub.ListProfiles(request)
        assert answer.ByteSize() < DEFAULT_ANSWER_BYTES
        found.append(list(answer.profiles))
        if not answer.next_page_token:
            return found
        assert answer.profiles
        request.page_token = answer.next_page_token


def names(found: list[list[profile_pb2.Profile]]) -> list[tuple[str, str]]:
    return [
        (one.subject.WhichOneof("kind") or "", one.subject.user_id or one.subject.session_id)
        for page in found
        for one in page
    ]


async def test_it_lists_what_update_profile_answered(
    service: LocalService, feedback: ScriptedFeedback, script: Script
) -> None:
    """Users and sessions of one tenant, also without attributes left, not those who only acted."""
    stored = [
        await put(service, user("ann"), {"age": 7, "tags": ["a", {"b": None}]}),
        await put(service, user("ann "), {}),
        await put(service, Subject(session_id="ann"), {"x": 1e300}),
        await put(service, user("session:ann"), {"y": "æ\n"}),
    ]
    await put(service, user("bob"), {"other": True}, tenant="other")
    feedback.publish(script.events([Happening("carl", "item")]))
    await service.get("carl", script.position)
    (page,) = await pages(service)
    assert sorted(page, key=str) == sorted(stored, key=str)
    assert names(await pages(service, tenant="other")) == [("user_id", "bob")]
    assert await pages(service, tenant="nobody") == [[]]


_id = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=20)
_subject = st.builds(
    lambda text, session: Subject(session_id=text) if session else Subject(user_id=text),
    _id,
    st.booleans(),
)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    subjects=st.lists(_subject, max_size=12, unique_by=str),
    page_size=st.integers(1, 5),
    number=st.integers(0, 10**9),
)
async def test_pages_of_any_size_hold_everyone_once(
    service: LocalService, subjects: list[Subject], page_size: int, number: int
) -> None:
    tenant = f"t{number}-{page_size}-{len(subjects)}"
    before = names(await pages(service, tenant=tenant))
    for subject in subjects:
        await put(service, subject, {"n": 1}, tenant)
    found = await pages(service, page_size, tenant)
    expected = {(one.WhichOneof("kind") or "", one.user_id or one.session_id) for one in subjects}
    assert len(names(found)) == len(set(names(found)))
    assert set(names(found)) == expected | set(before)
    assert all(len(page) == page_size for page in found[:-1])


async def test_who_was_there_all_the_time_is_listed_once_while_others_change(
    service: LocalService,
) -> None:
    there = [f"u{n:02}" for n in range(0, 60, 2)]
    for name in there:
        await put(service, user(name), {"n": 0})
    found: list[list[profile_pb2.Profile]] = []
    request = pb.ListProfilesRequest(page_size=4)
    round_ = 0
    while True:
        answer = await service.stub.ListProfiles(request)
        found.append(list(answer.profiles))
        # Between all pages: new users before and after, and changes of those that were there.
        round_ += 1
        await asyncio.gather(
            put(service, user(f"u{round_:02}x"), {"new": True}),
            put(service, user(f"u{60 - round_:02}x"), {"new": True}),
            *(put(service, user(name), {"n": round_}) for name in there),
        )
        if not answer.next_page_token:
            break
        request.page_token = answer.next_page_token
    listed = [name for _, name in names(found)]
    assert len(listed) == len(set(listed))
    assert [name for name in listed if not name.endswith("x")] == there


@pytest.mark.parametrize(
    "attributes",
    [
        {"text": "x" * 65_000},
        # Small as JSON, several times that on the wire.
        {"list": [0] * 5_900},
        # The other way round.
        {"list": [1e300 + n * 1e290 for n in range(5_000)]},
    ],
    ids=["text", "small numbers", "large numbers"],
)
async def test_pages_of_the_largest_profiles_end_early(
    service: LocalService, attributes: dict[str, Any]
) -> None:
    """Truth: an answer that clients take without options; nothing is left out for it."""
    stored = {
        f"u{n:03}": (await put(service, user(f"u{n:03}"), attributes)).attributes for n in range(80)
    }
    found = await pages(service, 1000)
    assert {one.subject.user_id: one.attributes for page in found for one in page} == stored
    assert len(found) > 1
    assert all(found)


async def test_attributes_come_back_as_json_has_them(service: LocalService) -> None:
    given_ = {"a": -1.5, "b": [True, None, "x"], "c": {"d": {}}, "": ""}
    await put(service, user("ann"), given_)
    ((one,),) = await pages(service)
    assert json_format.MessageToDict(one.attributes) == given_
    assert one.etag == (await service.get("ann")).profile.etag


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({"tenant": "Not OK", "page_size": 1001}, {"tenant", "page_size"}),
        ({"page_token": "?"}, {"page_token"}),
        ({"page_token": "/w=="}, {"page_token"}),
        ({"page_token": encode_page_token("x" * 131)}, {"page_token"}),
        ({"page_token": encode_page_token("a\nb")}, {"page_token"}),
    ],
)
async def test_wrong_fields_are_named(
    service: LocalService, fields: dict[str, Any], wrong: set[str]
) -> None:
    found = await violations_of(service.stub.ListProfiles(pb.ListProfilesRequest(**fields)))
    assert {field for field, _ in found} == wrong


async def test_a_token_of_the_longest_id_is_taken(service: LocalService) -> None:
    longest = ["ø" * 64, "ø" * 63 + "zz"]
    for name in longest:
        await put(service, user(name), {})
    assert {name for _, name in names(await pages(service, 1))} == set(longest)
