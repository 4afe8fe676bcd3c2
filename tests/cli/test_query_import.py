"""Rows of a query on a real PostgreSQL, as a file's rows: order, types, resuming, faults."""

import asyncio
from pathlib import Path

import asyncpg
import pytest

from services.cli.endpoints import Endpoints
from services.cli.failures import CommandError
from services.cli.imports.query_rows import QueryRows
from tests.cli.harken_process import harken
from tests.cli.scripted_suite import ScriptedSuite
from tests.conftest import FreshDatabase

ROWS = 5_001
EVENTS = "SELECT who AS user, what AS item, at AS timestamp, 'view' AS type FROM shop.clicks"
ORDERED = f"{EVENTS} ORDER BY number"


@pytest.fixture
def suite() -> ScriptedSuite:
    return ScriptedSuite()


@pytest.fixture(scope="module")
async def shop(module_database: FreshDatabase) -> str:
    """Return the DSN of a shop's database."""
    connection = await asyncpg.connect(module_database.admin_dsn)
    await connection.execute(
        "CREATE SCHEMA shop;"
        "CREATE TABLE shop.clicks (number int, who uuid, what text, at timestamptz);"
        "INSERT INTO shop.clicks SELECT n, gen_random_uuid(), 'i' || n % 50,"
        " timestamptz '2024-01-01 00:00:00+02' + n * interval '1 s'"
        f" FROM generate_series(1, {ROWS}) n;"
        "CREATE TABLE shop.items (id int, title text, genres text[], price numeric, sold bool,"
        " made date, weight float8);"
        "INSERT INTO shop.items VALUES (1, 'One', '{a,b}', 9.50, true, '2020-02-03', 'NaN'),"
        " (2, 'Two', NULL, 7, false, NULL, 1.5)"
    )
    await connection.close()
    return module_database.admin_dsn


def test_cells_are_as_those_of_files(shop: str) -> None:
    with QueryRows(shop, "SELECT * FROM shop.items ORDER BY id;") as rows:
        assert list(rows.columns) == ["id", "title", "genres", "price", "sold", "made", "weight"]
        assert [(row.number, row.cells) for row in rows.rows()] == [
            (
                1,
                {
                    "id": 1, "title": "One", "genres": ["a", "b"], "price": 9.5, "sold": True,
                    "made": "2020-02-03", "weight": None,
                },
            ),
            (
                2,
                {
                    "id": 2, "title": "Two", "genres": None, "price": 7, "sold": False,
                    "made": None, "weight": 1.5,
                },
            ),
        ]  # fmt: skip


async def test_reading_inside_a_loop_goes_page_by_page_and_can_be_left(shop: str) -> None:
    """As the imports do it. No session and no cursor stays behind."""
    with QueryRows(shop, ORDERED) as rows:
        assert rows.count_rows() == ROWS
        numbers = [row.number for row in rows.rows()]
        assert numbers == list(range(1, ROWS + 1))
        left = rows.rows()
        assert next(left).number == 1
        del left
        assert rows.is_ordered
    admin = await asyncpg.connect(shop)
    open_sessions = await admin.fetchval(
        "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'harken-import'"
        " AND datname = current_database()"
    )
    await admin.close()
    assert open_sessions == 0


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("SELECT nothing FROM shop.clicks", "nothing"),
        ("SELECT 1 AS a, 2 AS a", "different names"),
        ("DELETE FROM shop.clicks RETURNING who", "read-only"),
        ("SELECT 1; SELECT 2", "multiple commands"),
    ],
)
async def test_what_is_no_plain_select_is_refused(shop: str, query: str, says: str) -> None:
    def read() -> None:
        with QueryRows(shop, query) as rows:
            list(rows.rows())

    with pytest.raises(CommandError, match=says):
        await asyncio.to_thread(read)


def test_a_database_that_is_away_is_a_clear_failure() -> None:
    with (
        pytest.raises(CommandError, match="the query failed"),
        QueryRows("postgresql:///x?host=/nonexistent&user=x", "SELECT 1 AS user"),
    ):
        pass


async def test_the_command_imports_and_resumes_where_it_broke(
    suite: ScriptedSuite, endpoints: Endpoints, shop: str, tmp_path: Path
) -> None:
    """Truths 1 and 2 at the edge: rows that come later are imported by the same query."""
    arguments = ("import", "events", "--query", ORDERED, "--dsn", shop)
    done = await harken(*arguments, folder=tmp_path, endpoints=endpoints)
    assert done.code == 0, done.errors
    assert len(suite.events) == ROWS
    first = next(iter(suite.events.values()))
    # 2024-01-01 00:00:01 at +02:00.
    assert first.event_time.seconds == 1_704_060_001
    assert first.item_id == "i1"

    admin = await asyncpg.connect(shop)
    await admin.execute(
        f"INSERT INTO shop.clicks SELECT {ROWS} + n, gen_random_uuid(), 'new', now()"
        " FROM generate_series(1, 3) n"
    )
    await admin.close()
    again = await harken(*arguments, folder=tmp_path, endpoints=endpoints)
    assert again.code == 0, again.errors
    assert len(suite.events) == ROWS + 3


async def test_without_an_order_nothing_is_resumed_and_it_says_so(
    suite: ScriptedSuite, endpoints: Endpoints, shop: str, tmp_path: Path
) -> None:
    done = await harken(
        "import", "items", "--query", "SELECT id AS item, title, genres, price FROM shop.items",
        "--dsn", shop, folder=tmp_path, endpoints=endpoints,
    )  # fmt: skip
    assert done.code == 0, done.errors
    assert "no ORDER BY" in done.errors
    assert list(suite.items["1"].categories) == ["a", "b"]
    assert dict(suite.items["1"].numbers) == {"price": 9.5}


@pytest.mark.parametrize(
    "arguments",
    [(), ("events.csv", "--query", "SELECT 1"), ("--query", "SELECT 1 AS user")],
)
async def test_a_file_or_a_query_and_not_both(
    endpoints: Endpoints, tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    done = await harken("import", "events", *arguments, folder=tmp_path, endpoints=endpoints)
    assert done.code == 1
    assert "--query" in done.errors
