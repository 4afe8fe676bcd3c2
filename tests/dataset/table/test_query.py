"""Rows of a query on a real PostgreSQL, as a file's rows: order, types, faults."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

import asyncpg
import pytest

from services.dataset.faults import SourceError
from services.dataset.table.table import Source, Table, open_table
from services.dataset.values.cells import Moment
from tests.conftest import FreshDatabase
from tests.dataset.shop import EVENTS, ORDERED, ROWS, fill


@pytest.fixture(scope="module")
async def shop(module_database: FreshDatabase) -> str:
    """Return the DSN of a shop's database."""
    await fill(module_database.admin_dsn)
    return module_database.admin_dsn


@contextmanager
def queried(dsn: str, query: str) -> Iterator[Table]:
    with open_table(Source(query=query, dsn=dsn)) as table:
        yield table


def rows_of(table: Table) -> list[dict[str, object]]:
    return [block.row(index) for block in table.blocks() for index in range(block.rows)]


def test_cells_are_as_those_of_files(shop: str) -> None:
    with queried(shop, "SELECT * FROM shop.items ORDER BY id;") as table:
        assert list(table.columns) == ["id", "title", "genres", "price", "sold", "made", "weight"]
        assert table.resumable
        assert rows_of(table) == [
            {
                "id": 1, "title": "One", "genres": ["a", "b"], "price": 9.5, "sold": True,
                "made": "2020-02-03", "weight": None,
            },
            {
                "id": 2, "title": "Two", "genres": None, "price": 7, "sold": False, "made": None,
                "weight": 1.5,
            },
        ]  # fmt: skip


def test_numbers_times_and_objects_lose_nothing(shop: str) -> None:
    query = (
        "SELECT 1234567890123456789012::numeric AS long, 0.1::numeric AS tenth,"
        " 'NaN'::numeric AS nothing, 9007199254740993::bigint AS big,"
        " timestamptz '2024-05-01 10:00:00.123456+02' AS aware,"
        ' timestamp \'2024-05-01 10:00:00\' AS naive, \'{"a": {"b": "c"}}\'::jsonb AS object'
    )
    with queried(shop, query) as table:
        (block,) = table.blocks()
        assert block.row(0) == {
            "long": 1234567890123456789012, "tenth": 0.1, "nothing": None,
            "big": 9007199254740993, "aware": Moment(1714550400123456, True),
            "naive": Moment(1714557600000000, False), "object": '{"a": {"b": "c"}}',
        }  # fmt: skip
        # A path goes into JSON, which comes as text.
        assert block.column("object.a.b") == ["c"]
        assert not table.resumable


async def test_reading_inside_a_loop_goes_page_by_page_and_can_be_left(shop: str) -> None:
    """As the imports do it. No session and no cursor stays behind."""
    with queried(shop, ORDERED) as table:
        blocks = list(table.blocks())
        assert len(blocks) > 1
        assert [n for block in blocks for n in block.numbers] == list(range(1, ROWS + 1))
        left = table.blocks()
        assert next(left).numbers[0] == 1
        del left
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
        with queried(shop, query) as table:
            list(table.blocks())

    with pytest.raises(SourceError, match=says):
        await asyncio.to_thread(read)


def test_a_database_that_is_away_is_a_clear_failure() -> None:
    with (
        pytest.raises(SourceError, match="the query failed"),
        queried("postgresql:///x?host=/nonexistent&user=x", "SELECT 1 AS user"),
    ):
        pass


def test_a_fingerprint_is_that_of_query_and_database(shop: str) -> None:
    prints = []
    for query in (EVENTS, f"{EVENTS} ;", ORDERED):
        with queried(shop, query) as table:
            prints.append(table.fingerprint)
    assert prints[0] == prints[1] != prints[2]
