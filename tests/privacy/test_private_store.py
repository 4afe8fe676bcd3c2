"""With keys nothing that is stored names a user or shows what is theirs; the loop is the same."""

import asyncio
import contextlib
import subprocess
import time
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any

import asyncpg
import grpc
import pytest
import pytest_asyncio
from prometheus_client import CollectorRegistry
from typer.testing import CliRunner

from harken.feedback.v1 import feedback_service_pb2
from harken.internal.feed.v1 import feed_service_pb2
from harken.profile.v1 import profile_service_pb2
from services.cli.app import create_app
from services.cli.backup.postgres_clients import find_clients
from services.cli.embedded_postgres import EmbeddedPostgres
from services.cli.guardian import Guardian
from services.cli.service_process import ProcessFailedError, ProcessSpec, ServiceProcess
from services.cli.suite import Kind, Suite
from services.common.database import open_pool
from services.common.user_key import Pseudonyms, WrongPseudonymKeyError, is_pseudonym
from services.common.vault.key_file import Purpose, parse_keys
from services.common.vault.master_keys import MasterKeys, WrongMasterKeyError
from services.common.vault.opening import (
    check_pseudonyms,
    check_vault,
    opened_vault,
)
from services.common.vault.pseudonym_key import pseudonyms_of
from services.common.vault.rewrapping import versions
from services.common.vault.user_keys import SCHEMA, UserKeys
from services.feedback.config import FeedbackConfig
from services.feedback.events.event_export import EventExport
from services.feedback.events.event_export_conversion import events_of
from services.feedback.events.sealed_contexts import open_contexts
from services.profile.store.profile_store import ProfileStore
from tests.conftest import FreshDatabase, StartSuite
from tests.end_to_end.clients import Caller, caller_of, catalogue, user
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
    attributes,
    event,
    use,
)
from tests.waiting import until

