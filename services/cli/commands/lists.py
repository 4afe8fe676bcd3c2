"""`harken trending` and `harken latest`: lists that nobody in particular asks for."""

from datetime import UTC, datetime
from typing import Annotated

import typer
from google.protobuf import json_format
from rich.box import SIMPLE_HEAD
from rich.table import Table

from harken.ranker.v1 import ranker_service_pb2 as pb
from harken.ranker.v1 import slate_pb2
from services.cli.clients import CALL_SECONDS, Clients, connect
from services.cli.console import messages, output
from services.cli.endpoints import Endpoints
from services.cli.failures import clear_failures, run
from services.cli.item_view import id_text, plain_text
from services.cli.options import SuiteOptions, Tenant, with_suite_options
from services.cli.request_options import context_values
from services.cli.slate_view import items_by_id, rules_text, title_of

Count = Annotated[int, typer.Option(min=1, max=1000, help="Number of items.")]
SurfaceName = Annotated[
    str, typer.Option("--surface", help="Surface whose gates and rules hold; default: none.")
]
Categories = Annotated[
    list[str] | None, typer.Option("--category", help="Only items of it; may be repeated.")
]
Expression = Annotated[
    str, typer.Option("--filter", help="Only items for which this is true, in CEL.")
]
Values = Annotated[
    list[str] | None,
    typer.Option("--context", help="What rules see of the request, KEY=VALUE; may be repeated."),
]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object a line.")]
_Answer = pb.ListTrendingResponse | pb.ListLatestResponse


@with_suite_options
def trending(
    count: Count = 10,
    surface: SurfaceName = "",
    category: Categories = None,
    expression: Expression = "",
    context: Values = None,
    as_json: AsJson = False,
    tenant: Tenant = "default",
    *,
    suite: SuiteOptions,
) -> None:
    """Show what is popular just now, the most popular first."""
    with clear_failures():
        endpoints = suite.endpoints()
        values = pb.Context(values=context_values(context))
    wanted = slate_pb2.Filter(categories=category or [], expression=expression)
    request = pb.ListTrendingRequest(
        tenant=tenant, surface=surface, count=count, filter=wanted, context=values
    )
    run(_show(endpoints, request, as_json))


@with_suite_options
def latest(
    count: Count = 10,
    surface: SurfaceName = "",
    category: Categories = None,
    expression: Expression = "",
    context: Values = None,
    as_json: AsJson = False,
    tenant: Tenant = "default",
    *,
    suite: SuiteOptions,
) -> None:
    """Show what was published last, the newest first."""
    with clear_failures():
        endpoints = suite.endpoints()
        values = pb.Context(values=context_values(context))
    wanted = slate_pb2.Filter(categories=category or [], expression=expression)
    request = pb.ListLatestRequest(
        tenant=tenant, surface=surface, count=count, filter=wanted, context=values
    )
    run(_show(endpoints, request, as_json))


async def _show(
    endpoints: Endpoints, request: pb.ListTrendingRequest | pb.ListLatestRequest, as_json: bool
) -> None:
    async with connect(endpoints) as clients:
        answer = await _listed(clients, request)
        if as_json:
            for slot in answer.slots:
                typer.echo(
                    json_format.MessageToJson(slot, indent=None, preserving_proto_field_name=True)
                )
        else:
            items = await items_by_id(
                clients, request.tenant, [slot.item_id for slot in answer.slots]
            )
            titles = [title_of(items, slot.item_id) for slot in answer.slots]
            output().print(_table(answer, titles))
    for name in answer.unknown_categories:
        messages().print("no item has category ", plain_text(name))
    for lost in answer.lost_rules:
        messages().print("lost: ", plain_text(lost.rule), ": ", plain_text(lost.why))


async def _listed(
    clients: Clients, request: pb.ListTrendingRequest | pb.ListLatestRequest
) -> _Answer:
    if isinstance(request, pb.ListTrendingRequest):
        return await clients.ranker.ListTrending(request, timeout=CALL_SECONDS)
    return await clients.ranker.ListLatest(request, timeout=CALL_SECONDS)


def _table(answer: _Answer, titles: list[str]) -> Table:
    by_time = isinstance(answer, pb.ListLatestResponse)
    table = Table("#", "id", "item", "published" if by_time else "trend", box=SIMPLE_HEAD)
    with_rules = any(slot.applied_rules for slot in answer.slots)
    if with_rules:
        table.add_column("rules")
    for place, (slot, title) in enumerate(zip(answer.slots, titles, strict=True), 1):
        table.add_row(
            str(place),
            id_text(slot.item_id),
            plain_text(title),
            _when(slot.score) if by_time else f"{slot.score:.2f}",
            *([plain_text(rules_text(slot))] if with_rules else []),
        )
    return table


def _when(seconds: float) -> str:
    if seconds != seconds:
        return ""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S")
