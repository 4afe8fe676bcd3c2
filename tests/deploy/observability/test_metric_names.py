"""What rules, dashboard, runbook and the list of metrics name is what processes serve."""

import re

import asyncpg
import pytest
import pytest_asyncio

from services.cli.suite import Suite
from tests.conftest import FreshDatabase, StartSuite
from tests.deploy.observability.metrics_page import FILE, page
from tests.deploy.observability.promql import metrics_of, rules, runbook_blocks
from tests.deploy.observability.scrape import Scrape, scrape
from tests.deploy.observability.test_rules import dashboard_expressions

# Units and counts: base units only.
WRONG_UNITS = ("_ms", "_milliseconds", "_minutes", "_kb", "_mb", "_percent", "_us")


@pytest.fixture(scope="module")
def running(module_suite: StartSuite) -> Suite:
    return module_suite(split_feedback=True)


@pytest_asyncio.fixture(scope="module")
async def found(running: Suite) -> dict[str, Scrape]:
    return await scrape(running)


def test_every_metric_that_is_named_exists(found: dict[str, Scrape]) -> None:
    there = set[str]().union(*(one.names() for one in found.values()))
    named = {
        (where, name)
        for where, expression in (
            *((rule.name, rule.expression) for rule in rules()),
            *(("dashboard", one) for one in dashboard_expressions()),
            *runbook_blocks("promql"),
        )
        for name in metrics_of(expression)
        if not name.startswith("harken:")
    }
    assert len({name for _, name in named}) > 50
    assert not {pair for pair in named if pair[1] not in there}


def test_the_list_of_metrics_is_complete(found: dict[str, Scrape]) -> None:
    assert FILE.read_text() == page(found)


def test_names_and_texts_follow_the_conventions(found: dict[str, Scrape]) -> None:
    for one in found.values():
        for family in one.families.values():
            name, text = family.name, family.documentation
            assert re.fullmatch(r"(harken|process)_[a-z0-9_]+", name)
            assert not name.endswith(WRONG_UNITS), name
            assert len(text) > 10 and text.endswith("."), f"{name}: {text!r}"
            if name.endswith("_seconds") and family.type in ("gauge", "histogram"):
                assert "econds" in text or "time" in text, f"{name}: {text!r} names no unit"
            if name.endswith("_bytes"):
                assert "ytes" in text, f"{name}: {text!r} names no unit"
            for sample in family.samples:
                # Nothing that names a user, an item or a slate.
                assert not set(sample.labels) & {"user", "user_id", "item", "item_id", "slate_id"}


async def test_the_statements_of_the_runbook_run(
    running: Suite, module_database: FreshDatabase
) -> None:
    statements = runbook_blocks("sql")
    assert len(statements) > 5
    connection = await asyncpg.connect(module_database.admin_dsn)
    try:
        for page_name, statement in statements:
            try:
                await connection.fetch(statement)
            except asyncpg.PostgresError as error:
                pytest.fail(f"{page_name}: {statement}: {error}")
    finally:
        await connection.close()
