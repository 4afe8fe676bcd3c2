"""Migrations run under live pools of the release before (deploy/upgrades.md)."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
_COMMENT = re.compile(r"--[^\n]*|/\*.*?\*/", re.DOTALL)
# asyncpg 0.32 keeps prepared statements. Where another session widened the type of a parameter,
# they raise DataError for values that the old type does not hold, until a small value was sent.
_CHANGES_A_TYPE = re.compile(
    r"\balter\s+(column\s+)?(\"[^\"]+\"|\w+)\s+(set\s+data\s+)?type\b|"
    r"\balter\s+(type|domain)\b|\bdrop\s+(type|domain)\b",
    re.IGNORECASE,
)


def changes_a_type(sql: str) -> bool:
    return bool(_CHANGES_A_TYPE.search(_COMMENT.sub(" ", sql)))


def test_no_migration_changes_a_type() -> None:
    migrations = sorted(ROOT.glob("services/*/migrations/*.sql"))
    assert migrations
    assert [path.name for path in migrations if changes_a_type(path.read_text())] == []


@pytest.mark.parametrize(
    "sql",
    [
        "ALTER TABLE t ALTER COLUMN n TYPE bigint;",
        'alter table t\n  alter "n"\n  set data type bigint using n::bigint;',
        "ALTER TABLE t ADD COLUMN a int, ALTER n TYPE /* wide */ bigint",
        "ALTER TYPE mood ADD VALUE 'calm';",
        "ALTER DOMAIN d DROP CONSTRAINT c;",
    ],
)
def test_a_change_of_type_is_seen(sql: str) -> None:
    assert changes_a_type(sql)


@pytest.mark.parametrize(
    "sql",
    ["ALTER TABLE t ADD COLUMN type text;", "-- ALTER COLUMN n TYPE bigint\nSELECT 1;",
     "ALTER TABLE t ALTER COLUMN n SET DEFAULT 1;", "CREATE TYPE mood AS ENUM ('calm');"],
)  # fmt: skip
def test_other_changes_are_fine(sql: str) -> None:
    assert not changes_a_type(sql)
