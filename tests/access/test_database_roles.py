"""What the roles of the processes, as a deployment makes them, can do in PostgreSQL."""

import time
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import grpc
import pytest
import pytest_asyncio

from harken.feedback.v1 import catalog_service_pb2, feedback_service_pb2
from harken.profile.v1 import profile_service_pb2 as profiles
from harken.profile.v1 import profile_service_pb2_grpc
from services.cli.embedded_postgres import EmbeddedPostgres
from services.cli.free_ports import free_ports
from services.cli.guardian import Guardian
from services.cli.service_process import ProcessSpec, ServiceProcess
from services.common.migrations import migrate
from services.common.position import decode_position
from tests.feedback.conftest import Client, event
from tests.profile.script import user
from tests.waiting import until

ROOT = Path(__file__).parents[2]
ROLES = "".join(
    (ROOT / "deploy" / name).read_text() for name in ("overlays/dev/roles.sql", "privacy/roles.sql")
)
DATABASE = "harken_least_rights"
VAULT = "keys"
OTHER = {"feedback": "profile", "profile": "feedback", VAULT: "feedback"}
PASSWORDS = "".join(
    f"\\set {name} pass\n"
    for one in ("feedback", "profile", "keys")
    for name in (one, f"{one}_owner")
)


@dataclass(frozen=True)
class Deployed:
    """A database with the roles of a deployment, and schemas made by their owners."""

    postgres: EmbeddedPostgres

    def dsn(self, role: str) -> str:
        return self.postgres.dsn(role, DATABASE)


@pytest.fixture(scope="module")
def deployed(postgres: EmbeddedPostgres) -> Iterator[Deployed]:
    postgres.execute(f"CREATE DATABASE {DATABASE} STRATEGY file_copy", "postgres")
    made = Deployed(postgres)
    # Twice, as an upgrade does.
    for _ in range(2):
        postgres.execute(PASSWORDS + ROLES, DATABASE)
    for schema in OTHER:
        folder = "common/vault" if schema == VAULT else schema
        migrate(
            made.dsn(f"harken_{schema}_owner"), schema, ROOT / "services" / folder / "migrations"
        )
    yield made
    postgres.drop_database(DATABASE)


