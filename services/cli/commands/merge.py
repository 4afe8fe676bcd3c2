"""`harken merge|unmerge|merges`: which sessions and users are one person."""

from typing import Annotated

import typer
from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from harken.common.v1 import subject_pb2
from harken.profile.v1 import profile_service_pb2 as pb
from services.cli.clients import CALL_SECONDS, connect
from services.cli.console import messages, output
from services.cli.endpoints import Endpoints
from services.cli.failures import clear_failures, run
from services.cli.item_view import id_text, plain_text
from services.cli.options import SuiteOptions, Tenant, with_suite_options
from services.cli.subjects import subject_of

_Others = Annotated[list[str], typer.Argument(help="Ids of sessions (of users with --users).")]
_Users = Annotated[bool, typer.Option("--users", help="The ids are of users, not of sessions.")]
_Source = Annotated[str, typer.Option(help="What says so, at most 64 bytes.")]


@with_suite_options
def merge(
    user: Annotated[str, typer.Argument(help="Id of the user that they are.")],
    sessions: _Others,
    users: _Users = False,
    source: _Source = "command-line",
    tenant: Tenant = "default",
    *,
    suite: SuiteOptions,
) -> None:
    """Say that sessions, or other users, are a user: their histories are read as one from now on.

    Nothing is moved: `harken unmerge` takes it back.
    """
    with clear_failures():
        endpoints = suite.endpoints()
        request = pb.MergeProfilesRequest(
            tenant=tenant,
            into=subject_of(user, session=False),
            from_subjects=[subject_of(one, session=not users) for one in sessions],
            source=source,
        )
    run(_merge(endpoints, request))


@with_suite_options
def unmerge(
    sessions: _Others,
    users: _Users = False,
    source: _Source = "command-line",
    tenant: Tenant = "default",
    *,
    suite: SuiteOptions,
) -> None:
    """Take merges back: each is by itself again, with what it did itself."""
    with clear_failures():
        endpoints = suite.endpoints()
        request = pb.UnmergeProfilesRequest(
            tenant=tenant,
            from_subjects=[subject_of(one, session=not users) for one in sessions],
            source=source,
        )
    run(_unmerge(endpoints, request))


@with_suite_options
def merges(
    user: Annotated[
        str | None,
        typer.Argument(
            help="Id of a user (of a session with --session). Default: all.", show_default=False
        ),
    ] = None,
    session: Annotated[bool, typer.Option("--session", help="USER is a session.")] = False,
    count: Annotated[int, typer.Option(min=1, max=1000, help="Number of rows.")] = 100,
    tenant: Tenant = "default",
    *,
    suite: SuiteOptions,
) -> None:
    """Show who was merged into whom, and what was taken back, the newest first."""
    with clear_failures():
        endpoints = suite.endpoints()
        request = pb.ListMergesRequest(tenant=tenant, page_size=count)
        if user is not None:
            request.subject.CopyFrom(subject_of(user, session))
    run(_merges(endpoints, request))


async def _merge(endpoints: Endpoints, request: pb.MergeProfilesRequest) -> None:
    async with connect(endpoints) as clients:
        answer = await clients.profile.MergeProfiles(request, timeout=CALL_SECONDS)
    already = len(request.from_subjects) - answer.merged
    output().print(
        f"{answer.merged} merged into ", _name(answer.into),
        f", {already} were already" if already else "", sep="",
    )  # fmt: skip
    _say_pending(answer.position)


async def _unmerge(endpoints: Endpoints, request: pb.UnmergeProfilesRequest) -> None:
    async with connect(endpoints) as clients:
        answer = await clients.profile.UnmergeProfiles(request, timeout=CALL_SECONDS)
    output().print(f"{answer.unmerged} of {len(request.from_subjects)} were merged, and are not")
    if answer.unmerged:
        _say_pending(answer.position)


async def _merges(endpoints: Endpoints, request: pb.ListMergesRequest) -> None:
    async with connect(endpoints) as clients:
        answer = await clients.profile.ListMerges(request, timeout=CALL_SECONDS)
    table = Table("when", "who", "", "user", "source", box=SIMPLE_HEAD)
    for one in answer.merges:
        table.add_row(
            one.time.ToDatetime().strftime("%Y-%m-%d %H:%M:%S"),
            _name(one.from_subject),
            "not any more" if one.unmerged else "merged into",
            _name(one.into),
            plain_text(one.source),
        )
    output().print(table)
    if answer.next_page_token:
        messages().print("there are more: ask for them with --count")


def _say_pending(position: bytes) -> None:
    if not position:
        messages().print("the log does not answer: the other services will hear of it")


def _name(subject: subject_pb2.Subject) -> Text:
    if subject.HasField("session_id"):
        return Text.assemble("session ", id_text(subject.session_id))
    return Text.assemble(id_text(subject.user_id))
