"""`harken generations`, `harken promote` and `harken rollback`: which generation serves."""

from typing import Annotated

import typer
from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Column, Table

from harken.feedback.v1 import generation_pb2
from harken.feedback.v1 import generation_service_pb2 as pb
from services.cli.clients import CALL_SECONDS, connect
from services.cli.console import output
from services.cli.endpoints import Endpoints
from services.cli.failures import clear_failures, run
from services.cli.generation_view import comparison_text, state_text
from services.cli.options import SuiteOptions, Tenant, with_suite_options


@with_suite_options
def generations(tenant: Tenant = "default", *, suite: SuiteOptions) -> None:
    """Show generations, newest first, and how they compare on live events."""
    with clear_failures():
        endpoints = suite.endpoints()
    run(_generations(endpoints, tenant))


@with_suite_options
def promote(
    generation: Annotated[str, typer.Argument(help="Id of a published generation.")],
    now: Annotated[
        bool,
        typer.Option("--now", help="Serve it as soon as it is built, not only when it is better."),
    ] = False,
    tenant: Tenant = "default",
    *,
    suite: SuiteOptions,
) -> None:
    """Stage a generation; it serves when it is better on live events, with confidence.

    It is built beside the one that serves. All rankers flip at one version of the feed.
    """
    with clear_failures():
        endpoints = suite.endpoints()
    mode = pb.PROMOTION_MODE_NOW if now else pb.PROMOTION_MODE_IF_BETTER
    request = pb.PromoteGenerationRequest(tenant=tenant, generation_id=generation, mode=mode)
    run(_promote(endpoints, request))


@with_suite_options
def rollback(tenant: Tenant = "default", *, suite: SuiteOptions) -> None:
    """Go back: withdraw what is staged, or serve the generation that served before."""
    with clear_failures():
        endpoints = suite.endpoints()
    run(_rollback(endpoints, tenant))


async def _generations(endpoints: Endpoints, tenant: str) -> None:
    async with connect(endpoints) as clients:
        answer = await clients.generations.ListGenerations(
            pb.ListGenerationsRequest(tenant=tenant), timeout=CALL_SECONDS
        )
    # Ids are what promote takes: they are never cut.
    table = Table(
        Column("generation", no_wrap=True), "state", "trained through", "against serving",
        "reference against live", "rolled back", box=SIMPLE_HEAD,
    )  # fmt: skip
    for one in answer.generations:
        trained = one.manifest.trained_through_sequence
        table.add_row(
            escape(one.manifest.generation_id), escape(state_text(one)),
            f"{trained:,}" if trained else "-", comparison_text(one.validation),
            comparison_text(one.guard), str(one.vector_rollbacks or "-"),
        )  # fmt: skip
    output().print(table)


async def _promote(endpoints: Endpoints, request: pb.PromoteGenerationRequest) -> None:
    async with connect(endpoints) as clients:
        answer = await clients.generations.PromoteGeneration(request, timeout=CALL_SECONDS)
    name = escape(request.generation_id)
    if answer.state == generation_pb2.GENERATION_STATE_ACTIVE:
        output().print(f"generation {name} serves, from position {answer.position.hex()} on")
        return
    when = "is built" if request.mode == pb.PROMOTION_MODE_NOW else "is better on live events"
    what = "is staged" if answer.position else "was staged already"
    output().print(f"generation {name} {what}: it serves when it {when} (`harken generations`)")


async def _rollback(endpoints: Endpoints, tenant: str) -> None:
    async with connect(endpoints) as clients:
        answer = await clients.generations.RollbackGeneration(
            pb.RollbackGenerationRequest(tenant=tenant), timeout=CALL_SECONDS
        )
    name, position = escape(answer.generation_id), answer.position.hex()
    if answer.state == generation_pb2.GENERATION_STATE_ACTIVE:
        output().print(f"generation {name} serves, from position {position} on")
    else:
        output().print(f"generation {name} is built again, and serves when it is")
