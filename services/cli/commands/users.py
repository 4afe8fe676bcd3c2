"""`harken users`: what kind of user somebody is, who is like them; exporting and erasing one."""

import asyncio
import json
from typing import Annotated

import grpc
import typer
from google.protobuf import json_format
from rich.box import SIMPLE_HEAD
from rich.table import Table

from harken.profile.v1 import erasure_pb2, profile_service_pb2
from harken.profile.v1.attribute_schema_pb2 import AttributeSchema
from services.cli.clients import CALL_SECONDS, connect
from services.cli.confirmation import confirm_deletion
from services.cli.console import messages, output
from services.cli.document_file import read_message, refusal
from services.cli.endpoints import Endpoints
from services.cli.erasure_view import state_text
from services.cli.failures import clear_failures, run
from services.cli.item_view import id_text, plain_text
from services.cli.options import SuiteOptions, Tenant, with_suite_options
from services.cli.subjects import subject_of
from services.cli.user_view import user_view

_POLL_SECONDS = 0.5

app = typer.Typer(help="Look at users, export and erase them.")


@app.callback()
def users() -> None:
    """Look at users, export and erase them."""


@app.command()
@with_suite_options
def show(
    user: Annotated[str, typer.Argument(help="Id of the user (of the session with --session).")],
    session: Annotated[bool, typer.Option("--session", help="USER is a session.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
    tenant: Tenant = "default",
    *,
    suite: SuiteOptions,
) -> None:
    """Show attributes, behaviour and interests of a user."""
    with clear_failures():
        endpoints = suite.endpoints()
    request = profile_service_pb2.GetProfileRequest(
        tenant=tenant, subject=subject_of(user, session)
    )
    request.read_mask.paths.extend(["attributes", "behaviour", "interests"])
    run(_show(endpoints, request, as_json))


async def _show(
    endpoints: Endpoints, request: profile_service_pb2.GetProfileRequest, as_json: bool
) -> None:
    async with connect(endpoints) as clients:
        answer = await clients.profile.GetProfile(request, timeout=CALL_SECONDS)
    if as_json:
        found = json_format.MessageToDict(answer.profile, preserving_proto_field_name=True)
        typer.echo(json.dumps(found, ensure_ascii=False))
        return
    for part in user_view(answer.profile):
        output().print(part)


@app.command()
@with_suite_options
def schema(
    file: Annotated[
        str | None,
        typer.Argument(help="JSON file with a schema to put; - is standard input. None: show it."),
    ] = None,
    tenant: Tenant = "default",
    *,
    suite: SuiteOptions,
) -> None:
    """Show or put what attributes of users may be: names, types, allowed values.

    What is shown can be put again; its etag, if it is left in, keeps it from undoing the change of
    somebody else.
    """
    with clear_failures():
        endpoints = suite.endpoints()
        given = None if file is None else read_message(file, AttributeSchema())
    run(_schema(endpoints, tenant, given))


async def _schema(endpoints: Endpoints, tenant: str, given: AttributeSchema | None) -> None:
    async with connect(endpoints) as clients:
        if given is None:
            get = profile_service_pb2.GetAttributeSchemaRequest(tenant=tenant)
            found = (await clients.profile.GetAttributeSchema(get, timeout=CALL_SECONDS)).schema
        else:
            put = profile_service_pb2.PutAttributeSchemaRequest(tenant=tenant, schema=given)
            try:
                answer = await clients.profile.PutAttributeSchema(put, timeout=CALL_SECONDS)
            except grpc.aio.AioRpcError as error:
                refused = refusal(error, "the schema is not put", "schema")
                if refused is None:
                    raise
                raise refused from error
            found = answer.schema
    shown = json_format.MessageToDict(found, preserving_proto_field_name=True)
    typer.echo(json.dumps(shown, ensure_ascii=False, indent=2))


@app.command()
@with_suite_options
def similar(
    user: Annotated[str, typer.Argument(help="Id of the user (of the session with --session).")],
    session: Annotated[bool, typer.Option("--session", help="USER is a session.")] = False,
    count: Annotated[int, typer.Option(min=1, max=100, help="Number of users.")] = 10,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
    tenant: Tenant = "default",
    *,
    suite: SuiteOptions,
) -> None:
    """Show the users whose learned vectors are nearest to that of a user, nearest first."""
    with clear_failures():
        endpoints = suite.endpoints()
    request = profile_service_pb2.FindSimilarUsersRequest(
        tenant=tenant, subject=subject_of(user, session), count=count
    )
    run(_similar(endpoints, request, as_json))


@app.command()
@with_suite_options
def erase(
    user: Annotated[str, typer.Argument(help="Id of the user (of the session with --session).")],
    session: Annotated[bool, typer.Option("--session", help="USER is a session.")] = False,
    note: Annotated[
        str, typer.Option(help="Why, such as the number of a ticket; kept, so not who.")
    ] = "",
    wait: Annotated[bool, typer.Option("--wait", help="Return when it is done.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    tenant: Tenant = "default",
    *,
    suite: SuiteOptions,
) -> None:
    """Erase a user for ever, from everything that is stored; prints the id of the erasure.

    Answers know the user no more once it returns; the rest follows within minutes, see
    `harken erasure get`.
    """
    with clear_failures():
        endpoints = suite.endpoints()
        if not yes:
            confirm_deletion(f"Erase {user!r} for ever?")
    request = profile_service_pb2.EraseUserRequest(
        tenant=tenant, subject=subject_of(user, session), note=note
    )
    run(_erase(endpoints, request, wait))


async def _erase(
    endpoints: Endpoints, request: profile_service_pb2.EraseUserRequest, wait: bool
) -> None:
    async with connect(endpoints) as clients:
        erasure = (await clients.profile.EraseUser(request, timeout=CALL_SECONDS)).erasure
        typer.echo(erasure.erasure_id)
        asked = profile_service_pb2.GetErasureRequest(
            tenant=request.tenant, erasure_id=erasure.erasure_id
        )
        while wait and erasure.state != erasure_pb2.ERASURE_STATE_DONE:
            await asyncio.sleep(_POLL_SECONDS)
            erasure = (await clients.profile.GetErasure(asked, timeout=CALL_SECONDS)).erasure
    messages().print(state_text(erasure))


@app.command()
@with_suite_options
def export(
    user: Annotated[str, typer.Argument(help="Id of the user (of the session with --session).")],
    session: Annotated[bool, typer.Option("--session", help="USER is a session.")] = False,
    tenant: Tenant = "default",
    *,
    suite: SuiteOptions,
) -> None:
    """Print all that is stored of a user, as JSON lines.

    Each is a harken.profile.v1.UserExportPart, which says what its fields mean: a header, the
    profile, events, slates, and an end that counts them.
    """
    with clear_failures():
        endpoints = suite.endpoints()
    request = profile_service_pb2.ExportUserRequest(
        tenant=tenant, subject=subject_of(user, session)
    )
    run(_export(endpoints, request))


async def _export(endpoints: Endpoints, request: profile_service_pb2.ExportUserRequest) -> None:
    async with connect(endpoints) as clients:
        async for answer in clients.profile.ExportUser(request):
            part = json_format.MessageToDict(answer.part, preserving_proto_field_name=True)
            typer.echo(json.dumps(part, ensure_ascii=False))


async def _similar(
    endpoints: Endpoints, request: profile_service_pb2.FindSimilarUsersRequest, as_json: bool
) -> None:
    async with connect(endpoints) as clients:
        answer = await clients.profile.FindSimilarUsers(request, timeout=CALL_SECONDS)
    if as_json:
        for one in answer.users:
            line = {
                "user": one.subject.user_id or None,
                "session": one.subject.session_id or None,
                "similarity": one.similarity,
            }
            typer.echo(json.dumps(line, ensure_ascii=False))
    elif answer.users:
        output().print(_table(answer))
    if not answer.generation_id:
        messages().print("the user has no vector yet")
    elif not as_json:
        messages().print(
            f"{answer.compared:,} others compared; generation ", plain_text(answer.generation_id)
        )


def _table(answer: profile_service_pb2.FindSimilarUsersResponse) -> Table:
    table = Table("user", "", "similarity", box=SIMPLE_HEAD)
    for one in answer.users:
        kind = one.subject.WhichOneof("kind")
        table.add_row(
            id_text(one.subject.user_id or one.subject.session_id),
            "session" if kind == "session_id" else "",
            f"{one.similarity:.4f}",
        )
    return table
