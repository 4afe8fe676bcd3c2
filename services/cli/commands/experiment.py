"""`harken experiment plan|put|get|list|history|start|ramp|stop|conclude|delete|report`."""

import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated

import grpc
import typer
from rich.markup import escape
from threadpoolctl import threadpool_limits

from harken.feedback.v1 import experiment_pb2
from harken.feedback.v1 import experiment_service_pb2 as pb
from services.cli.clients import CALL_SECONDS, Clients, connect
from services.cli.confirmation import confirm_deletion
from services.cli.console import messages, output
from services.cli.document_file import refusal, say_warnings
from services.cli.endpoints import Endpoints
from services.cli.experiments.log_outcomes import read_report
from services.cli.experiments.report_view import report_view
from services.cli.experiments.text import (
    ExperimentFile,
    experiment_line,
    experiment_text,
    read_experiment,
)
from services.cli.experiments.view import experiment_table, revision_table, state_of
from services.cli.failures import CommandError, clear_failures, run
from services.cli.listing import pages
from services.cli.options import SuiteOptions, Tenant, with_suite_options
from services.cli.plot_options import check_plot_file
from services.evaluation.experiments.as_json import as_json
from services.evaluation.experiments.plot import write_plot
from services.evaluation.experiments.sample_size import planned_users

_Changed = (
    pb.StartExperimentResponse
    | pb.RampExperimentResponse
    | pb.StopExperimentResponse
    | pb.ConcludeExperimentResponse
)

app = typer.Typer(help="Ways to make slates, compared on users by chance.")

Name = Annotated[str, typer.Argument(metavar="EXPERIMENT", help="Name of an experiment.")]
File = Annotated[
    str,
    typer.Argument(
        metavar="FILE",
        help="JSON: a configuration, or an experiment as `harken experiment get` prints it. `-`:"
        " standard input.",
    ),
]
Share = Annotated[
    float, typer.Argument(metavar="SHARE", help="Of its buckets, above 0, at most 1.")
]
Note = Annotated[str, typer.Option("--note", help="Who changes it, and why.")]
Etag = Annotated[
    str,
    typer.Option("--etag", help="Only if this is the newest, as `harken experiment get` says."),
]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object a line.")]


@app.command()
@with_suite_options
def put(
    file: File,
    name: Annotated[
        str | None,
        typer.Option("--name", help="The experiment; default: as the file says, or is called."),
    ] = None,
    note: Note = "",
    etag: Etag = "",
    check: Annotated[bool, typer.Option("--check", help="Check it, and put nothing.")] = False,
    tenant: Tenant = "default",
    *,
    suite: SuiteOptions,
) -> None:
    """Put a draft, which assigns nobody until it is started.

    It is checked as a whole, and against all others: while anything is wrong with it, nothing
    changes.
    """
    with clear_failures():
        endpoints = suite.endpoints()
        read = read_experiment(file, name)
    read.experiment.note = note or read.experiment.note
    read.experiment.etag = etag or read.experiment.etag
    run(_put(endpoints, tenant, read, check))


@app.command()
@with_suite_options
def get(
    name: Name,
    revision: Annotated[int, typer.Option(min=0, help="Default: the newest.")] = 0,
    tenant: Tenant = "default",
    *,
    suite: SuiteOptions,
) -> None:
    """Print an experiment as JSON, which `harken experiment put` takes."""
    with clear_failures():
        endpoints = suite.endpoints()
    typer.echo(experiment_text(run(_get(endpoints, tenant, name, revision))))


@app.command("list")
@with_suite_options
def list_experiments(
    as_json: AsJson = False, tenant: Tenant = "default", *, suite: SuiteOptions
) -> None:
    """List experiments, by name."""
    with clear_failures():
        endpoints = suite.endpoints()
    found = run(_list(endpoints, tenant))
    if as_json:
        for one in found:
            typer.echo(experiment_line(one))
    elif found:
        output().print(experiment_table(found))
    else:
        messages().print(f"tenant {tenant} has no experiments")


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
    """List the revisions of an experiment, newest first."""
    with clear_failures():
        endpoints = suite.endpoints()
    found = run(_history(endpoints, tenant, name, limit))
    if as_json:
        for one in found:
            typer.echo(experiment_line(one))
    else:
        output().print(revision_table(found))


