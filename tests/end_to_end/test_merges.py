"""Merges over the wire: whatever happens in whatever order, reads are those of a plain fold.

The oracle keeps what each did, and who is whom, and knows nothing of how that is stored.
"""

import itertools
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import pytest
import pytest_asyncio
from grpc_status import rpc_status
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harken.common.v1.subject_pb2 import Subject
from harken.feedback.v1 import event_pb2, item_pb2
from harken.profile.v1 import profile_service_pb2 as pb
from harken.ranker.v1 import ranker_service_pb2
from services.cli.suite import Suite
from services.common.status import reason_of
from tests.cli.harken_process import harken
from tests.conftest import FreshDatabase, StartSuite
from tests.end_to_end.clients import Caller, caller_of
from tests.privacy.private_suite import private_environment
from tests.waiting import until

ITEMS = 40
USERS, SESSIONS = ("u1", "u2", "u3"), ("s1", "s2", "s3")
_NUMBERS = itertools.count(1)


@pytest.fixture(scope="module")
def running(
    module_suite: StartSuite,
    module_database: FreshDatabase,
    tmp_path_factory: pytest.TempPathFactory,
) -> Suite:
    """Where stored keys are pseudonyms: links are of these, and answers name who it is."""
    keys = tmp_path_factory.mktemp("keys")
    environment = private_environment(keys, module_database.keys_dsn)
    return module_suite(preset="shopping", rankers=2, environment=environment)


@pytest_asyncio.fixture
async def caller(running: Suite) -> AsyncIterator[Caller]:
    async with caller_of(running) as caller:
        learned = await caller.upsert(
            *(item_pb2.Item(item_id=f"i{number:02}") for number in range(ITEMS))
        )
        for replica in range(2):
            await caller.slate("nobody", learned, replica=replica)
        yield caller


def subject(name: str) -> Subject:
    """Return a subject; names of sessions begin with s."""
    return Subject(session_id=name) if name.startswith("s") else Subject(user_id=name)


async def done(caller: Caller, who: str, *items: int, ids: list[str] | None = None) -> bytes:
    """Buy items, a second apart, and return the position."""
    events = []
    for place, item in enumerate(items):
        number = next(_NUMBERS)
        one = event_pb2.Event(
            event_id=ids[place] if ids else f"e{number}", subject=subject(who),
            item_id=f"i{item:02}", type="purchase",
        )  # fmt: skip
        events.append(one)
    return await caller.record(*events)


async def merged(caller: Caller, into: str, *names: str) -> pb.MergeProfilesResponse:
    request = pb.MergeProfilesRequest(
        into=subject(into), from_subjects=map(subject, names), source="login"
    )
    answer: pb.MergeProfilesResponse = await caller.clients.profile.MergeProfiles(request)
    assert answer.position
    return answer


async def unmerged(caller: Caller, *names: str) -> pb.UnmergeProfilesResponse:
    request = pb.UnmergeProfilesRequest(from_subjects=map(subject, names), source="mistake")
    answer: pb.UnmergeProfilesResponse = await caller.clients.profile.UnmergeProfiles(request)
    return answer


async def refusal(call: Any) -> tuple[str, str | None]:
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await call
    return error.value.code().name, reason_of(rpc_status.from_call(error.value))  # type: ignore[arg-type]


async def bought(caller: Caller, who: str, position: bytes) -> list[str]:
    """Return what profile says that somebody bought, newest first, and check it in itself."""
    request = pb.GetProfileRequest(
        subject=subject(who), min_position=position, strict=True, include_seen=True
    )
    request.wait_budget.FromSeconds(10)
    try:
        profile = (await caller.clients.profile.GetProfile(request, timeout=30)).profile
    except grpc.aio.AioRpcError as error:
        assert error.code() is grpc.StatusCode.NOT_FOUND
        return []
    recent = [one.item_id for one in profile.state.recent]
    assert profile.counters.events == len(recent)
    assert profile.counters.distinct_items == len(set(recent))
    assert set(profile.seen_item_ids) == set(recent)
    return recent


async def strict_slate(caller: Caller, who: str, position: bytes, replica: int) -> set[str]:
    slate = await slate_of(caller, who, position, replica)
    assert not slate.degradations
    return {slot.item_id for slot in slate.slots}


async def slate_of(
    caller: Caller, who: str, position: bytes, replica: int
) -> ranker_service_pb2.RecommendResponse:
    request = ranker_service_pb2.RecommendRequest(
        subject=subject(who), count=ITEMS, min_position=position, strict=True, preview=True
    )
    request.wait_budget.FromSeconds(10)
    return await caller.clients.rankers[replica].Recommend(request, timeout=30)


