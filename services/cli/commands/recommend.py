"""`harken recommend`: a slate, with titles, sources and reasons."""

import time
from typing import Annotated

import typer
from google.protobuf import json_format
from rich.markup import escape

from harken.ranker.v1 import ranker_service_pb2, slate_pb2
from services.cli.clients import CALL_SECONDS, connect
from services.cli.console import output
from services.cli.endpoints import Endpoints
from services.cli.failures import clear_failures, run
from services.cli.options import SuiteOptions, Tenant, with_suite_options
from services.cli.request_options import context_values, position_of
from services.cli.slate_view import items_by_id, named_items, slate_table
from services.cli.subjects import seconds, subject_of

_MOST_SEED = 2**64 - 1
"""It is a fixed64."""


@with_suite_options
def recommend(
    user: Annotated[str, typer.Argument(help="Id of the user (of the session with --session).")],
    session: Annotated[bool, typer.Option("--session", help="USER is a session.")] = False,
    count: Annotated[int, typer.Option(min=1, max=1000, help="Number of items.")] = 10,
    surface: Annotated[str, typer.Option(help="Place where the slate is shown.")] = "home",
    category: Annotated[
        list[str] | None, typer.Option(help="Only items of this category; may be repeated.")
    ] = None,
    exclude: Annotated[
        list[str] | None, typer.Option(help="Leave out this item; may be repeated.")
    ] = None,
    expression: Annotated[
        str, typer.Option("--filter", help="Only items for which this is true, in CEL.")
    ] = "",
    context: Annotated[
        list[str] | None,
        typer.Option(help="What rules see of the request, KEY=VALUE; may be repeated."),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(min=0, max=_MOST_SEED, help="Decides what the surface leaves to chance."),
    ] = None,
    non_personal: Annotated[
        bool, typer.Option("--non-personal", help="Use nothing that is known about the user.")
    ] = False,
    explain: Annotated[
        bool, typer.Option("--explain", help="Say what speaks for each item, and how much.")
    ] = False,
    allow_seen: Annotated[bool, typer.Option(help="Keep items the user has seen.")] = False,
    min_position: Annotated[
        str, typer.Option(help="Position from RecordEvents, in hexadecimal.")
    ] = "",
    min_learned_position: Annotated[
        str,
        typer.Option(help="Position from `harken import items` and others, in hexadecimal."),
    ] = "",
    wait: Annotated[float, typer.Option(help="Seconds to wait for these positions.")] = 0.1,
    strict: Annotated[bool, typer.Option(help="Fail when one of them is not reached.")] = False,
    log: Annotated[
        bool,
        typer.Option(
            "--log",
            help="The slate counts as shown: it is logged (a configured share of slates is) and "
            "remembered, and what follows from it teaches. Default: a preview, which leaves no "
            "trace.",
        ),
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="All of the answer, as JSON; positions in base64.")
    ] = False,
    tenant: Tenant = "default",
    *,
    suite: SuiteOptions,
) -> None:
    """Show the slate that a user gets now.

    It is a preview, which is in no log, unless --log says that it counts as shown: `harken explain`
    and `harken export --kind slates` know it from then on.
    """
    with clear_failures():
        endpoints = suite.endpoints()
        position = position_of("--min-position", min_position)
        learned_position = position_of("--min-learned-position", min_learned_position)
        values = context_values(context)
    request = ranker_service_pb2.RecommendRequest(
        preview=not log,
        tenant=tenant,
        subject=subject_of(user, session),
        surface=surface,
        count=count,
        filter=slate_pb2.Filter(
            categories=category or [], allow_seen=allow_seen, expression=expression
        ),
        excluded_item_ids=exclude or [],
        min_position=position,
        min_learned_position=learned_position,
        strict=strict,
        seed=seed,
        non_personal=non_personal,
        explain=explain,
    )
    if context:
        request.context.values.update(values)
    if position or learned_position:
        request.wait_budget.CopyFrom(seconds(wait))
    run(_recommend(endpoints, request, as_json))


def _said(degradation: slate_pb2.Degradation) -> str:
    return slate_pb2.Degradation.Name(degradation).removeprefix("DEGRADATION_").lower()


def _trace(
    request: ranker_service_pb2.RecommendRequest, slate: ranker_service_pb2.RecommendResponse
) -> str:
    """Return whether the slate leaves a trace."""
    if request.preview:
        return "preview: not logged"
    if request.non_personal:
        return "not personal: not logged"
    return "counts as shown" if slate.slots else "empty: not logged"


async def _recommend(
    endpoints: Endpoints, request: ranker_service_pb2.RecommendRequest, as_json: bool
) -> None:
    async with connect(endpoints) as clients:
        started = time.perf_counter()
        slate = await clients.ranker.Recommend(request, timeout=CALL_SECONDS)
        took = time.perf_counter() - started
        if as_json:
            typer.echo(json_format.MessageToJson(slate, preserving_proto_field_name=True))
            return
        items = await items_by_id(clients, request.tenant, named_items(slate.slots))
    console = output()
    console.print(slate_table(slate.slots, items))
    known = "nothing is known about the subject" if slate.unknown_subject else "personal"
    if slate.non_personal:
        known = "not personal: nothing that is known about the subject was used"
    fresh = "[bold red]stale[/]" if slate.stale else "fresh"
    console.print(
        f"{known}; {fresh}; position {slate.position.hex()}; learned position "
        f"{slate.learned_position.hex()}; generation "
        f"{escape(slate.generation_id)}; policy {escape(slate.policy)}; slate {slate.slate_id} "
        f"({_trace(request, slate)}); {took * 1000:.1f} ms"
    )
    if slate.degradations:
        console.print(f"[bold red]degraded:[/] {', '.join(map(_said, slate.degradations))}")
    if slate.unknown_categories:
        unknown = ", ".join(slate.unknown_categories)
        console.print(f"[bold red]no item has category:[/] {escape(unknown)}")
    for one in slate.experiments:
        without = "; it could not be served, this is as without" if one.not_served else ""
        console.print(f"[bold]experiment:[/] {one.experiment}: {one.variant}{without}")
    for lost in slate.lost_rules:
        console.print(f"[bold red]lost:[/] {escape(lost.rule)}: {escape(lost.why)}")
    drops = slate.drops
    console.print(
        f"[dim]dropped: {drops.seen} seen, {drops.excluded} excluded, "
        f"{drops.unavailable} unavailable, {drops.category} by category, {drops.gate} by gates, "
        f"{drops.expression} by --filter, {drops.shown} shown lately[/]"
    )
