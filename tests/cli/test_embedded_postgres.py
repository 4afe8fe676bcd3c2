"""The embedded PostgreSQL: crashes need no cleaning, roles are kept apart, DSNs work everywhere."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from services.cli.embedded_postgres import EmbeddedPostgres, PostgresError
from services.cli.guardian import Guardian
from services.common.migrations import migrate


@pytest.fixture
def server(tmp_path: Path, guardian: Guardian) -> Iterator[EmbeddedPostgres]:
    with EmbeddedPostgres(tmp_path / "with a space", guardian, durable=False) as running:
        yield running


def test_committed_rows_survive_a_kill_and_a_restart_needs_no_cleaning(
    server: EmbeddedPostgres,
) -> None:
    """Truth 1, for the store below it."""
    server.execute("CREATE TABLE kept (id int)")
    for number in range(3):
        server.execute(f"INSERT INTO kept VALUES ({number})")
        killed = server.pid
        assert killed is not None
        os.kill(killed, signal.SIGKILL)

        server.start()

        assert server.pid != killed
        assert server.execute("SELECT count(*) FROM kept") == str(number + 1)


def test_a_pid_file_whose_number_went_to_another_process_does_not_block(
    server: EmbeddedPostgres,
) -> None:
    pid_file = server.folder / "data" / "postmaster.pid"
    lines = pid_file.read_text().splitlines()
    server.stop()
    # Not our own number: PostgreSQL knows that its parent is no other server.
    with subprocess.Popen(["sleep", "600"]) as bystander:
        try:
            pid_file.write_text("\n".join([str(bystander.pid), *lines[1:]]) + "\n")
            pid_file.chmod(0o600)

            server.start()

            assert server.pid not in (None, bystander.pid)
            assert server.execute("SELECT 1") == "1"
            assert bystander.poll() is None
        finally:
            bystander.kill()


def test_a_second_start_finds_the_running_server(server: EmbeddedPostgres) -> None:
    second = EmbeddedPostgres(server.folder, durable=False)
    second.start()
    assert second.pid == server.pid
    assert second.execute("SELECT 1") == "1"


def test_stop_is_repeatable_and_leaves_no_process(server: EmbeddedPostgres) -> None:
    pid = server.pid
    assert pid is not None
    server.stop()
    server.stop()
    assert server.pid is None
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_nothing_listens_on_tcp_and_only_the_owner_reaches_the_socket(
    server: EmbeddedPostgres,
) -> None:
    assert server.execute("SHOW listen_addresses") == ""
    assert server.folder.stat().st_mode & 0o777 == 0o700
    with contextlib.closing(socket.socket(socket.AF_INET)) as probe:
        assert probe.connect_ex(("127.0.0.1", 5432)) != 0


def test_data_is_durable_unless_told_otherwise(tmp_path: Path, guardian: Guardian) -> None:
    with EmbeddedPostgres(tmp_path / "durable", guardian) as durable:
        assert durable.execute("SHOW fsync") == "on"
        assert durable.execute("SHOW synchronous_commit") == "on"


def test_a_folder_too_long_for_a_socket_works(tmp_path: Path, guardian: Guardian) -> None:
    folder = tmp_path / ("long" * 30)
    with EmbeddedPostgres(folder, guardian, durable=False) as deep:
        assert deep.execute("SELECT 1") == "1"
        dsn = deep.dsn("harken_feedback")
    assert EmbeddedPostgres(folder, durable=False).dsn("harken_feedback") == dsn


async def test_each_role_has_its_own_schema_and_sees_nothing_of_the_other(
    server: EmbeddedPostgres, tmp_path: Path
) -> None:
    migrations = tmp_path / "migrations"
    migrations.mkdir()
    (migrations / "001_create_table.sql").write_text(
        "-- migrate:up\nCREATE TABLE secrets (id int);\n-- migrate:down\n"
    )
    for name in ("feedback", "profile"):
        migrate(server.dsn(f"harken_{name}"), name, migrations)
        migrate(server.dsn(f"harken_{name}"), name, migrations)

    connection = await asyncpg.connect(server.dsn("harken_feedback"))
    try:
        assert await connection.fetch("SELECT * FROM feedback.secrets") == []
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.fetch("SELECT * FROM profile.secrets")
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute("CREATE TABLE public.somewhere (id int)")
        assert await connection.fetchval("SELECT system_identifier FROM pg_control_system()")
        assert await connection.fetchval("SELECT timeline_id FROM pg_control_checkpoint()") == 1
    finally:
        await connection.close()


def test_databases_are_apart(server: EmbeddedPostgres) -> None:
    server.create_database("other")
    server.execute("CREATE TABLE here (id int)", "other")
    with pytest.raises(PostgresError, match="here"):
        server.execute("SELECT * FROM here")
    with pytest.raises(PostgresError, match="already exists"):
        server.create_database("other")
    server.drop_database("other")
    server.drop_database("other")
    with pytest.raises(ValueError, match="identifier"):
        server.create_database('x"; DROP')


def test_the_server_does_not_outlive_a_killed_owner(tmp_path: Path) -> None:
    script = (
        "import sys, time; from pathlib import Path\n"
        "from services.cli.embedded_postgres import EmbeddedPostgres\n"
        "from services.cli.guardian import Guardian\n"
        "server = EmbeddedPostgres(Path(sys.argv[1]), Guardian(), durable=False)\n"
        "server.start(); print(server.pid, flush=True); time.sleep(600)\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path / "orphan")],
        stdout=subprocess.PIPE,
        env=environment,
    ) as owner:
        assert owner.stdout is not None
        pid = int(owner.stdout.readline())
        owner.kill()
    deadline = time.monotonic() + 20
    while EmbeddedPostgres(tmp_path / "orphan", durable=False).pid is not None:
        assert time.monotonic() < deadline, f"server {pid} is still there"
