"""`harken snapshot verify`: whether the newest checkpoint leads to what rankers serve."""

import typer
from rich.markup import escape

from services.cli.clients import connect
from services.cli.console import output
from services.cli.failures import clear_failures, run
from services.cli.options import SuiteOptions, with_suite_options
from services.cli.snapshot.verify import Report, verify

app = typer.Typer(help="The learner's checkpoints, which new replicas start from.")


@app.callback()
def _group() -> None:
    """Keep `verify` a command of its own."""


@app.command("verify")
@with_suite_options
def verify_snapshot(*, suite: SuiteOptions) -> None:
    """Read the newest snapshot and the frames after it as a new replica would, and compare.

    Checks shapes, bounds and order of all chunks and frames, and the digest of each tenant's item
    vectors with that of every ranker at the same version. Exit code 0: all is well. Exit code 1:
    something differs, and the output says what.
    """
    with clear_failures():
        endpoints = suite.endpoints()

    async def work() -> Report:
        async with connect(endpoints) as clients:
            rankers = list(zip(endpoints.rankers, clients.rankers, strict=True))
            return await verify(endpoints.feedback, rankers, endpoints.identity)

    report = run(work())
    print_report(report)
    if report.faults:
        raise typer.Exit(1)


def print_report(report: Report) -> None:
    """Print what was found."""
    console = output()
    console.print(
        f"snapshot: epoch {report.epoch}, version {report.snapshot_version:,}, log sequence "
        f"{report.snapshot_sequence:,}, {report.chunks} chunks, {report.snapshot_bytes:,} bytes"
    )
    console.print(
        f"frames after it: {report.frames:,}, {report.frame_bytes:,} bytes, up to version "
        f"{report.version:,}"
    )
    for tenant, (generation, vectors, digest) in sorted(report.tenants.items()):
        console.print(
            f"tenant {tenant}: generation {generation}, {vectors:,} vectors, digest {digest[:12]}"
        )
    console.print(f"compared with {report.compared} rankers in {report.seconds:.1f} s")
    for fault in report.faults:
        console.print(f"[bold red]DIFFERS:[/] {escape(fault)}")
    if not report.faults:
        console.print("[green]all is well[/]")
