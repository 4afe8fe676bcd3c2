"""`harken items list|show|hide|unhide|delete`: the catalogue, item by item."""

import json
from collections.abc import Sequence
from typing import Annotated

import typer
from google.protobuf.timestamp_pb2 import Timestamp
from rich.text import Text

from harken.feedback.v1 import item_pb2
from services.cli.catalogue import Changed, delete_items, found_items, set_available
from services.cli.clients import connect
from services.cli.confirmation import confirm_deletion
from services.cli.console import messages, output
from services.cli.endpoints import Endpoints
from services.cli.failures import clear_failures, run
from services.cli.item_view import (
    id_text,
    item_fields,
    item_json,
    item_table,
    outcome_table,
)
from services.cli.listing import listed_items
from services.cli.options import SuiteOptions, Tenant, with_suite_options

app = typer.Typer(help="Look at items of the catalogue, hide, show and delete them.")

ItemIds = Annotated[list[str], typer.Argument(metavar="ID", help="Ids of items.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object a line.")]

_PAGE = 1_000


@app.command("list")
@with_suite_options
def list_items(
    limit: Annotated[int, typer.Option(min=1, help="How many items.")] = 20,
    everything: Annotated[bool, typer.Option("--all", help="All items.")] = False,
    as_json: AsJson = False,
    tenant: Tenant = "default",
    *,
    suite: SuiteOptions,
) -> None:
    """List items in order of their ids."""
    with clear_failures():
        endpoints = suite.endpoints()
    run(_list(endpoints, tenant, None if everything else limit, as_json))


@app.command()
@with_suite_options
def show(
    item_ids: ItemIds, as_json: AsJson = False, tenant: Tenant = "default", *, suite: SuiteOptions
) -> None:
    """Show all that is known of items."""
    with clear_failures():
        endpoints = suite.endpoints()
    _exit(run(_show(endpoints, tenant, item_ids, as_json)))


@app.command()
@with_suite_options
def hide(
    item_ids: ItemIds, as_json: AsJson = False, tenant: Tenant = "default", *, suite: SuiteOptions
) -> None:
    """Keep items out of all slates, until `harken items unhide`; they keep what they learned."""
    with clear_failures():
        endpoints = suite.endpoints()
    _exit(run(_make_available(endpoints, tenant, item_ids, False, as_json)))


@app.command()
@with_suite_options
def unhide(
    item_ids: ItemIds, as_json: AsJson = False, tenant: Tenant = "default", *, suite: SuiteOptions
) -> None:
    """Let items into slates again. An item that has expired stays out all the same."""
    with clear_failures():
        endpoints = suite.endpoints()
    _exit(run(_make_available(endpoints, tenant, item_ids, True, as_json)))


@app.command()
@with_suite_options
def delete(
    item_ids: ItemIds,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: AsJson = False,
    tenant: Tenant = "default",
    *,
    suite: SuiteOptions,
) -> None:
    """Delete items, for good: an item of the same id starts anew. Their events stay in the log."""
    with clear_failures():
        endpoints = suite.endpoints()
    _exit(run(_delete(endpoints, tenant, item_ids, yes, as_json)))


async def _list(endpoints: Endpoints, tenant: str, limit: int | None, as_json: bool) -> None:
    shown = 0
    size = _PAGE if limit is None else min(limit + 1, _PAGE)
    async with connect(endpoints) as clients:
        async for page in listed_items(clients, tenant, size):
            wanted = page if limit is None else page[: limit - shown]
            shown += len(wanted)
            _print_items(wanted, as_json)
            if len(wanted) < len(page):
                messages().print(f"the first {shown:,} items; --all lists all of them")
                return
    if not shown:
        messages().print(f"tenant {tenant} has no items")


async def _show(
    endpoints: Endpoints, tenant: str, item_ids: Sequence[str], as_json: bool
) -> list[str]:
    """Return the ids that are missing."""
    async with connect(endpoints) as clients:
        items, missing = await found_items(clients, tenant, item_ids)
    for item in items:
        if as_json:
            typer.echo(item_json(item))
        else:
            output().print(item_fields(item, _now()))
    return missing


async def _make_available(
    endpoints: Endpoints, tenant: str, item_ids: Sequence[str], available: bool, as_json: bool
) -> list[str]:
    """Return the ids that are missing."""
    words = ("shown", "was shown already") if available else ("hidden", "was hidden already")
    async with connect(endpoints) as clients:
        items, missing = await found_items(clients, tenant, item_ids)
        done = await set_available(clients, tenant, [one.item_id for one in items], available)
    return _report(items, missing, done, words, as_json)


async def _delete(
    endpoints: Endpoints, tenant: str, item_ids: Sequence[str], yes: bool, as_json: bool
) -> list[str]:
    """Return the ids that are missing."""
    async with connect(endpoints) as clients:
        items, missing = await found_items(clients, tenant, item_ids)
        if items and not yes:
            what = "this item" if len(items) == 1 else f"these {len(items):,} items"
            confirm_deletion(
                f"Delete {what} for good?", lambda: messages().print(item_table(items, _now()))
            )
        done = await delete_items(clients, tenant, [one.item_id for one in items])
    return _report(items, missing, done, ("deleted", "deleted"), as_json)


def _report(
    items: Sequence[item_pb2.Item],
    missing: Sequence[str],
    done: Changed,
    words: tuple[str, str],
    as_json: bool,
) -> list[str]:
    """Print what became of items, and return the ids of all that are missing."""
    there = [item for item in items if item.item_id in done.changed]
    outcomes = [(item, words[0] if done.changed[item.item_id] else words[1]) for item in there]
    if as_json:
        for item, outcome in outcomes:
            line = {"item": item.item_id, "title": item.title, "outcome": outcome}
            typer.echo(json.dumps(line, ensure_ascii=False))
    elif outcomes:
        output().print(outcome_table(outcomes))
        if done.position:
            output().print(f"position {done.position.hex()}")
    gone = [item.item_id for item in items if item.item_id not in done.changed]
    return [*missing, *gone]


def _print_items(items: Sequence[item_pb2.Item], as_json: bool) -> None:
    if as_json:
        for item in items:
            typer.echo(item_json(item))
    elif items:
        output().print(item_table(items, _now()))


def _exit(missing: Sequence[str]) -> None:
    """End with code 1 when items are missing, and name them."""
    if missing:
        names = Text(", ").join(id_text(item_id) for item_id in missing)
        messages().print(Text.assemble(("not in the catalogue: ", "bold red"), names))
        raise typer.Exit(1)


def _now() -> Timestamp:
    now = Timestamp()
    now.GetCurrentTime()
    return now