@pytest.fixture(params=sorted(OTHER))
def schema(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest_asyncio.fixture
async def own(deployed: Deployed, schema: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection of the role of a process."""
    connection = await asyncpg.connect(
        deployed.dsn(f"harken_{schema}"), server_settings={"search_path": schema}
    )
    yield connection
    await connection.close()


REFUSED = {
    # Its own schema belongs to somebody else.
    "make a table": "CREATE TABLE {own}.mine (a int)",
    "change a table": "ALTER TABLE {own}.audit_entries ADD COLUMN more text",
    "drop a table": "DROP TABLE {own}.schema_migrations",
    "make an index": "CREATE INDEX ON {own}.audit_entries (at_us)",
    "make a function": "CREATE FUNCTION {own}.f() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    "replace a function": "CREATE OR REPLACE FUNCTION {own}.append_audit_entry(p_entry text)"
    " RETURNS bigint LANGUAGE sql AS 'SELECT 1::bigint'",
    "drop the schema": "DROP SCHEMA {own} CASCADE",
    "make a schema": "CREATE SCHEMA mine",
    "make a table in public": "CREATE TABLE public.mine (a int)",
    "make a table for a while": "CREATE TEMP TABLE mine (a int)",
    "drop an extension": "DROP EXTENSION plpgsql",
    "make a database": "CREATE DATABASE mine",
    # The audit log.
    "change the audit log": "UPDATE {own}.audit_entries SET entry = ''",
    "delete from the audit log": "DELETE FROM {own}.audit_entries",
    "empty the audit log": "TRUNCATE {own}.audit_entries",
    "stop its trigger": "ALTER TABLE {own}.audit_entries DISABLE TRIGGER ALL",
    "skip its trigger": "SET session_replication_role = replica",
    # The other service.
    "make a table there": "CREATE TABLE {other}.mine (a int)",
    "read how it was migrated": "SELECT * FROM {other}.schema_migrations",
    "append to its audit log": "SELECT {other}.append_audit_entry('{{}}')",
    # The vault.
    "make a table in the vault": "CREATE TABLE keys.mine (a int)",
    "empty the vault": "DROP SCHEMA keys CASCADE",
    "be the vault": "SET ROLE harken_keys",
    # Being somebody else.
    "be the owner": "SET ROLE harken_{own}_owner",
    "be the other service": "SET ROLE harken_{other}",
    "be the superuser": "SET SESSION AUTHORIZATION postgres",
    "become superuser": "ALTER ROLE harken_{own} SUPERUSER",
    "make a role": "CREATE ROLE mine",
    "take a role": "GRANT harken_{other} TO harken_{own}",
    "read passwords": "SELECT rolpassword FROM pg_authid",
    # The machine.
    "read a file": "SELECT pg_read_file('/etc/passwd')",
    "list a folder": "SELECT pg_ls_dir('/')",
    "read a file into a table": "COPY {own}.schema_migrations FROM '/etc/passwd'",
    "write a file": "COPY {own}.schema_migrations TO '/tmp/mine'",
    "run a program": "COPY {own}.schema_migrations FROM PROGRAM 'id'",
    "run a program to write": "COPY {own}.schema_migrations TO PROGRAM 'cat'",
    "read a file as an object": "SELECT lo_import('/etc/passwd')",
    "load a library": "LOAD '/tmp/mine.so'",
    "make a function in C": "CREATE FUNCTION {own}.f() RETURNS int LANGUAGE c AS '/tmp/mine.so'",
    "change the server": "ALTER SYSTEM SET log_statement = 'all'",
    "reload the server": "SELECT pg_reload_conf()",
    "end sessions of a superuser": "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
    " WHERE usename = 'postgres'",
    "follow what is written": "SELECT pg_create_physical_replication_slot('mine')",
}  # fmt: skip


async def test_what_a_process_cannot(
    own: asyncpg.Connection, schema: str, deployed: Deployed
) -> None:
    # A superuser is there, so that there is a session to end.
    superuser = await asyncpg.connect(deployed.dsn("postgres"))
    surprises = []
    for what, statement in REFUSED.items():
        # The vault has no audit log, and may be itself.
        if schema == VAULT and ("audit" in statement or "keys" in statement):
            continue
        try:
            await own.execute(statement.format(own=schema, other=OTHER[schema]))
            surprises.append(f"{what}: done")
        except asyncpg.PostgresError as error:
            if not isinstance(error, asyncpg.InsufficientPrivilegeError):
                surprises.append(f"{what}: {error}")
    assert not surprises
    assert await superuser.fetchval("SELECT 1") == 1
    await superuser.close()


@pytest.mark.parametrize("role", OTHER)
async def test_every_table_of_others_is_closed(role: str, deployed: Deployed) -> None:
    """Who reads the data cannot read its keys, and the other way round."""
    superuser = await asyncpg.connect(deployed.dsn("postgres"))
    tables = await superuser.fetch(
        "SELECT relnamespace::regnamespace AS schema, relname FROM pg_class"
        " WHERE relkind IN ('r', 'S', 'v') AND relnamespace::regnamespace::text = ANY ($1)",
        [one for one in OTHER if one != role],
    )  # fmt: skip
    await superuser.close()
    assert len(tables) >= 10
    own = await asyncpg.connect(deployed.dsn(f"harken_{role}"))
    for row in tables:
        name = f'{row["schema"]}."{row["relname"]}"'
        for statement in (
            f"SELECT FROM {name}", f"DELETE FROM {name}", f"INSERT INTO {name} DEFAULT VALUES",
            f"TRUNCATE {name}",
        ):  # fmt: skip
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await own.execute(statement)
    await own.close()


@pytest.mark.parametrize("schema", ["feedback", "profile"], indirect=True)
async def test_a_right_that_is_not_held_cannot_be_given(
    own: asyncpg.Connection, schema: str
) -> None:
    """PostgreSQL only warns: what counts is that nothing changed."""
    await own.execute(f"GRANT INSERT ON {schema}.audit_entries TO harken_{OTHER[schema]}")
    rights = await own.fetchval(
        "SELECT array_agg(privilege_type ORDER BY privilege_type)"
        " FROM information_schema.role_table_grants"
        " WHERE table_schema = $1 AND table_name = 'audit_entries' AND grantee = $2",
        schema, f"harken_{schema}",
    )  # fmt: skip
    assert rights == ["INSERT", "SELECT"]


@pytest.fixture
def running(deployed: Deployed, guardian: Guardian, tmp_path: Path) -> Iterator[str]:
    """Feedback and its learner, and profile, with the rights of processes; gives both targets."""
    feedback, profile, *metrics = free_ports(4)
    own = {
        "feedback": {"LISTEN": f"127.0.0.1:{feedback}", "DIMENSION": "16", "TICK_SECONDS": "0.2",
                     "CHECKPOINT_VERSIONS": "2", "CHECKPOINT_SECONDS": "0.2", "KEEP_VERSIONS": "0"},
        "profile": {"LISTEN": f"127.0.0.1:{profile}", "FEEDBACK_TARGET": f"127.0.0.1:{feedback}"},
    }  # fmt: skip
    with ExitStack() as stack:
        for (name, settings), port in zip(own.items(), metrics, strict=True):
            settings |= {
                "DSN": deployed.dsn(f"harken_{name}"), "METRICS_LISTEN": f"127.0.0.1:{port}",
                "ADDRESS_FILE": str(tmp_path / f"{name}.address.json"),
            }  # fmt: skip
            environment = {f"HARKEN_{name.upper()}_{key}": settings[key] for key in settings}
            spec = ProcessSpec(name, f"services.{name}", tmp_path, (), environment)
            process = ServiceProcess(spec, guardian)
            process.start()
            stack.callback(process.kill)
            process.wait_ready(time.monotonic() + 60)
        yield f"{feedback} {profile}"


async def test_processes_can_do_all_they_must(running: str, deployed: Deployed) -> None:
    """Events come in and are learned from, old frames go, users are kept, deletions audited."""
    feedback, profile = running.split()
    superuser = await asyncpg.connect(deployed.dsn("postgres"))

    async def count(query: str) -> Any:
        return await superuser.fetchval(query)

    async with (
        grpc.aio.insecure_channel(f"127.0.0.1:{feedback}") as to_feedback,
        grpc.aio.insecure_channel(f"127.0.0.1:{profile}") as to_profile,
    ):
        client = Client(to_feedback)
        await client.upsert(20)
        events = [event(f"e{n}", user=f"u{n}", item=f"i{n % 20}") for n in range(40)]
        request = feedback_service_pb2.RecordEventsRequest(events=events)
        recorded = await client.feedback.RecordEvents(request, timeout=30)
        position = decode_position(recorded.position)

        async def learned() -> bool:
            query = "SELECT max(through_sequence) FROM feedback.frames"
            return bool(await count(query) >= position.sequence)

        await until(learned, "the learner")
        delete = catalog_service_pb2.DeleteItemsRequest(item_ids=["i19"])
        await client.catalog.DeleteItems(delete)
        stub: Any = profile_service_pb2_grpc.ProfileServiceStub(to_profile)
        read = profiles.GetProfileRequest(
            subject=user("u3"), min_position=recorded.position, strict=True
        )
        read.wait_budget.FromSeconds(10)
        assert (await stub.GetProfile(read, timeout=20)).profile.subject == user("u3")

        async def emptied() -> bool:
            return bool(await count("SELECT min(version) > 1 FROM feedback.frames"))

        await until(emptied, "old frames to go")
    assert await count("SELECT count(*) FROM feedback.audit_entries") == 2
    await superuser.close()
