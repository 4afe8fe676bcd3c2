"""The role of the vault, as a deployment makes it, and those of the services, have least rights."""

from collections.abc import Callable, Iterator
from pathlib import Path

import asyncpg
import pytest

from services.cli.embedded_postgres import EmbeddedPostgres
from services.common.migrations import migrate
from services.common.vault.user_keys import SCHEMA
from tests.conftest import FreshDatabase

ROOT = Path(__file__).parents[2]
ROLES = (ROOT / "deploy/privacy/roles.sql").read_text()
REFUSED = {
    "harken_keys": (
        "CREATE TABLE keys.mine (a int)",
        "ALTER TABLE keys.user_keys ADD COLUMN plain bytea",
        "DROP TABLE keys.user_keys",
        "TRUNCATE keys.user_keys",
        "CREATE OR REPLACE FUNCTION keys.retire_master_key(version integer) RETURNS bigint"
        " LANGUAGE sql AS 'SELECT 0::bigint'",
        "CREATE SCHEMA mine",
        "CREATE TABLE public.mine (a int)",
        "SET ROLE harken_keys_owner",
        "SELECT * FROM other.log",
    ),
    "harken_feedback": ("SELECT * FROM keys.user_keys", "DELETE FROM keys.user_keys"),
    "harken_profile": ("SELECT * FROM keys.user_keys", "SELECT keys.retire_master_key(1)"),
}


@pytest.fixture(scope="module")
def deployed(
    postgres: EmbeddedPostgres, new_database: Callable[[], FreshDatabase]
) -> Iterator[FreshDatabase]:
    made = new_database()
    passwords = "\\set keys pass\n\\set keys_owner pass\n"
    # Twice, as an upgrade does.
    for _ in range(2):
        postgres.execute(passwords + ROLES, made.name)
    postgres.execute("CREATE SCHEMA other; CREATE TABLE other.log ()", made.name)
    migrations = ROOT / "services/common/vault/migrations"
    migrate(postgres.dsn("harken_keys_owner", made.name), SCHEMA, migrations)
    yield made
    postgres.drop_database(made.name)


@pytest.mark.parametrize("role", REFUSED)
async def test_what_is_not_its_own_is_refused(
    postgres: EmbeddedPostgres, deployed: FreshDatabase, role: str
) -> None:
    connection = await asyncpg.connect(postgres.dsn(role, deployed.name))
    try:
        for statement in REFUSED[role]:
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(statement)
    finally:
        await connection.close()


async def test_what_processes_do_is_not(
    postgres: EmbeddedPostgres, deployed: FreshDatabase
) -> None:
    connection = await asyncpg.connect(
        postgres.dsn("harken_keys", deployed.name), server_settings={"search_path": SCHEMA}
    )
    wrapped = (1).to_bytes(4)
    create = "SELECT is_new FROM create_user_keys('a', $1, $2, $3, $4)"
    assert await connection.fetchval(create, [b"k"], [wrapped + b"1"], [b""], 1)
    assert not await connection.fetchval(create, [b"k"], [wrapped + b"2"], [b""], 1)
    # One is wrapped by version 1; nothing more will be.
    assert await connection.fetchval("SELECT retire_master_key(1)") == 1
    with pytest.raises(asyncpg.ObjectNotInPrerequisiteStateError):
        await connection.execute(create, [b"l"], [wrapped + b"3"], [b""], 1)
    assert await connection.fetchval("SELECT count(*) FROM user_keys") == 1
    await connection.execute("DELETE FROM user_keys")
    await connection.close()
