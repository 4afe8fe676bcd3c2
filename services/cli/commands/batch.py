"""`harken batch`: slates for many users, into a file."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from harken.ranker.v1 import ranker_service_pb2 as pb
from harken.ranker.v1 import slate_pb2
from services.cli.batches import check_request, recommend_all
from services.cli.clients import connect
from services.cli.console import messages
from services.cli.endpoints import Endpoints
from services.cli.failures import CommandError, clear_failures, run
from services.cli.options import SuiteOptions, Tenant, with_suite_options
from services.cli.progress_bar import progress_bar
from services.cli.request_options import context_values
from services.cli.subjects import subject_of


@with_suite_options
def batch(
    subjects: Annotated[
        str, typer.Argument(metavar="SUBJECTS", help="File with an id a line. `-`: standard input.")
    ],
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="File to write: a line of JSON for each id.")
    ],
    session: Annotated[bool, typer.Option("--session", help="Ids are of sessions.")] = False,
    count: Annotated[int, typer.Option(min=1, max=1000, help="Number of items.")] = 10,
    surface: Annotated[str, typer.Option(help="Place where the slates are shown.")] = "mail",
    category: Annotated[
        list[str] | None, typer.Option(help="Only items of this category; may be repeated.")
    ] = None,
    expression: Annotated[
        str, typer.Option("--filter", help="Only items for which this is true, in CEL.")
    ] = "",
    context: Annotated[
        list[str] | None,
        typer.Option(help="What rules see of the request, KEY=VALUE; may be repeated."),
    ] = None,
    preview: Annotated[
        bool, typer.Option("--preview", help="They will not be shown, so they are not logged.")
    ] = False,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on where FILE ends, with the same SUBJECTS.")
    ] = False,
    overwrite: Annotated[
        bool,
        typer.Option(
            "--overwrite", help="Replace FILE. Slates of its ids are made, and logged, once more."
        ),
    ] = False,
    tenant: Tenant = "default",
    *,
    suite: SuiteOptions,
) -> None:
    """Write the slates of many users to a file, as for mails at night.

    A line for each line of SUBJECTS, in their order: `subject`, `slate_id`, `items` and how they
    came about, or `fault` where there is none, as of a blank line. FILE is written only once the
    request is known to be right, and one that is there is kept unless told otherwise. What breaks
    off is taken up where it was; exit code 1 where it cannot be, then `--resume` goes on later.
    Slates that somebody waits for go first.
    """
    with clear_failures():
        endpoints = suite.endpoints()
        _may_write(file, resume, overwrite)
        ids = _ids(subjects)
        done = _done(file) if resume else 0
        if done > len(ids):
            raise CommandError(f"{file} has {done:,} slates, {subjects} only {len(ids):,} ids")
        asked = pb.RecommendRequest(
            surface=surface,
            count=count,
            preview=preview,
            filter=slate_pb2.Filter(categories=category or [], expression=expression),
        )
        if context:
            asked.context.values.update(context_values(context))
    faults = run(_write(endpoints, tenant, ids, session, asked, file, done))
    messages().print(f"{len(ids) - done:,} slates, {faults:,} faults")


def _may_write(file: Path, resume: bool, overwrite: bool) -> None:
    """Return when a file may be written.

    Raises:
        CommandError: it may not: slates that were shown, as mails are, would be made anew.

    """
    if resume and overwrite:
        raise CommandError("--resume keeps what FILE has, and --overwrite does not: say one")
    there = file.is_file() and file.stat().st_size > 0
    if there and not (resume or overwrite):
        raise CommandError(
            f"{file} is there already: --resume goes on where it ends, --overwrite makes all "
            "slates anew, and logs them"
        )


def _ids(source: str) -> list[str]:
    """Return the ids of a file, one a line; a blank line is one that no subject has."""
    text = sys.stdin.read() if source == "-" else Path(source).read_text(encoding="utf-8")
    ids = [line.removesuffix("\r") for line in text.removesuffix("\n").split("\n")]
    if not any(ids):
        raise CommandError(f"{source} has no ids")
    return ids


def _done(file: Path) -> int:
    """Return how many lines a file has that was written before; half a line is cut off."""
    if not file.exists():
        return 0
    with file.open("rb+") as written:
        lines = end = 0
        for line in written:
            if line.endswith(b"\n"):
                lines, end = lines + 1, end + len(line)
        written.truncate(end)
    return lines


async def _write(
    endpoints: Endpoints,
    tenant: str,
    ids: list[str],
    session: bool,
    asked: pb.RecommendRequest,
    file: Path,
    done: int,
) -> int:
    faults = 0
    left = [subject_of(one, session) for one in ids[done:]]
    async with connect(endpoints) as clients:
        if left:
            await check_request(clients, tenant, left[0], asked)
        with (
            file.open("a" if done else "w", encoding="utf-8", newline="\n") as lines,
            progress_bar("slates", len(ids)) as progress,
        ):
            async for at, result in recommend_all(clients, tenant, left, asked):
                lines.write(_line(ids[done + at], result) + "\n")
                faults += result.HasField("fault")
                progress(done + at + 1)
    return faults


def _line(subject: str, result: pb.SubjectSlate) -> str:
    if result.HasField("fault"):
        detail = result.fault.detail if subject else "a blank line"
        said = {"reason": result.fault.reason, "detail": detail}
        return json.dumps({"subject": subject, "fault": said}, ensure_ascii=False)
    slate = result.slate
    name = slate_pb2.Degradation.Name
    return json.dumps(
        {
            "subject": subject,
            "slate_id": slate.slate_id,
            "items": [
                {"item_id": slot.item_id, "score": slot.score, "propensity": slot.propensity}
                for slot in slate.slots
            ],
            "generation_id": slate.generation_id,
            "surface_revision": slate.surface_revision,
            "policy": slate.policy,
            "degradations": [name(one).removeprefix("DEGRADATION_") for one in slate.degradations],
        },
        ensure_ascii=False,
    )