@app.command()
@with_suite_options
def start(
    name: Name,
    share: Annotated[
        float, typer.Option("--share", help="Of its buckets that is open, at most 1.")
    ] = 1.0,
    note: Note = "",
    etag: Etag = "",
    tenant: Tenant = "default",
    *,
    suite: SuiteOptions,
) -> None:
    """Begin to assign users. What is compared cannot be changed any more."""
    request = pb.StartExperimentRequest(tenant=tenant, name=name, share=share, note=note, etag=etag)
    _lead(suite, lambda clients: clients.experiments.StartExperiment(request, timeout=CALL_SECONDS))


@app.command()
@with_suite_options
def ramp(
    name: Name,
    share: Share,
    note: Note = "",
    etag: Etag = "",
    tenant: Tenant = "default",
    *,
    suite: SuiteOptions,
) -> None:
    """Open more of an experiment's buckets. Whoever is in stays in."""
    request = pb.RampExperimentRequest(tenant=tenant, name=name, share=share, note=note, etag=etag)
    _lead(suite, lambda clients: clients.experiments.RampExperiment(request, timeout=CALL_SECONDS))


@app.command()
@with_suite_options
def stop(
    name: Name,
    note: Note = "",
    etag: Etag = "",
    tenant: Tenant = "default",
    *,
    suite: SuiteOptions,
) -> None:
    """Assign nobody any more: everybody is served as without the experiment."""
    request = pb.StopExperimentRequest(tenant=tenant, name=name, note=note, etag=etag)
    _lead(suite, lambda clients: clients.experiments.StopExperiment(request, timeout=CALL_SECONDS))


@app.command()
@with_suite_options
def conclude(
    name: Name,
    winner: Annotated[str, typer.Argument(metavar="VARIANT", help="The one to go on with.")],
    note: Annotated[str, typer.Option("--note", help="What was found, and by whom.")],
    etag: Etag = "",
    tenant: Tenant = "default",
    *,
    suite: SuiteOptions,
) -> None:
    """Say what came of an experiment, and stop it. No surface is changed by that."""
    request = pb.ConcludeExperimentRequest(
        tenant=tenant, name=name, winner=winner, note=note, etag=etag
    )
    _lead(
        suite, lambda clients: clients.experiments.ConcludeExperiment(request, timeout=CALL_SECONDS)
    )


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
    """Take a draft, or an experiment that is concluded, away. Its revisions stay."""
    with clear_failures():
        endpoints = suite.endpoints()
        if not yes:
            confirm_deletion(f"Delete experiment {name}?")
    request = pb.DeleteExperimentRequest(tenant=tenant, name=name, note=note, etag=etag)
    run(_delete(endpoints, request))


@app.command()
def plan(
    mean: Annotated[
        float, typer.Option("--mean", min=0, help="Of the metric in the control, a user.")
    ],
    lift: Annotated[
        float, typer.Option("--lift", help="Relative difference to be found, as in 0.05.")
    ],
    deviation: Annotated[
        float | None,
        typer.Option(
            "--deviation",
            min=0,
            help="Standard deviation over users; default: the metric is 0 or 1, as KIND_ANY is.",
            show_default=False,
        ),
    ] = None,
    variants: Annotated[int, typer.Option(min=2, max=10, help="With the control.")] = 2,
    alpha: Annotated[float, typer.Option(min=0.0001, max=0.5, help="As in experiments.")] = 0.05,
    power: Annotated[
        float, typer.Option(min=0.5, max=0.999, help="Chance to find what is there.")
    ] = 0.8,
) -> None:
    """Say how many users a test with a fixed horizon would need: `planned_users` of an experiment.

    Of variants of equal weights; no suite is needed.
    """
    with clear_failures():
        try:
            users = planned_users(mean, lift, deviation, variants, alpha, power)
        except ValueError as error:
            raise CommandError(str(error)) from None
    output().print(f"{users:,} users of {variants} variants")