@dataclass
class People:
    """What each did, in order, and whom each was merged into."""

    events: list[tuple[str, str]] = field(default_factory=list)
    into: dict[str, str] = field(default_factory=dict)

    def who(self, name: str) -> str:
        while name in self.into:
            name = self.into[name]
        return name

    def merge(self, into: str, names: tuple[str, ...]) -> str | None:
        """Merge, or return why not."""
        root = self.who(into)
        for name in names:
            if name == root:
                return "MERGE_CYCLE"
            if name in self.into and self.who(name) != root:
                return "ALREADY_MERGED"
        for name in names:
            self.into.setdefault(name, into)
        return None

    def bought(self, name: str) -> list[str]:
        return [item for who, item in reversed(self.events) if self.who(who) == self.who(name)]


_names = st.sampled_from(USERS + SESSIONS)
_others = st.lists(_names, min_size=1, max_size=3, unique=True)
_steps = st.one_of(
    st.tuples(st.just("buy"), _names, st.lists(st.integers(0, ITEMS - 1), max_size=3, min_size=1)),
    st.tuples(st.just("merge"), st.sampled_from(USERS), _others),
    st.tuples(st.just("merge"), st.sampled_from(USERS), _others),
    st.tuples(st.just("unmerge"), st.none(), _others),
    st.tuples(st.just("slate"), _names, st.none()),
)


@settings(
    max_examples=12, deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)  # fmt: skip
@given(steps=st.lists(_steps, min_size=4, max_size=14), again=st.booleans())
async def test_any_history_of_merges_reads_as_the_plain_fold(
    caller: Caller, steps: list[tuple[str, Any, Any]], again: bool
) -> None:
    """Truths 2 and 8, whatever is called twice."""
    own, people, position = f"-{next(_NUMBERS)}", People(), b""
    for kind, who, what in steps:
        names = tuple(f"{name}{own}" for name in what) if kind in ("merge", "unmerge") else ()
        subject_name = f"{who}{own}"
        for _ in range(1 + again):
            if kind == "buy":
                ids = [f"x{own}-{len(people.events)}-{n}" for n in range(len(what))]
                position = await done(caller, subject_name, *what, ids=ids)
            elif kind == "merge" and subject_name not in names:
                before = dict(people.into)
                why = people.merge(subject_name, names)
                if why is None:
                    answer = await merged(caller, subject_name, *names)
                    position = answer.position
                    assert answer.merged == len(people.into) - len(before)
                    assert answer.into == subject(people.who(subject_name))
                else:
                    request = pb.MergeProfilesRequest(
                        into=subject(subject_name), from_subjects=map(subject, names), source="x"
                    )
                    refused = await refusal(caller.clients.profile.MergeProfiles(request))
                    assert refused == ("FAILED_PRECONDITION", why)
            elif kind == "unmerge":
                found = await unmerged(caller, *names)
                assert found.unmerged == sum(name in people.into for name in names)
                position = found.position or position
                for name in names:
                    people.into.pop(name, None)
            elif kind == "slate":
                await strict_slate(caller, subject_name, position, 0)
        if kind == "buy":
            people.events += [(subject_name, f"i{item:02}") for item in what]
    for name in (f"{name}{own}" for name in USERS + SESSIONS):
        expected = people.bought(name)
        assert await bought(caller, name, position) == expected
        for replica in range(2):
            shown = await strict_slate(caller, name, position, replica)
            assert shown == {f"i{n:02}" for n in range(ITEMS)} - set(expected)


async def test_the_next_strict_slate_knows_what_the_session_did(caller: Caller) -> None:
    """Truth 8, on rankers that hold both; and what comes later is of both, until it is taken
    back.
    """
    mine, theirs = f"ann-{next(_NUMBERS)}", f"s-{next(_NUMBERS)}"
    await done(caller, mine, 1)
    position = await done(caller, theirs, 2, 3)
    for replica in range(2):
        for who in (mine, theirs):
            await strict_slate(caller, who, position, replica)
    position = (await merged(caller, mine, theirs)).position
    for replica in range(2):
        for who in (mine, theirs):
            shown = await strict_slate(caller, who, position, replica)
            assert not {"i01", "i02", "i03"} & shown
    # The states are held now, and follow the events of both.
    position = await done(caller, theirs, 4)
    position = await done(caller, mine, 5)
    position = await done(caller, theirs, 6, 7)
    for replica in range(2):
        for who in (mine, theirs):
            shown = await strict_slate(caller, who, position, replica)
            assert len(shown) == ITEMS - 7
    answer = await unmerged(caller, theirs)
    for replica in range(2):
        shown = await strict_slate(caller, mine, answer.position, replica)
        assert shown == {f"i{n:02}" for n in range(ITEMS)} - {"i01", "i05"}
        shown = await strict_slate(caller, theirs, answer.position, replica)
        assert len(shown) == ITEMS - 5


