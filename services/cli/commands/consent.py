"""`harken consent`: what a person agreed to, by purpose."""

from typing import Annotated

import grpc
import typer
from rich.box import SIMPLE_HEAD
from rich.table import Table

from harken.common.v1 import consent_pb2
from harken.profile.v1 import profile_pb2, profile_service_pb2
from services.cli.clients import CALL_SECONDS, connect
from services.cli.console import messages, output
from services.cli.endpoints import Endpoints
from services.cli.failures import CommandError, clear_failures, run
from services.cli.item_view import plain_text
from services.cli.options import SuiteOptions, Tenant, with_suite_options
from services.cli.subjects import subject_of
from services.common.consent import PURPOSES

_CHOICES = {"yes": True, "no": False, "default": None}


@with_suite_options
def consent(
    user: Annotated[str, typer.Argument(help="Id of the user (of the session with --session).")],
    decisions: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[PURPOSE=yes|no|default]...",
            help=f"Purposes: {', '.join(PURPOSES)}. default: undecided again. None: only show.",
            show_default=False,
        ),
    ] = None,
    session: Annotated[bool, typer.Option("--session", help="USER is a session.")] = False,
    source: Annotated[
        str, typer.Option(help="Where it was decided, at most 64 bytes.")
    ] = "command-line",
    tenant: Tenant = "default",
    *,
    suite: SuiteOptions,
) -> None:
    """Show what a person agreed to, or decide it by the person's wish."""
    with clear_failures():
        endpoints = suite.endpoints()
        request = profile_service_pb2.UpdateProfileRequest(
            tenant=tenant, profile=profile_pb2.Profile(subject=subject_of(user, session))
        )
        for text in decisions or ():
            purpose, choice = _decision(text)
            request.update_mask.paths.append(f"consent.{purpose}")
            if choice is not None:
                decided = getattr(request.profile.consent, purpose)
                decided.granted, decided.source = choice, source
    run(_consent(endpoints, request))


def _decision(text: str) -> tuple[str, bool | None]:
    purpose, _, choice = text.partition("=")
    if purpose not in PURPOSES or choice not in _CHOICES:
        raise CommandError(
            f"{text!r}: must be one of {', '.join(PURPOSES)}, followed by =yes, =no or =default"
        )
    return purpose, _CHOICES[choice]


async def _consent(endpoints: Endpoints, request: profile_service_pb2.UpdateProfileRequest) -> None:
    async with connect(endpoints) as clients:
        if request.update_mask.paths:
            answer = await clients.profile.UpdateProfile(request, timeout=CALL_SECONDS)
            decided = answer.profile.consent
            if not answer.position:
                messages().print("the log does not answer: the other services will hear of it")
        else:
            wanted = profile_service_pb2.GetProfileRequest(
                tenant=request.tenant, subject=request.profile.subject
            )
            try:
                found = await clients.profile.GetProfile(wanted, timeout=CALL_SECONDS)
                decided = found.profile.consent
            except grpc.aio.AioRpcError as error:
                if error.code() is not grpc.StatusCode.NOT_FOUND:
                    raise
                decided = consent_pb2.Consent()
    output().print(_table(decided))


def _table(decided: consent_pb2.Consent) -> Table:
    table = Table("purpose", "", "since", "source", box=SIMPLE_HEAD)
    for purpose in PURPOSES:
        if decided.HasField(purpose):
            one = getattr(decided, purpose)
            since = one.time.ToDatetime().strftime("%Y-%m-%d %H:%M:%S")
            word = "granted" if one.granted else "denied"
            table.add_row(purpose, word, since, plain_text(one.source))
        else:
            table.add_row(purpose, "as the deployment has it", "", "")
    return table
