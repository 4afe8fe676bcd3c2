"""`harken surface put|get|describe|list|history|diff|rollback|delete`: how slates are made."""

from typing import Annotated

import grpc
import typer
from google.protobuf import json_format

from harken.feedback.v1 import surface_pb2
from harken.feedback.v1 import surface_service_pb2 as pb
from services.cli.clients import CALL_SECONDS, Clients, connect
from services.cli.confirmation import confirm_deletion
from services.cli.console import messages, output
from services.cli.document_file import refusal, say_warnings
from services.cli.endpoints import Endpoints
from services.cli.failures import CommandError, clear_failures, run
from services.cli.listing import pages
from services.cli.options import SuiteOptions, Tenant, with_suite_options
from services.cli.surface_text import SurfaceFile, read_surface, surface_line, surface_text
from services.cli.surface_view import (
    description_text,
    difference,
    revision_table,
    surface_table,
)

app = typer.Typer(help="How slates of a surface are made: rules, gates, diversity, exploration.")

Name = Annotated[str, typer.Argument(metavar="SURFACE", help="Name of a surface.")]
File = Annotated[
    str,
    typer.Argument(
        metavar="FILE",
        help="JSON: a configuration, or a surface as `harken surface get` prints it. `-`: standard"
        " input.",
    ),
]
Note = Annotated[str, typer.Option("--note", help="Who changes it, and why.")]
Etag = Annotated[
    str, typer.Option("--etag", help="Only if this is what serves, as `harken surface get` says.")
]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object a line.")]


@app.command()
@with_suite_options
def put(
    file: File,
    name: Annotated[
        str | None,
        typer.Option("--name", help="The surface; default: as the file says, or is called."),
    ] = None,
    note: Note = "",
    etag: Etag = "",
    check: Annotated[bool, typer.Option("--check", help="Check it, and put nothing.")] = False,
    tenant: Tenant = "default",
    *,
    suite: SuiteOptions,
) -> None:
    """Put a configuration; all rankers have it a moment later, without a restart.

    It is checked as a whole: while anything is wrong with it, what served serves on.
    """
    with clear_failures():
        endpoints = suite.endpoints()
        read = read_surface(file, name)
    read.surface.note = note or read.surface.note
    read.surface.etag = etag or read.surface.etag
    run(_put(endpoints, tenant, read, check))


@app.command()
@with_suite_options
def get(
    name: Name,
    revision: Annotated[int, typer.Option(min=0, help="Default: what serves.")] = 0,
    tenant: Tenant = "default",
    *,
    suite: SuiteOptions,
) -> None:
    """Print a surface as JSON, which `harken surface put` takes."""
    with clear_failures():
        endpoints = suite.endpoints()
    typer.echo(surface_text(run(_get(endpoints, tenant, name, revision))))


