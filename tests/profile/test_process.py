"""The process: configuration, migration, what its role may see."""

from pathlib import Path

import asyncpg
import pytest

from services.common.migrations import migrate
from services.profile.process import MIGRATIONS, SCHEMA
from tests.conftest import FreshDatabase
from tests.profile.script import Happening, Script
from tests.profile.scripted_feedback import ScriptedFeedback
from tests.profile.service_under_test import ServiceProcess, run_profile

_GOOD = {"HARKEN_PROFILE_DSN": "postgresql:///harken"}


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("HARKEN_PROFILE_DSN", None),
        ("HARKEN_PROFILE_DSN", "mysql://there"),
        ("HARKEN_PROFILE_LISTEN", "7402"),
        ("HARKEN_PROFILE_METRICS_LISTEN", "127.0.0.1:99999"),
        ("HARKEN_PROFILE_LOG_LEVEL", "loud"),
        ("HARKEN_PROFILE_POOL_SIZE", "0"),
        ("HARKEN_PROFILE_READY_MAX_LAG_ENTRIES", "many"),
        ("HARKEN_PROFILE_FEEDBACK_TARGET", ""),
        ("HARKEN_PROFILE_GATHER_SECONDS", "6"),
        ("HARKEN_PROFILE_LEARNED_GATHER_SECONDS", "-1"),
    ],
)
async def test_a_wrong_setting_fails_at_start_and_is_named(key: str, value: str | None) -> None:
    environment = {**_GOOD, key: value or ""} if value is not None else {}
    process = await run_profile(**environment)
    _, stderr = await process.communicate()
    assert process.returncode == 2
    assert stderr.decode().startswith(f"{key}: ")


async def test_without_tables_it_says_what_to_do(database: FreshDatabase) -> None:
    process = await run_profile(HARKEN_PROFILE_DSN=database.profile_dsn)
    _, stderr = await process.communicate()
    assert process.returncode == 1
    assert "--migrate" in stderr.decode()


async def test_migrates_and_then_serves(
    tmp_path: Path, database: FreshDatabase, feedback: ScriptedFeedback, script: Script
) -> None:
    for _ in range(2):
        migration = await run_profile("--migrate", HARKEN_PROFILE_DSN=database.profile_dsn)
        _, stderr = await migration.communicate()
        assert migration.returncode == 0, stderr
    feedback.publish(script.events([Happening("ann", "a")]))
    process = await ServiceProcess.start(tmp_path, database.profile_dsn, feedback.target)
    await process.wait_until_ready()
    assert (await process.get("ann", script.position)).profile.counters.events == 1
    assert await process.stop() == 0


async def test_neither_role_sees_the_tables_of_the_other(database: FreshDatabase) -> None:
    migrate(database.profile_dsn, SCHEMA, MIGRATIONS)
    feedback = await asyncpg.connect(database.feedback_dsn)
    profile = await asyncpg.connect(database.profile_dsn)
    try:
        await feedback.execute("CREATE SCHEMA feedback")
        await feedback.execute("CREATE TABLE feedback.log (entry text)")
        for connection, table in ((profile, "feedback.log"), (feedback, "profile.attributes")):
            for statement in (f"SELECT * FROM {table}", f"DELETE FROM {table}"):
                with pytest.raises(asyncpg.InsufficientPrivilegeError):
                    await connection.execute(statement)
        tables = await profile.fetch(
            "SELECT tablename FROM pg_tables WHERE schemaname = 'profile' AND tableowner = $1",
            "harken_profile",
        )
        assert "histories" in {row["tablename"] for row in tables}
    finally:
        await feedback.close()
        await profile.close()
