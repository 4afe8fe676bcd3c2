"""Migrations are forward-only and only add, unless a line says which release made room.

The rule is in deploy/upgrades.md. Statements are judged by their words: what a function does when
it runs is not looked at.
"""

import re
from pathlib import Path

import pytest

from tests.operations.last_release import ROOT, last_release, migrations_of

MIGRATIONS = sorted(ROOT.glob("services/*/migrations/*.sql"))
CONTRACTING = (
    r"\bDROP\s+(?!NOT\s+NULL|DEFAULT)",
    r"\bRENAME\b",
    r"\bALTER\s+(COLUMN\s+)?\S+\s+(SET\s+DATA\s+)?TYPE\b",
    r"\bALTER\s+TYPE\b(?!.*\bADD\b)",
    r"\bSET\s+NOT\s+NULL\b",
    r"^TRUNCATE\b",
    r"^ALTER\s+TABLE\b.*\bADD\s+(CONSTRAINT|CHECK|UNIQUE|PRIMARY|FOREIGN|EXCLUDE)\b",
    r"\bADD\s+COLUMN\b(?=[^,]*\bNOT\s+NULL\b)(?![^,]*\bDEFAULT\b)",
    r"\bREVOKE\b",
)
MARK = re.compile(r"^--\s*contract:\s*\d+\.\d+\S*\s+\S+", re.MULTILINE)


def contracting(migration: str) -> list[str]:
    """Return the statements that take something away and have no mark."""
    up = migration.partition("-- migrate:down")[0]
    # Bodies of functions and texts are no statements, and may hold semicolons.
    plain = re.sub(r"\$(\w*)\$.*?\$\1\$", "''", up, flags=re.DOTALL)
    plain = _without_texts(plain)
    found = []
    for statement in plain.split(";"):
        words = " ".join(re.sub(r"--.*", "", statement).split())
        taken = any(re.search(rule, words, re.IGNORECASE) for rule in CONTRACTING)
        if taken and not MARK.search(statement):
            found.append(words)
    return found


def _without_texts(sql: str) -> str:
    lines = []
    for line in sql.splitlines():
        code, comment, rest = line.partition("--")
        lines.append(re.sub(r"'(?:[^']|'')*'", "''", code) + (comment + rest).replace(";", ""))
    return "\n".join(lines)


@pytest.mark.parametrize("path", MIGRATIONS, ids=lambda path: f"{path.parts[-3]}/{path.name}")
def test_a_migration_only_adds_and_has_no_way_down(path: Path) -> None:
    migration = path.read_text()
    assert not contracting(migration)
    assert migration.startswith("-- migrate:up\n")
    assert not migration.partition("-- migrate:down")[2].strip(), "migrations are forward-only"


def test_numbers_are_unique_and_in_order() -> None:
    for folder in {path.parent for path in MIGRATIONS}:
        numbers = [path.name.partition("_")[0] for path in sorted(folder.glob("*.sql"))]
        assert len(set(numbers)) == len(numbers)
        assert all(re.fullmatch(r"\d{3}", number) for number in numbers)


def test_released_migrations_are_as_they_were_released() -> None:
    released = migrations_of(last_release())
    assert released
    for path, content in released.items():
        assert (ROOT / path).read_text() == content, f"{path} was changed after its release"


@pytest.mark.parametrize(
    "statement",
    [
        "DROP TABLE items;",
        "ALTER TABLE items DROP COLUMN title;",
        "ALTER TABLE items RENAME COLUMN title TO name;",
        "ALTER TABLE items ALTER COLUMN title TYPE bytea;",
        "alter table items alter title set data type bytea;",
        "ALTER TABLE items ALTER COLUMN title SET NOT NULL;",
        "ALTER TABLE items ADD COLUMN title text NOT NULL;",
        "ALTER TABLE items ADD CONSTRAINT short CHECK (length(title) < 9);",
        "TRUNCATE items;",
        "-- a comment; with a semicolon\nDROP INDEX items_title;",
    ],
)
def test_what_takes_something_away_is_seen(statement: str) -> None:
    assert contracting(f"-- migrate:up\n{statement}\n-- migrate:down\n")
    marked = f"-- migrate:up\n-- contract: 0.3.0 stopped reading it\n{statement}\n-- migrate:down\n"
    if not statement.startswith("--"):
        assert not contracting(marked)


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TABLE items (title text NOT NULL, UNIQUE (title));",
        "ALTER TABLE items ADD COLUMN title text;",
        "ALTER TABLE items ADD COLUMN title text NOT NULL DEFAULT '';",
        "ALTER TABLE items ALTER COLUMN title DROP NOT NULL;",
        "CREATE TRIGGER stay BEFORE DELETE OR TRUNCATE ON items EXECUTE FUNCTION refuse();",
        "CREATE OR REPLACE FUNCTION f() RETURNS void LANGUAGE sql AS $$ DELETE FROM a; $$;",
        "-- once upon a time we had to DROP TABLE; not now\nSELECT 'DROP TABLE items';",
    ],
)
def test_what_only_adds_is_left_alone(statement: str) -> None:
    assert not contracting(f"-- migrate:up\n{statement}\n-- migrate:down\n")
