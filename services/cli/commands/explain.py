"""`harken explain`: why a slate of before was as it was, replayed from the log."""

from collections.abc import Iterable
from typing import Annotated

import grpc
import typer
from google.protobuf import json_format
from rich.box import SIMPLE_HEAD
from rich.table import Table

from harken.feedback.v1 import experiment_service_pb2
from harken.ranker.v1 import ranker_service_pb2, replayed_slate_pb2, slate_pb2
from services.cli.clients import CALL_SECONDS, Clients, connect
from services.cli.console import output
from services.cli.endpoints import Endpoints
from services.cli.failures import clear_failures, run
from services.cli.item_view import id_text, plain_text
from services.cli.options import SuiteOptions, Tenant, with_suite_options

_OUTCOMES = {
    replayed_slate_pb2.REPLAY_OUTCOME_SAME: "decided again: the same items and propensities, to"
    " the last bit",
    replayed_slate_pb2.REPLAY_OUTCOME_DIFFERENT: "decided again: NOT the same",
    replayed_slate_pb2.REPLAY_OUTCOME_NOT_LOGGED: "nothing of the surface had a part in it, or how"
    " it was decided is not in the log",
}


@with_suite_options
def explain(
    slate_id: Annotated[
        str, typer.Argument(metavar="SLATE_ID", help="Id that an answer of Recommend has.")
    ],
    as_json: Annotated[bool, typer.Option("--json", help="All of it, as JSON.")] = False,
    tenant: Tenant = "default",
    *,
    suite: SuiteOptions,
) -> None:
    """Show why a slate was as it was, from the log, and decide it again.

    Exit code 1 when it is not in the log, or when deciding it again gives another slate.
    """
    with clear_failures():
        endpoints = suite.endpoints()
    request = ranker_service_pb2.ExplainSlateRequest(tenant=tenant, slate_id=slate_id)
    slate, surfaces = run(_explained(endpoints, request, configured=not as_json))
    if as_json:
        typer.echo(json_format.MessageToJson(slate, preserving_proto_field_name=True))
    else:
        _show(slate, surfaces)
    if slate.outcome == replayed_slate_pb2.REPLAY_OUTCOME_DIFFERENT:
        raise typer.Exit(1)


async def _explained(
    endpoints: Endpoints, request: ranker_service_pb2.ExplainSlateRequest, configured: bool
) -> tuple[replayed_slate_pb2.ExplainSlateResponse, dict[str, str | None]]:
    """Return a slate, and, if `configured`, as _surfaces_of of its experiments."""
    async with connect(endpoints) as clients:
        slate = await clients.ranker.ExplainSlate(request, timeout=CALL_SECONDS)
        experiments = slate.experiments if configured else ()
        return slate, await _surfaces_of(clients, request.tenant, experiments)


async def _surfaces_of(
    clients: Clients, tenant: str, exposures: Iterable[slate_pb2.Exposure]
) -> dict[str, str | None]:
    """Return, by experiment, the surface whose configuration its variant served with.

    Empty: that of none; the variant says something else. None: the experiment is not kept any more.
    """
    found: dict[str, str | None] = {}
    for one in exposures:
        request = experiment_service_pb2.GetExperimentRequest(
            tenant=tenant, name=one.experiment, revision=one.revision
        )
        try:
            answer = await clients.experiments.GetExperiment(request, timeout=CALL_SECONDS)
        except grpc.aio.AioRpcError as error:
            if error.code() is not grpc.StatusCode.NOT_FOUND:
                raise
            found[one.experiment] = None
            continue
        surfaces = {variant.name: variant.surface for variant in answer.experiment.config.variants}
        found[one.experiment] = "" if one.not_served else surfaces.get(one.variant, "")
    return found


def _show(slate: replayed_slate_pb2.ExplainSlateResponse, surfaces: dict[str, str | None]) -> None:
    console = output()
    table = Table("#", "item", "sources", "chance", "rules", "without rules", "by", box=SIMPLE_HEAD)
    decided = slate.outcome != replayed_slate_pb2.REPLAY_OUTCOME_NOT_LOGGED
    for slot in slate.slots:
        differs = decided and (
            slot.replayed_item_id != slot.item_id or slot.replayed_propensity != slot.propensity
        )
        table.add_row(
            str(slot.place),
            id_text(slot.item_id),
            ", ".join(_source(one) for one in slot.sources),
            f"{slot.propensity:.4g}",
            plain_text("; ".join(f"{one.rule}: {one.effect}" for one in slot.applied_rules)),
            plain_text(f"{slot.item_id_without_rules}, it #{slot.place_without_rules}")
            if decided
            else "",
            ", ".join(f"{one.feature} {one.contribution:+.2f}" for one in slot.contributions[:3]),
            style="bold red" if differs else "",
        )
    console.print(table)
    who = slate.subject.user_id or slate.subject.session_id
    console.print("shown to ", id_text(who), " at ", slate.serve_time.ToJsonString(), end="")
    console.print(
        "; surface ", plain_text(slate.surface or "none"), ", ", plain_text(_revision(slate,
        surfaces)), f"; policy {slate.policy}; {slate.candidates:,} candidates", sep="",
    )  # fmt: skip
    for one in slate.experiments:
        without = ", which could not be served: as without the experiment"
        console.print(
            "experiment ", id_text(one.experiment), f", revision {one.revision}, variant ",
            id_text(one.variant), without if one.not_served else "", sep="",
        )  # fmt: skip
    console.print(_OUTCOMES.get(slate.outcome, ""))
    name = replayed_slate_pb2.AbsentPart.Name
    absent = [name(one).removeprefix("ABSENT_PART_").lower() for one in slate.absent]
    console.print(f"not in the log: {', '.join(absent).replace('_', ' ')}")


def _revision(
    slate: replayed_slate_pb2.ExplainSlateResponse, surfaces: dict[str, str | None]
) -> str:
    """Return which configuration made a slate, and which revision of it."""
    number = slate.surface_revision
    # Of a slate that nothing of the surface had a part in there is none.
    revision = f"revision {number}" if number else "revision not logged"
    for one in slate.experiments:
        surface = surfaces.get(one.experiment)
        if surface:
            return f"as variant {one.variant} has it: configuration of {surface}, {revision}"
    if number and None in surfaces.values():
        return f"{revision} of it, or of a variant's surface: the experiment is not kept any more"
    return revision


def _source(source: replayed_slate_pb2.ReplayedSource) -> str:
    return f"{source.source} #{source.rank}" if source.rank else source.source