@app.command()
@with_suite_options
def describe(
    name: Name,
    revision: Annotated[int, typer.Option(min=0, help="Default: what serves.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
    tenant: Tenant = "default",
    *,
    suite: SuiteOptions,
) -> None:
    """Say in words how slates of a surface are made, and what of a person is used.

    It is made from what is configured; of a surface that is not configured too.
    """
    with clear_failures():
        endpoints = suite.endpoints()
    request = pb.DescribeSurfaceRequest(tenant=tenant, name=name, revision=revision)
    answer = run(_describe(endpoints, request))
    if as_json:
        typer.echo(json_format.MessageToJson(answer, preserving_proto_field_name=True))
    else:
        typer.echo(description_text(answer))


@app.command("list")
@with_suite_options
def list_surfaces(
    as_json: AsJson = False, tenant: Tenant = "default", *, suite: SuiteOptions
) -> None:
    """List the surfaces that are configured, by name."""
    with clear_failures():
        endpoints = suite.endpoints()
    found = run(_list(endpoints, tenant))
    if as_json:
        for one in found:
            typer.echo(surface_line(one))
    elif found:
        output().print(surface_table(found))
    else:
        messages().print(f"tenant {tenant} has no surfaces: slates are as by default")


@app.command()
@with_suite_options
def history(
    name: Name,
    limit: Annotated[int, typer.Option(min=1, help="How many revisions.")] = 20,
    as_json: AsJson = False,
    tenant: Tenant = "default",
    *,
    suite: SuiteOptions,
) -> None:
    """List the revisions of a surface, newest first."""
    with clear_failures():
        endpoints = suite.endpoints()
    found = run(_history(endpoints, tenant, name, limit))
    if as_json:
        for one in found:
            typer.echo(surface_line(one))
    else:
        output().print(revision_table(found))


@app.command()
@with_suite_options
def diff(
    name: Name,
    old: Annotated[
        int | None, typer.Argument(metavar="OLD", min=1, help="Default: before NEW.")
    ] = None,
    new: Annotated[
        int | None, typer.Argument(metavar="NEW", min=1, help="Default: what serves.")
    ] = None,
    file: Annotated[
        str | None, typer.Option("--file", help="Compare with a file, as `put` would put it.")
    ] = None,
    tenant: Tenant = "default",
    *,
    suite: SuiteOptions,
) -> None:
    """Show what differs between two revisions of a surface, or what serves and a file."""
    with clear_failures():
        if file is not None and new is not None:
            raise CommandError("compare with a revision or with a file, not with both")
        endpoints = suite.endpoints()
        read = None if file is None else read_surface(file, name)
    found = run(_diff(endpoints, tenant, name, (old or 0, new or 0), read))
    if found:
        typer.echo(found)
    else:
        messages().print("nothing differs")


@app.command()
@with_suite_options
def rollback(
    name: Name,
    revision: Annotated[int, typer.Argument(metavar="REVISION", min=1)],
    note: Note = "",
    etag: Etag = "",
    tenant: Tenant = "default",
    *,
    suite: SuiteOptions,
) -> None:
    """Put the configuration of an earlier revision again, as a new one."""
    with clear_failures():
        endpoints = suite.endpoints()
    request = pb.RollbackSurfaceRequest(
        tenant=tenant, name=name, revision=revision, note=note, etag=etag
    )
    run(_rollback(endpoints, request))


@app.command()
@with_suite_options
def delete(
    name: Name,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    note: Note = "",
    etag: Etag = "",
    tenant: Tenant = "default",
    *,
    suite: SuiteOptions,
) -> None:
    """Take a configuration away: slates are as by default. Its revisions stay."""
    with clear_failures():
        endpoints = suite.endpoints()
        if not yes:
            confirm_deletion(f"Delete the configuration of surface {name}?")
    request = pb.DeleteSurfaceRequest(tenant=tenant, name=name, note=note, etag=etag)
    run(_delete(endpoints, request))


async def _put(endpoints: Endpoints, tenant: str, read: SurfaceFile, check: bool) -> None:
    request = pb.PutSurfaceRequest(tenant=tenant, surface=read.surface, validate_only=check)
    async with connect(endpoints) as clients:
        try:
            answer = await clients.surfaces.PutSurface(request, timeout=CALL_SECONDS)
        except grpc.aio.AioRpcError as error:
            refused = refusal(error, f"surface {read.surface.name} is not put", read.path)
            if refused is None:
                raise
            raise refused from error
    if check:
        output().print(f"surface {read.surface.name}: all is well, nothing was put")
    else:
        _say(answer.surface, answer.position)
    say_warnings(answer.warnings, read.path)


async def _get(endpoints: Endpoints, tenant: str, name: str, revision: int) -> surface_pb2.Surface:
    async with connect(endpoints) as clients:
        return await _revision(clients, tenant, name, revision)


async def _describe(
    endpoints: Endpoints, request: pb.DescribeSurfaceRequest
) -> pb.DescribeSurfaceResponse:
    async with connect(endpoints) as clients:
        return await clients.surfaces.DescribeSurface(request, timeout=CALL_SECONDS)


async def _list(endpoints: Endpoints, tenant: str) -> list[surface_pb2.Surface]:
    found: list[surface_pb2.Surface] = []
    request = pb.ListSurfacesRequest(tenant=tenant)
    async with connect(endpoints) as clients:
        async for page in pages(
            request, lambda: clients.surfaces.ListSurfaces(request, timeout=CALL_SECONDS)
        ):
            found += page.surfaces
    return found


async def _history(
    endpoints: Endpoints, tenant: str, name: str, limit: int
) -> list[surface_pb2.Surface]:
    found: list[surface_pb2.Surface] = []
    request = pb.ListSurfaceRevisionsRequest(tenant=tenant, name=name, page_size=min(limit, 100))
    async with connect(endpoints) as clients:
        async for page in pages(
            request, lambda: clients.surfaces.ListSurfaceRevisions(request, timeout=CALL_SECONDS)
        ):
            found += page.revisions
            if len(found) >= limit:
                break
    return found[:limit]


async def _diff(
    endpoints: Endpoints,
    tenant: str,
    name: str,
    revisions: tuple[int, int],
    read: SurfaceFile | None,
) -> str:
    old_number, new_number = revisions
    async with connect(endpoints) as clients:
        if read is not None:
            old = await _revision(clients, tenant, name, old_number)
            return difference(old, read.surface, (_called(old), "file"))
        new = await _revision(clients, tenant, name, new_number)
        if new.revision == 1 and not old_number:
            raise CommandError(f"{_called(new)} is the first: there is nothing to compare it with")
        old = await _revision(clients, tenant, name, old_number or new.revision - 1)
    return difference(old, new, (_called(old), _called(new)))


async def _rollback(endpoints: Endpoints, request: pb.RollbackSurfaceRequest) -> None:
    async with connect(endpoints) as clients:
        answer = await clients.surfaces.RollbackSurface(request, timeout=CALL_SECONDS)
    _say(answer.surface, answer.position)


async def _delete(endpoints: Endpoints, request: pb.DeleteSurfaceRequest) -> None:
    async with connect(endpoints) as clients:
        answer = await clients.surfaces.DeleteSurface(request, timeout=CALL_SECONDS)
    output().print(
        f"surface {request.name} is deleted, from position {answer.position.hex()} on: its slates"
        " are as by default"
    )


async def _revision(clients: Clients, tenant: str, name: str, revision: int) -> surface_pb2.Surface:
    """Return a revision; 0: what serves."""
    request = pb.GetSurfaceRequest(tenant=tenant, name=name, revision=revision)
    return (await clients.surfaces.GetSurface(request, timeout=CALL_SECONDS)).surface


def _say(surface: surface_pb2.Surface, position: bytes) -> None:
    what = f"surface {surface.name}: revision {surface.revision:,} serves"
    since = f", from position {position.hex()} on" if position else " already, nothing changed"
    output().print(what + since)


def _called(surface: surface_pb2.Surface) -> str:
    return f"{surface.name} {surface.revision}"
