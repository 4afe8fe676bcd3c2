"""With keys nothing that is stored names a user or shows what is theirs; the loop is the same."""

from pathlib import Path

import asyncpg
import pytest
import pytest_asyncio

from harken.feedback.v1 import feedback_service_pb2
from harken.internal.feed.v1 import feed_service_pb2
from harken.profile.v1 import profile_service_pb2
from services.cli.embedded_postgres import EmbeddedPostgres
from services.cli.suite import Suite
from services.common.user_key import is_pseudonym
from tests.conftest import FreshDatabase, StartSuite
from tests.end_to_end.clients import Caller, caller_of, user
from tests.privacy.private_suite import private_environment
from tests.privacy.sentinels import Finds, look_everywhere
from tests.privacy.use import (
    CONTEXT,
    KEY,
    NAME,
    OTHER,
    SENTINELS,
    SESSION,
    TENANT,
    USER,
    VALUE,
    use,
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("keys")


@pytest.fixture(scope="module")
def running(module_suite: StartSuite, module_database: FreshDatabase, folder: Path) -> Suite:
    environment = private_environment(folder, module_database.keys_dsn)
    return module_suite(preset="media", environment=environment, log_level="debug")


@pytest_asyncio.fixture
async def caller(running: Suite):  # type: ignore[no-untyped-def]
    async with caller_of(running) as caller:
        yield caller


async def exported(caller: Caller, tenant: str = ""):  # type: ignore[no-untyped-def]
    request = feedback_service_pb2.ExportEventsRequest(tenant=tenant)
    return [
        event async for page in caller.clients.feedback.ExportEvents(request)
        for event in page.events
    ]  # fmt: skip


async def test_the_loop_is_closed_and_nothing_stored_names_anybody(
    running: Suite, caller: Caller, postgres: EmbeddedPostgres, module_admin: asyncpg.Connection
) -> None:
    position = await use(caller)
    # A slate knows what was just done (truth 8).
    assert "space-3" not in await caller.items(USER, position, count=60)
    profile = (await caller.profile(USER, position)).profile
    assert profile.attributes[NAME] == VALUE
    assert profile.counters.events == 5
    listed = await caller.clients.profile.ListProfiles(profile_service_pb2.ListProfilesRequest())
    assert [one.subject.user_id for one in listed.profiles] == [USER]
    similar = await caller.clients.profile.FindSimilarUsers(
        profile_service_pb2.FindSimilarUsersRequest(subject=user(OTHER))
    )
    assert {one.subject.WhichOneof("kind") for one in similar.users} <= {"user_id", "session_id"}
    for tenant in ("", TENANT):
        events = await exported(caller, tenant)
        assert {one.subject.user_id or one.subject.session_id for one in events} == {
            USER, OTHER, SESSION,
        }  # fmt: skip
        assert {one.context[KEY] for one in events if one.subject.user_id == USER} == {CONTEXT}

    finds = Finds(SENTINELS)
    await look_everywhere(finds, running, module_admin, postgres.folder / "data")
    assert finds.bytes > 1_000_000
    assert finds.found == {}

    # Nor does the feed; and one user is two in two tenants (truth 15).
    keys = await module_admin.fetch("SELECT DISTINCT tenant, user_key FROM feedback.log")
    of = {
        tenant: {row["user_key"] for row in keys if row["tenant"] == tenant and row["user_key"]}
        for tenant in ("default", TENANT)
    }
    assert all(is_pseudonym(key) for key in of["default"] | of[TENANT])
    assert len(of["default"]) == len(of[TENANT]) == 3
    assert not of["default"] & of[TENANT]
    stream = caller.follow_entries(
        feed_service_pb2.FollowEntriesRequest(
            subscriber="test", resume=feed_service_pb2.EntryPoint()
        )
    )
    sent = b""
    async for message in stream:
        sent += message.SerializeToString()
        if message.HasField("heartbeat"):
            break
    stream.cancel()
    assert any(key in sent for key in of["default"])
    of_feed = Finds(SENTINELS)
    of_feed.look("entries", sent)
    assert of_feed.found == {}