ROOT = Path(__file__).parents[2]
MAJOR = 18
"""Of PostgreSQL."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("keys")


@pytest.fixture(scope="module")
def running(module_suite: StartSuite, module_database: FreshDatabase, folder: Path) -> Suite:
    environment = private_environment(folder, module_database.keys_dsn)
    return module_suite(preset="media", environment=environment, log_level="debug")


@pytest_asyncio.fixture
async def caller(running: Suite) -> AsyncIterator[Caller]:
    async with caller_of(running) as caller:
        yield caller


async def exported(caller: Caller, tenant: str = "") -> list[feedback_service_pb2.ExportedEvent]:
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
    assert len(of["default"]) == len(of[TENANT]) == 5
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


def dumped(dsn: str) -> bytes:
    """Return the data schemas of a database as pg_dump writes them: what a backup is."""
    command = find_clients(MAJOR).command(
        "pg_dump", f"--dbname={dsn}", "--schema=feedback", "--schema=profile", "--no-owner"
    )
    return subprocess.run(command, check=True, capture_output=True).stdout


def restored(dsn: str, dump: bytes) -> None:
    command = find_clients(MAJOR).command("psql", "--quiet", "--no-psqlrc", f"--dbname={dsn}")
    subprocess.run(command, check=True, capture_output=True, input=dump)


async def test_without_a_users_key_nothing_of_theirs_is_read_again(
    caller: Caller,
    folder: Path,
    module_database: FreshDatabase,
    new_database: Callable[[], FreshDatabase],
) -> None:
    """An erased user stays erased, also in backups (truth 12)."""
    tenant, other = "erased", "Zyx-Else-4717"
    await caller.upsert(*catalogue(3), tenant=tenant)
    for name in (USER, other):
        await caller.record(event(name, user(name), "space-0", context=CONTEXT), tenant=tenant)
        update = profile_service_pb2.UpdateProfileRequest(tenant=tenant, profile=attributes(name))
        await caller.clients.profile.UpdateProfile(update)

    async def attributes_of(name: str) -> dict[str, Any]:
        request = profile_service_pb2.GetProfileRequest(tenant=tenant, subject=user(name))
        answer = await caller.clients.profile.GetProfile(request)
        return dict(answer.profile.attributes)

    async def named() -> set[tuple[str, str]]:
        """Return who is named by an export, with the contexts of their events."""
        return {
            (one.subject.user_id, one.context[KEY] if one.context else "")
            for one in await exported(caller, tenant)
        }

    async def facts() -> list[str]:
        """Return the attributes that subscribers of the log get."""
        stream = caller.follow_entries(
            feed_service_pb2.FollowEntriesRequest(
                subscriber="test", resume=feed_service_pb2.EntryPoint(), user_facts=True
            )
        )
        found = []
        async for message in stream:
            found += [
                str(dict(fact.attributes).get(NAME, ""))
                for own in message.entries.tenants
                if own.tenant == tenant
                for fact in own.facts
            ]
            if message.HasField("heartbeat"):
                break
        stream.cancel()
        return found

    assert await named() == {(USER, CONTEXT), (other, CONTEXT)}
    assert await facts() == [VALUE, VALUE]
    backup = dumped(module_database.admin_dsn)
    of = pseudonyms_of(folder / "pseudonyms.json").key_of_user
    async with await open_pool(module_database.keys_dsn, SCHEMA, 1) as pool:
        keys = UserKeys(pool)
        assert await keys.destroy(tenant, [of(tenant, USER)]) == 1
        began = time.monotonic()
        assert await keys.destroy(tenant, [of(tenant, USER)]) == 0

    async def gone() -> bool:
        return await named() == {(other, CONTEXT)} and not await attributes_of(USER)

    await until(gone, "nobody to read what was sealed", seconds=5.0)
    # FRESH_SECONDS, and what calls take on a busy machine.
    assert time.monotonic() - began < 2.0
    assert await facts() == ["", VALUE]
    assert NAME in await attributes_of(other)
    listed = await caller.clients.profile.ListProfiles(
        profile_service_pb2.ListProfilesRequest(tenant=tenant)
    )
    assert [one.subject.user_id for one in listed.profiles] == [other]

    # Whoever comes back is named again, and what was sealed before stays closed.
    await caller.record(event("back", user(USER), "space-0", context=CONTEXT), tenant=tenant)
    assert await named() == {(USER, ""), (USER, CONTEXT), (other, CONTEXT)}
    assert not await attributes_of(USER)

    # A backup from before holds nothing that opens it.
    fresh = new_database()
    await asyncio.to_thread(restored, fresh.admin_dsn, backup)
    config = FeedbackConfig.model_validate(
        {
            "dsn": fresh.admin_dsn,
            "vault_dsn": module_database.keys_dsn,
            "vault_key_file": folder / "vault.json",
            "pseudonym_key_file": folder / "pseudonyms.json",
        }
    )
    async with (
        opened_vault(config, CollectorRegistry()) as vault,
        await open_pool(fresh.admin_dsn, "feedback", 1) as log,
        await open_pool(fresh.admin_dsn, "profile", 1) as profiles,
    ):
        pages = EventExport(log).pages(tenant, None, None, lambda: 1000)
        events = [logged async for page in pages for _, logged in events_of(page.rows)]
        assert len(events) == 2
        assert all(one.sealed_context and not one.context for one in events)
        await open_contexts(vault, tenant, events)
        contexts = {one.user_key: dict(one.context) for one in events}
        assert contexts == {of(tenant, USER): {}, of(tenant, other): {KEY: CONTEXT}}
        wanted = [of(tenant, USER), of(tenant, other)]
        snapshot = await ProfileStore(profiles, vault).read(tenant, wanted)
        erased, kept = snapshot.profiles
        assert erased.attributes is None
        assert kept.attributes is not None
        assert kept.attributes.attributes[NAME] == VALUE


async def test_other_keys_or_none_are_refused(
    running: Suite, module_database: FreshDatabase, folder: Path, tmp_path: Path, guardian: Guardian
) -> None:
    right = private_environment(folder, module_database.keys_dsn)
    wrong = private_environment(tmp_path / "wrong", module_database.keys_dsn)
    vault = "HARKEN_FEEDBACK_VAULT_KEY_FILE"
    dsns = {"feedback": module_database.feedback_dsn, "profile": module_database.profile_dsn}

    def process(name: str, kind: Kind, own: Mapping[str, str]) -> ServiceProcess:
        prefix = f"HARKEN_{kind.upper()}_"
        environment = {
            f"{prefix}LISTEN": "127.0.0.1:0",
            f"{prefix}METRICS_LISTEN": "127.0.0.1:0",
            f"{prefix}FEEDBACK_TARGET": running.endpoints.feedback,
            f"{prefix}PROFILE_TARGET": running.endpoints.profile,
            **({f"{prefix}DSN": dsns[kind]} if kind in dsns else {}),
            **own,
        }
        spec = ProcessSpec(name, f"services.{kind}", tmp_path, (), environment)
        return ServiceProcess(spec, guardian)

    other_pseudonyms = {**wrong["feedback"], vault: right["feedback"][vault]}
    other_master = {**right["feedback"], vault: wrong["feedback"][vault]}
    cases: list[tuple[str, Kind, Mapping[str, str], str]] = [
        ("feedback-pseudonyms", "feedback", other_pseudonyms, "another pseudonym key"),
        ("feedback-master", "feedback", other_master, "another one than wrapped"),
        ("feedback-plain", "feedback", {}, "the database holds pseudonyms"),
        ("profile-plain", "profile", {}, "the database holds pseudonyms"),
        ("ranker-other", "ranker", wrong["ranker"], "another pseudonym key"),
        ("ranker-plain", "ranker", {}, "another pseudonym key"),
    ]
    started = [(process(name, kind, own), words) for name, kind, own, words in cases]
    try:
        for one, _ in started:
            one.start()
        for one, words in started:
            with pytest.raises(ProcessFailedError, match=words):
                await asyncio.to_thread(one.wait_end, time.monotonic() + 60)
            assert one.exit_code == 1
    finally:
        for one, _ in started:
            one.kill()


async def test_a_database_of_ids_goes_on_without_keys_only(admin: asyncpg.Connection) -> None:
    await admin.execute("CREATE SCHEMA old; SET search_path TO old")
    migration = ROOT / "services" / "feedback" / "migrations" / "110_pseudonym_check.sql"
    await admin.execute(migration.read_text())
    keyed, other = Pseudonyms([bytes(32)]), Pseudonyms([bytes([1]) * 32])

    class Pool:
        """The one connection, as a pool."""

        def acquire(self, timeout: float) -> Any:
            return contextlib.nullcontext(admin)

    pool: Any = Pool()
    await check_pseudonyms(pool, Pseudonyms(), "old", "SELECT true")
    with pytest.raises(WrongPseudonymKeyError, match="by their ids"):
        await check_pseudonyms(pool, keyed, "old", "SELECT true")
    await check_pseudonyms(pool, Pseudonyms(), "old", "SELECT true")
    await check_pseudonyms(pool, keyed, "old", "SELECT false")
    await check_pseudonyms(pool, keyed, "old", "SELECT true")
    for wrong in (other, Pseudonyms(), Pseudonyms([bytes(32), bytes(32)])):
        with pytest.raises(WrongPseudonymKeyError, match="holds pseudonyms"):
            await check_pseudonyms(pool, wrong, "old", "SELECT false")


async def test_master_keys_are_rotated_while_the_suite_serves(
    caller: Caller, folder: Path, module_database: FreshDatabase
) -> None:
    tenant, file = "rotated", folder / "vault.json"

    async def vault(*command: str) -> str:
        done = await asyncio.to_thread(
            CliRunner().invoke, create_app(), ["vault", *command, "--file", str(file)]
        )
        assert done.exit_code == 0, done.output
        return done.stdout

    await caller.upsert(*catalogue(3), tenant=tenant)
    await caller.record(event("r1", user(USER), "space-0", context=CONTEXT), tenant=tenant)
    copied = file.read_bytes()
    dsn = ("--dsn", module_database.keys_dsn)
    await vault("rotate", "--after", "0")
    await vault("rewrap", *dsn)
    assert " 2 " in await vault("status", *dsn)
    await vault("drop", "1", *dsn)

    # Nothing of it shows: who was known is, and who is new will be.
    async def named() -> bool:
        new = event("r2", user(OTHER), "space-0", context=CONTEXT)
        try:
            await caller.record(new, tenant=tenant)
            events = await exported(caller, tenant)
        except grpc.aio.AioRpcError as error:
            # Until then nobody is told anything wrong.
            assert error.code() is grpc.StatusCode.UNAVAILABLE
            return False
        return [(one.subject.user_id, one.context[KEY]) for one in events] == [
            (USER, CONTEXT), (OTHER, CONTEXT),
        ]  # fmt: skip

    await until(named, "the file to be read anew")
    async with await open_pool(module_database.keys_dsn, SCHEMA, 1) as pool:
        assert set(await versions(UserKeys(pool))) == {2}
        # What was the master key opens nothing any more.
        old = MasterKeys(parse_keys(Purpose.VAULT, [copied]))
        with pytest.raises(WrongMasterKeyError, match="version 2"):
            await check_vault(pool, pseudonyms_of(folder / "pseudonyms.json"), old)
