"""A suite on this machine with the PostgreSQL it needs, for `up` and `demo`."""

import contextlib
import fcntl
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from services.cli.embedded_postgres import EmbeddedPostgres
from services.cli.failures import CommandError
from services.cli.guardian import Guardian
from services.cli.suite import Suite, SuiteConfig


@contextlib.contextmanager
def local_suite(
    config: SuiteConfig, report: Callable[[str], None] = lambda _: None
) -> Iterator[Suite]:
    """Run a suite until the block ends.

    A DSN that is empty in `config` means the embedded PostgreSQL, with its data in
    `config.folder`/postgres. `report` hears what is being done.

    Raises:
        CommandError: another suite runs from that folder.
        PostgresError: the embedded PostgreSQL does not start.
        ProcessFailedError: a process does not start.

    """
    config.folder.mkdir(parents=True, exist_ok=True)
    with contextlib.ExitStack() as stack:
        stack.enter_context(_alone(config.folder))
        guardian = Guardian()
        stack.callback(guardian.close)
        if not (config.feedback_dsn and config.profile_dsn):
            report("starting PostgreSQL")
            server = EmbeddedPostgres(config.folder / "postgres", guardian)
            stack.enter_context(server)
            config = replace(
                config,
                feedback_dsn=config.feedback_dsn or server.dsn("harken_feedback"),
                profile_dsn=config.profile_dsn or server.dsn("harken_profile"),
            )
        report("starting services")
        yield stack.enter_context(Suite(config, guardian))


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    with (folder / "suite.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise CommandError(f"a suite runs from {folder} already") from None
        yield
