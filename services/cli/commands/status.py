"""`harken status`: health, versions, generations, and whether the rankers agree."""

import asyncio
import time
from collections.abc import Sequence
from typing import Any, cast

import grpc
import typer
from grpc_health.v1 import health_pb2, health_pb2_grpc
from rich.box import SIMPLE_HEAD
from rich.table import Table

from harken.feedback.v1 import generation_pb2, generation_service_pb2
from harken.ranker.v1 import ranker_service_pb2
from services.cli.agreement import Agreement, State, agreements, at_one_version
from services.cli.clients import Clients, connect
from services.cli.console import output
from services.cli.endpoints import Endpoints
from services.cli.failures import clear_failures, run
from services.cli.generation_view import live_lines, state_text
from services.cli.options import SuiteOptions, with_suite_options
from services.cli.outcome_view import outcome_lines
from services.common.channel_identity import ChannelIdentity
from services.common.channels import open_channel

_TIMEOUT_SECONDS = 3.0
_SAME_VERSION_SECONDS = 1.0
"""How long to look for a moment at which all rankers are equally far, while events flow."""

_POLL_SECONDS = 0.05

Generations = Sequence[generation_service_pb2.GenerationSummary] | str
"""Generations of a tenant, newest first, or why they are not known."""


@with_suite_options
def status(*, suite: SuiteOptions) -> None:
    """Show health, versions, generations, and whether the rankers agree.

    Exit code 0: all processes serve, and rankers at the same version have the same generation and
    the same vectors. Exit code 1: otherwise.
    """
    with clear_failures():
        endpoints = suite.endpoints()
    if not run(_status(endpoints)):
        raise typer.Exit(1)


async def _status(endpoints: Endpoints) -> bool:
    """Print everything; return whether all is well."""
    named = [("feedback", endpoints.feedback), ("profile", endpoints.profile)]
    named += [(f"ranker-{i + 1}", target) for i, target in enumerate(endpoints.rankers)]
    async with connect(endpoints) as clients:
        health, states = await asyncio.gather(
            asyncio.gather(*(_health(target, endpoints.identity) for _, target in named)),
            _comparable(clients),
        )
        reached = [state for state in states if state is not None]
        found = agreements(reached)
        generations = await asyncio.gather(*(_generations(clients, one.tenant) for one in found))
    processes = Table("process", "address", "health", box=SIMPLE_HEAD)
    for (name, target), value in zip(named, health, strict=True):
        processes.add_row(name, target, _colour(value, value == "SERVING"))
    output().print(processes)
    _print_rankers(states)
    for agreement, known in zip(found, generations, strict=True):
        _print_tenant(agreement, known, reached)
    return all(one.agree for one in found) and all(value == "SERVING" for value in health)


async def _health(target: str, identity: ChannelIdentity | None) -> str:
    async with open_channel(target, identity=identity) as channel:
        stub: Any = health_pb2_grpc.HealthStub(channel)
        try:
            answer = await stub.Check(health_pb2.HealthCheckRequest(), timeout=_TIMEOUT_SECONDS)
        except grpc.aio.AioRpcError as error:
            return error.code().name
    return str(health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status))


async def _comparable(clients: Clients) -> list[State | None]:
    """Return what each ranker serves, at one version if such a moment comes soon enough."""
    deadline = time.monotonic() + _SAME_VERSION_SECONDS
    while True:
        states = await asyncio.gather(*(_state(stub) for stub in clients.rankers))
        reached = [state for state in states if state is not None]
        if at_one_version(reached) or time.monotonic() > deadline:
            return list(states)
        await asyncio.sleep(_POLL_SECONDS)


async def _state(stub: Any) -> State | None:
    try:
        answer = await stub.GetServingState(
            ranker_service_pb2.GetServingStateRequest(), timeout=_TIMEOUT_SECONDS
        )
    except grpc.aio.AioRpcError:
        # Its line of the health table says so.
        return None
    return cast("State", answer)


async def _generations(clients: Clients, tenant: str) -> Generations:
    try:
        answer = await clients.generations.ListGenerations(
            generation_service_pb2.ListGenerationsRequest(tenant=tenant), timeout=_TIMEOUT_SECONDS
        )
    except grpc.aio.AioRpcError as error:
        return error.code().name
    return list(answer.generations)


def _print_rankers(states: Sequence[State | None]) -> None:
    rankers = Table("ranker", "ready", "epoch", "version", "lag", "entries behind", box=SIMPLE_HEAD)
    tenants = Table(
        "ranker", "tenant", "generation", "items", "vectors", "users cached", "digest",
        box=SIMPLE_HEAD,
    )  # fmt: skip
    for number, state in enumerate(states, 1):
        name = f"ranker-{number}"
        if state is None:
            rankers.add_row(name, _colour("no", False), "-", "-", "-", "-")
            continue
        lag = max(0, state.head_version - state.version)
        ready = state.ready and state.connected
        rankers.add_row(
            name, _colour("yes" if ready else "no", ready), str(state.epoch), str(state.version),
            str(lag), str(state.entries_lag),
        )  # fmt: skip
        for one in state.tenants:
            tenants.add_row(
                name, one.tenant, one.generation_id, str(one.items), str(one.vectors),
                str(one.cached_users), one.digest.hex()[:12],
            )  # fmt: skip
    output().print(rankers)
    if tenants.row_count:
        output().print(tenants)


def _print_tenant(agreement: Agreement, known: Generations, states: Sequence[State]) -> None:
    tenant = agreement.tenant
    if isinstance(known, str):
        output().print(f"tenant {tenant}: feedback does not list its generations ({known})")
    else:
        for one in known:
            output().print(_generation_line(tenant, one, states))
            for line in live_lines(tenant, one):
                output().print(line)
    for line in outcome_lines(tenant, states):
        output().print(line)
    if len(states) < 2:
        return
    if not agreement.compared:
        output().print(f"tenant {tenant}: all rankers are at different versions, not compared")
        return
    verdict = _colour("agree" if agreement.agree else "DIFFER", agreement.agree)
    output().print(
        f"tenant {tenant}: generation and digest of the {agreement.compared} of {len(states)} "
        f"rankers at one version {verdict}"
    )


def _generation_line(
    tenant: str, one: generation_service_pb2.GenerationSummary, states: Sequence[State]
) -> str:
    generation = one.manifest.generation_id
    served = sum((tenant, generation) in _serving(state) for state in states)
    return (
        f"tenant {tenant}: generation {generation} is {state_text(one)}, "
        f"{_origin(one.manifest)}; {served} of {len(states)} rankers serve it"
    )


def _origin(manifest: generation_pb2.GenerationManifest) -> str:
    """Return where a generation comes from. What was published may not know how far it was."""
    if manifest.trained_through_sequence:
        return f"trained through entry {manifest.trained_through_sequence:,} of the log"
    if manifest.HasField("publish_time"):
        return f"published {manifest.publish_time.ToDatetime():%Y-%m-%d %H:%M} UTC"
    return "made without training"


def _serving(state: State) -> set[tuple[str, str]]:
    return {(one.tenant, one.generation_id) for one in state.tenants}


def _colour(text: str, good: bool) -> str:
    return f"[green]{text}[/]" if good else f"[bold red]{text}[/]"
