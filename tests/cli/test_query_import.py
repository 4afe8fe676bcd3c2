"""Rows of a query on a real PostgreSQL go in as a file's do, and broken imports go on."""

from pathlib import Path

import asyncpg
import pytest

from services.cli.endpoints import Endpoints
from tests.cli.harken_process import harken
from tests.cli.scripted_suite import ScriptedSuite
from tests.conftest import FreshDatabase
from tests.dataset.shop import ORDERED, ROWS, fill


@pytest.fixture
def suite() -> ScriptedSuite:
    return ScriptedSuite()


@pytest.fixture(scope="module")
async def shop(module_database: FreshDatabase) -> str:
    """Return the DSN of a shop's database."""
    await fill(module_database.admin_dsn)
    return module_database.admin_dsn


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