@app.command()
@with_suite_options
def report(
    name: Name,
    as_json_: Annotated[bool, typer.Option("--json", help="As one JSON object.")] = False,
    plot: Annotated[
        Path | None,
        typer.Option(
            "--plot",
            help="Write how the differences came to be to this file: .png, .svg or .pdf. Needs the"
            " extra `eval`.",
            show_default=False,
        ),
    ] = None,
    tenant: Tenant = "default",
    *,
    suite: SuiteOptions,
) -> None:
    """Say what an experiment says so far; it may be looked at any time.

    Reads slates since the start, and all events of the log.
    """
    with clear_failures(), threadpool_limits(1):
        if plot is not None:
            check_plot_file("--plot", plot)
        endpoints = suite.endpoints()
        experiment = run(_get(endpoints, tenant, name, 0))
        if not experiment.start_position:
            raise CommandError(f"experiment {name} is a draft: nobody was exposed to it")
        found = read_report(endpoints, tenant, experiment)
        if as_json_:
            typer.echo(json.dumps({"experiment": name, **as_json(found)}))
        else:
            output().print(report_view(experiment, found))
        if plot is not None:
            write_plot(found, plot)
            messages().print(f"plot: {escape(str(plot))}")


async def _put(endpoints: Endpoints, tenant: str, read: ExperimentFile, check: bool) -> None:
    request = pb.PutExperimentRequest(
        tenant=tenant, experiment=read.experiment, validate_only=check
    )
    name = read.experiment.name
    async with connect(endpoints) as clients:
        try:
            answer = await clients.experiments.PutExperiment(request, timeout=CALL_SECONDS)
        except grpc.aio.AioRpcError as error:
            refused = refusal(error, f"experiment {name} is not put", read.path)
            if refused is None:
                raise
            raise refused from error
    if check:
        output().print(f"experiment {name}: all is well, nothing was put")
    else:
        _say(answer.experiment, answer.position)
    say_warnings(answer.warnings, read.path)


async def _get(
    endpoints: Endpoints, tenant: str, name: str, revision: int
) -> experiment_pb2.Experiment:
    request = pb.GetExperimentRequest(tenant=tenant, name=name, revision=revision)
    async with connect(endpoints) as clients:
        answer = await clients.experiments.GetExperiment(request, timeout=CALL_SECONDS)
    return answer.experiment


async def _list(endpoints: Endpoints, tenant: str) -> list[experiment_pb2.Experiment]:
    found: list[experiment_pb2.Experiment] = []
    request = pb.ListExperimentsRequest(tenant=tenant)
    async with connect(endpoints) as clients:
        async for page in pages(
            request, lambda: clients.experiments.ListExperiments(request, timeout=CALL_SECONDS)
        ):
            found += page.experiments
    return found


async def _history(
    endpoints: Endpoints, tenant: str, name: str, limit: int
) -> list[experiment_pb2.Experiment]:
    found: list[experiment_pb2.Experiment] = []
    request = pb.ListExperimentRevisionsRequest(tenant=tenant, name=name, page_size=min(limit, 100))
    async with connect(endpoints) as clients:
        async for page in pages(
            request,
            lambda: clients.experiments.ListExperimentRevisions(request, timeout=CALL_SECONDS),
        ):
            found += page.revisions
            if len(found) >= limit:
                break
    return found[:limit]


def _lead(suite: SuiteOptions, change: Callable[[Clients], Awaitable[_Changed]]) -> None:
    """Make a change of an experiment, and print what it is now."""

    async def made(endpoints: Endpoints) -> None:
        async with connect(endpoints) as clients:
            answer = await change(clients)
        _say(answer.experiment, answer.position)

    with clear_failures():
        endpoints = suite.endpoints()
    run(made(endpoints))


async def _delete(endpoints: Endpoints, request: pb.DeleteExperimentRequest) -> None:
    async with connect(endpoints) as clients:
        await clients.experiments.DeleteExperiment(request, timeout=CALL_SECONDS)
    output().print(f"experiment {request.name} is deleted")


def _say(experiment: experiment_pb2.Experiment, position: bytes) -> None:
    opened = ""
    if experiment.state == experiment_pb2.EXPERIMENT_STATE_RUNNING:
        opened = f", {experiment.open_buckets:,} of {experiment.config.buckets:,} buckets open"
    what = (
        f"experiment {experiment.name}: revision {experiment.revision:,},"
        f" {state_of(experiment)}{opened}"
    )
    since = f"; from position {position.hex()} on" if position else " already, nothing changed"
    output().print(what + since)