async def test_attributes_fill_gaps_and_the_stricter_consent_counts(caller: Caller) -> None:
    mine, theirs = f"bob-{next(_NUMBERS)}", f"s-{next(_NUMBERS)}"
    decided = ((mine, "gold", "country", True), (theirs, "trial", "device", False))
    for who, plan, extra, granted in decided:
        request = pb.UpdateProfileRequest()
        request.profile.subject.CopyFrom(subject(who))
        request.profile.attributes.update({"plan": plan, extra: "x"})
        request.update_mask.paths.extend(["attributes", "consent.personalisation"])
        request.profile.consent.personalisation.granted = granted
        request.profile.consent.personalisation.source = who
        await caller.clients.profile.UpdateProfile(request)
    position = (await merged(caller, mine, theirs)).position
    profile = (
        await caller.clients.profile.GetProfile(
            pb.GetProfileRequest(subject=subject(theirs), min_position=position)
        )
    ).profile
    assert profile.subject == subject(mine)
    assert list(profile.merged) == [subject(theirs)]
    assert dict(profile.attributes) == {"plan": "gold", "country": "x", "device": "x"}
    assert profile.consent.personalisation.source == theirs

    async def non_personal(who: str) -> bool:
        request = ranker_service_pb2.RecommendRequest(subject=subject(who), min_position=position)
        return bool((await caller.clients.rankers[0].Recommend(request)).non_personal)

    for who in (mine, theirs):
        assert await non_personal(who)
    # A fact of the session is one of the user.
    update = pb.UpdateProfileRequest()
    update.profile.subject.CopyFrom(subject(theirs))
    update.update_mask.paths.append("consent")
    position = (await caller.clients.profile.UpdateProfile(update)).position
    for who in (mine, theirs):
        assert not await non_personal(who)


async def test_bad_requests_say_what_is_wrong(caller: Caller) -> None:
    async def fault(**fields: Any) -> str:
        request = pb.MergeProfilesRequest(**{"source": "x", **fields})
        with pytest.raises(grpc.aio.AioRpcError) as error:
            await caller.clients.profile.MergeProfiles(request)
        assert error.value.code() is grpc.StatusCode.INVALID_ARGUMENT
        return error.value.details() or ""

    ann, one = subject("ann"), subject("s-one")
    assert "into: is a session" in await fault(into=one, from_subjects=[ann])
    assert "from_subjects: must have" in await fault(into=ann)
    assert "holds `into`" in await fault(into=ann, from_subjects=[ann])
    assert "twice" in await fault(into=ann, from_subjects=[one, one])
    assert "source" in await fault(into=ann, from_subjects=[one], source="")
    assert "from_subjects[0]" in await fault(into=ann, from_subjects=[Subject()])


async def test_the_list_says_what_was_done(running: Suite, caller: Caller, tmp_path: Path) -> None:
    mine, first, second = (f"{kind}-{next(_NUMBERS)}" for kind in ("cid", "s", "s"))
    await merged(caller, mine, first, second)
    await unmerged(caller, first)
    listed: list[tuple[str, bool]] = []
    token = ""
    for _ in range(3):
        request = pb.ListMergesRequest(subject=subject(mine), page_size=1, page_token=token)
        answer = await caller.clients.profile.ListMerges(request)
        listed += [(one.from_subject.session_id, one.unmerged) for one in answer.merges]
        token = answer.next_page_token
    assert (listed, token) == ([(first, True), (second, False), (first, False)], "")
    for command, said in (
        (
            ("merge", mine, first, second, "--source", "desk"),
            f"1 merged into {mine}, 1 were already",
        ),
        (("merges", mine), "desk"),
    ):
        told = await harken(*command, folder=tmp_path, endpoints=running.endpoints)
        assert told.code == 0, told.errors
        assert said in told.output


async def test_a_merge_that_was_committed_is_delivered_after_a_kill(
    running: Suite, caller: Caller
) -> None:
    """Truth 1 for links: between the commit and the outbox the process dies, and starts again."""
    mine, theirs = f"dan-{next(_NUMBERS)}", f"s-{next(_NUMBERS)}"
    await done(caller, mine, 1)
    await done(caller, theirs, 2)
    running.kill("feedback")
    request = pb.MergeProfilesRequest(
        into=subject(mine), from_subjects=[subject(theirs)], source="login"
    )
    answer = await caller.clients.profile.MergeProfiles(request, timeout=30)
    assert (answer.merged, answer.position) == (1, b"")
    running.kill("profile")
    # Only the row of the outbox knows of it now.
    running.start("feedback")
    running.start("profile")

    async def known() -> bool:
        for replica in range(2):
            for who in (mine, theirs):
                slate = await slate_of(caller, who, b"", replica)
                shown = {slot.item_id for slot in slate.slots}
                # Until the feed of the process that was killed is followed again, it says so.
                if slate.degradations or {"i01", "i02"} & shown:
                    return False
        return True

    await until(known, "the link to come to the rankers")
    assert (await merged(caller, mine, theirs)).merged == 0
