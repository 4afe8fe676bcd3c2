"""A few users who do all that leaves something of them anywhere."""

from harken.common.v1 import subject_pb2
from harken.feedback.v1 import embedding_service_pb2, event_pb2, feedback_service_pb2
from harken.profile.v1 import profile_pb2, profile_service_pb2
from harken.ranker.v1 import ranker_service_pb2
from tests.end_to_end.clients import Caller, catalogue, unit, user

USER, OTHER, SESSION = "Zyx-User-4711", "Zyx-Other-4712", "Zyx-Session-4713"
NAME, VALUE = "zyx_attribute", "Zyx-Value-4714"
KEY, CONTEXT, OUTSIDE = "zyx_key", "Zyx-Context-4715", "Zyx-Context-4716"
VISIT, MISTAKE = "Zyx-Session-4718", "Zyx-Session-4719"
SENTINELS = (USER, OTHER, SESSION, NAME, VALUE, KEY, CONTEXT, OUTSIDE, VISIT, MISTAKE)
TENANT = "second"


def event(
    name: str, subject: subject_pb2.Subject, item: str, kind: str = "play", context: str = ""
) -> event_pb2.Event:
    return event_pb2.Event(
        event_id=name,
        subject=subject,
        item_id=item,
        type=kind,
        context={KEY: context} if context else {},
    )


def attributes(who: str, value: str = VALUE) -> profile_pb2.Profile:
    profile = profile_pb2.Profile(subject=user(who))
    profile.attributes.update({NAME: value, "nested": {"deep": [value]}})
    return profile


async def log_in(caller: Caller, tenant: str) -> None:
    """Merge sessions into a user, one of them not for good."""
    profile = caller.clients.profile
    sessions = [subject_pb2.Subject(session_id=name) for name in (VISIT, MISTAKE)]
    request = profile_service_pb2.MergeProfilesRequest(
        tenant=tenant, into=user(OTHER), from_subjects=sessions, source="login"
    )
    answer = await profile.MergeProfiles(request)
    assert answer.into == user(OTHER)
    back = profile_service_pb2.UnmergeProfilesRequest(
        tenant=tenant, from_subjects=sessions[1:], source="mistake"
    )
    await profile.UnmergeProfiles(back)
    listed = await profile.ListMerges(
        profile_service_pb2.ListMergesRequest(tenant=tenant, subject=user(OTHER))
    )
    assert {one.from_subject.session_id for one in listed.merges} >= {VISIT}


async def use(caller: Caller) -> bytes:
    """Record, retract, set aside, set vectors and attributes, log in, in two tenants."""
    clients = caller.clients
    session = subject_pb2.Subject(session_id=SESSION)
    position = b""
    for tenant in ("", TENANT):
        await caller.upsert(*catalogue(), tenant=tenant)
        mine = [
            event(f"{tenant}e{n}", user(USER), f"space-{3 * n}", context=CONTEXT) for n in range(6)
        ]
        await caller.record(*mine, tenant=tenant)
        await caller.record(*mine[:2], tenant=tenant)
        taken = [event(f"{tenant}t{n}", user(OTHER), f"space-{3 * n}") for n in range(5)]
        await caller.record(*taken, event(f"{tenant}s", session, "crime-2"), tenant=tenant)
        # Of an item that nobody knows, and of a type that nobody does: both are set aside.
        outside = [
            event(f"{tenant}q1", user(USER), "nothing", context=OUTSIDE),
            event(f"{tenant}q2", session, "space-0", "stare", context=OUTSIDE),
        ]
        request = feedback_service_pb2.RecordEventsRequest(tenant=tenant, events=outside)
        answer = await clients.feedback.RecordEvents(request)
        assert {one.outcome for one in answer.results} == {event_pb2.EVENT_OUTCOME_QUARANTINED}
        update = profile_service_pb2.UpdateProfileRequest(tenant=tenant, profile=attributes(USER))
        await clients.profile.UpdateProfile(update)
        retract = feedback_service_pb2.RetractEventsRequest(
            tenant=tenant, event_ids=[f"{tenant}e0"]
        )
        position = (await clients.feedback.RetractEvents(retract)).position
        for subject in (user(USER), session):
            slate = ranker_service_pb2.RecommendRequest(
                tenant=tenant,
                subject=subject,
                count=5,
                min_position=position,
                min_learned_position=position,
                strict=True,
            )
            slate.wait_budget.FromSeconds(10)
            assert (await clients.ranker.Recommend(slate, timeout=30)).slots
        await log_in(caller, tenant)
    dimension = 128
    await caller.put(
        embedding_service_pb2.Embedding(
            subject=user(OTHER), values=unit([1.0] * dimension), pinned=True
        )
    )
    return position
