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
from services.cli.vault_files import make_files, with_keys


@contextlib.contextmanager
def local_suite(
    config: SuiteConfig, report: Callable[[str], None] = lambda _: None, private: bool = False
) -> Iterator[Suite]:
    """Run a suite until the block ends.

    A DSN that is empty in `config` means the embedded PostgreSQL, with its data in
    `config.folder`/postgres. With `private`, or where files of keys are in `config.folder`/keys
    already, ids are stored as pseudonyms, and what belongs to users is sealed; that takes the
    embedded PostgreSQL. `report` hears what is being done.

    Raises:
        CommandError: another suite runs from that folder, or `private` without our PostgreSQL.
        PostgresError: the embedded PostgreSQL does not start.
        ProcessFailedError: a process does not start.

    """
    config.folder.mkdir(parents=True, exist_ok=True)
    with contextlib.ExitStack() as stack:
        stack.enter_context(_alone(config.folder))
        guardian = Guardian()
        stack.callback(guardian.close)
        keys = config.folder.resolve() / "keys"
        if private and config.feedback_dsn and config.profile_dsn:
            raise CommandError(
                "--private is for the embedded PostgreSQL: for another one set"
                " HARKEN_FEEDBACK_PSEUDONYM_KEY_FILE and its like (docs/privacy.md)"
            )
        if not (config.feedback_dsn and config.profile_dsn):
            report("starting PostgreSQL")
            server = EmbeddedPostgres(config.folder / "postgres", guardian)
            stack.enter_context(server)
            config = replace(
                config,
                feedback_dsn=config.feedback_dsn or server.dsn("harken_feedback"),
                profile_dsn=config.profile_dsn or server.dsn("harken_profile"),
            )
            if private or keys.is_dir():
                make_files(keys)
                environment = with_keys(config.environment, keys, server.dsn("harken_keys"))
                config = replace(config, environment=environment)
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
