"""Options that many commands share."""

from pathlib import Path
from typing import Annotated

import typer

from services.cli.endpoints import Endpoints
from services.cli.failures import CommandError

DEFAULT_FOLDER = Path(".harken")

Folder = Annotated[
    Path,
    typer.Option(
        "--folder", envvar="HARKEN_FOLDER", help="Folder of the suite that `harken up` runs."
    ),
]
FeedbackTarget = Annotated[
    str | None,
    typer.Option("--feedback", envvar="HARKEN_FEEDBACK_TARGET", help="host:port of feedback."),
]
ProfileTarget = Annotated[
    str | None,
    typer.Option("--profile", envvar="HARKEN_PROFILE_TARGET", help="host:port of profile."),
]
RankerTarget = Annotated[
    str | None,
    typer.Option(
        "--ranker", envvar="HARKEN_RANKER_TARGET", help="host:port of rankers, parted by commas."
    ),
]
Tenant = Annotated[str, typer.Option("--tenant", envvar="HARKEN_TENANT", help="Tenant.")]


def find_endpoints(
    folder: Path, feedback: str | None, profile: str | None, ranker: str | None
) -> Endpoints:
    """Return where the services are: what is given, the rest from the suite in `folder`.

    Raises:
        CommandError: something is neither given nor found.

    """
    running = Endpoints.read(folder)
    rankers = tuple(part.strip() for part in (ranker or "").split(",") if part.strip())
    if running is None:
        if not (feedback and profile and rankers):
            raise CommandError(
                f"no suite runs from {folder}: start one with `harken up`, "
                "or give --feedback, --profile and --ranker"
            )
        return Endpoints(feedback, profile, rankers)
    return Endpoints(
        feedback or running.feedback, profile or running.profile, rankers or running.rankers
    )
