"""`harken status`: health, versions, lag, and whether the rankers agree."""

import asyncio
from typing import Any, cast

import grpc
import typer
from grpc_health.v1 import health_pb2, health_pb2_grpc
from rich.box import SIMPLE_HEAD
from rich.table import Table

from harken.ranker.v1 import ranker_service_pb2
from services.cli.clients import Clients, connect
from services.cli.console import output
from services.cli.endpoints import Endpoints
from services.cli.failures import clear_failures, run
from services.cli.options import (
    DEFAULT_FOLDER,
    FeedbackTarget,
    Folder,
    ProfileTarget,
    RankerTarget,
    find_endpoints,
)
from services.common.channels import open_channel

_TIMEOUT_SECONDS = 3.0


def status(
    folder: Folder = DEFAULT_FOLDER,
    feedback: FeedbackTarget = None,
    profile: ProfileTarget = None,
    ranker: RankerTarget = None,
) -> None:
    """Show health, versions, lag, and whether the rankers agree. Exit code 1 when they do not."""
    with clear_failures():
        endpoints = find_endpoints(folder, feedback, profile, ranker)
    if not run(_status(endpoints)):
        raise typer.Exit(1)


async def _status(endpoints: Endpoints) -> bool:
    async with connect(endpoints) as clients:
        named = [("feedback", endpoints.feedback), ("profile", endpoints.profile)]
        named += [(f"ranker-{i + 1}", target) for i, target in enumerate(endpoints.rankers)]
        health, states = await asyncio.gather(
            asyncio.gather(*(_health(target) for _, target in named)), _states(clients)
        )
    processes = Table("process", "address", "health", box=SIMPLE_HEAD)
    for (name, target), value in zip(named, health, strict=True):
        processes.add_row(name, target, _colour(value, value == "SERVING"))
    output().print(processes)
    agree = _print_rankers(endpoints, states)
    return agree and all(value == "SERVING" for value in health)


async def _health(target: str) -> str:
    async with open_channel(target) as channel:
        stub: Any = health_pb2_grpc.HealthStub(channel)
        try:
            answer = await stub.Check(health_pb2.HealthCheckRequest(), timeout=_TIMEOUT_SECONDS)
        except grpc.aio.AioRpcError as error:
            return error.code().name
    return str(health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status))


async def _states(
    clients: Clients,
) -> list[ranker_service_pb2.GetServingStateResponse | None]:
    async def one(stub: Any) -> ranker_service_pb2.GetServingStateResponse | None:
        try:
            answer = await stub.GetServingState(
                ranker_service_pb2.GetServingStateRequest(), timeout=_TIMEOUT_SECONDS
            )
        except grpc.aio.AioRpcError:
            # Its line of the health table says so.
            return None
        return cast("ranker_service_pb2.GetServingStateResponse", answer)

    return list(await asyncio.gather(*(one(stub) for stub in clients.rankers)))


def _print_rankers(
    endpoints: Endpoints, states: list[ranker_service_pb2.GetServingStateResponse | None]
) -> bool:
    rankers = Table("ranker", "ready", "epoch", "version", "lag", box=SIMPLE_HEAD)
    tenants = Table(
        "ranker", "tenant", "generation", "items", "vectors", "users", "digest", box=SIMPLE_HEAD
    )
    digests: dict[tuple[int, int, str, str], set[bytes]] = {}
    for number, state in enumerate(states, 1):
        name = f"ranker-{number}"
        if state is None:
            rankers.add_row(name, _colour("no", False), "-", "-", "-")
            continue
        lag = max(0, state.head_version - state.version)
        ready = state.ready and state.connected
        rankers.add_row(
            name, _colour("yes" if ready else "no", ready), str(state.epoch), str(state.version),
            str(lag),
        )  # fmt: skip
        for one in state.tenants:
            key = (state.epoch, state.version, one.tenant, one.generation_id)
            digests.setdefault(key, set()).add(one.digest)
            tenants.add_row(
                name, one.tenant, one.generation_id, str(one.items), str(one.vectors),
                str(one.cached_users), one.digest.hex()[:12],
            )  # fmt: skip
    agree = all(len(found) == 1 for found in digests.values())
    output().print(rankers)
    if tenants.row_count:
        output().print(tenants)
    if len(endpoints.rankers) > 1:
        compared = len({(epoch, version) for epoch, version, _, _ in digests}) == 1
        text = "agree" if agree else "DIFFER"
        note = "" if compared else " (they are at different versions: not all were compared)"
        output().print(f"digests at the same version {_colour(text, agree)}{note}")
    return agree


def _colour(text: str, good: bool) -> str:
    return f"[green]{text}[/]" if good else f"[bold red]{text}[/]"
