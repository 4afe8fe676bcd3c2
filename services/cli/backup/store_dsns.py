"""Which databases a backup is taken of, and restored into."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from services.cli.embedded_postgres import EmbeddedPostgres
from services.cli.failures import CommandError

FeedbackDsn = Annotated[
    str,
    typer.Option(
        envvar="HARKEN_FEEDBACK_DSN",
        help="PostgreSQL of feedback; default: the embedded one in the folder.",
    ),
]
ProfileDsn = Annotated[
    str,
    typer.Option(
        envvar="HARKEN_PROFILE_DSN",
        help="PostgreSQL of profile; default: the embedded one in the folder.",
    ),
]


@dataclass(frozen=True, slots=True)
class StoreDsns:
    """Where the two services keep their schemas; each in its own role."""

    feedback: str
    profile: str


@contextlib.contextmanager
def store_dsns(
    folder: Path, feedback: str, profile: str, create: bool = False
) -> Iterator[StoreDsns]:
    """Lend the DSNs given, or those of the embedded server in `folder`, which runs meanwhile.

    `create`: an embedded server that is not there yet is made.

    Raises:
        CommandError: only one is given, or none and there is no embedded server.
        PostgresError: the embedded server does not start.

    """
    if feedback and profile:
        yield StoreDsns(feedback, profile)
        return
    if feedback or profile:
        raise CommandError("give both --feedback-dsn and --profile-dsn, or none")
    if not create and not (folder / "postgres").is_dir():
        raise CommandError(
            f"there is no embedded PostgreSQL in {folder}: give --feedback-dsn and --profile-dsn"
        )
    server = EmbeddedPostgres(folder / "postgres")
    was_running = server.pid is not None
    server.start()
    try:
        yield StoreDsns(server.dsn("harken_feedback"), server.dsn("harken_profile"))
    finally:
        if not was_running:
            server.stop()
