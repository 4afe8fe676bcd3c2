"""The feedback service: `python -m services.feedback [--role all|ingest|learner] [--migrate]`."""

import sys
from pathlib import Path

import asyncpg
from prometheus_client import CollectorRegistry

from services.common.migrations import migrate
from services.common.reloadable import Reloadable
from services.common.service_main import run_service
from services.common.vault.opening import migrate_vault
from services.feedback.config import FeedbackConfig, Role
from services.feedback.process import SCHEMA, run

MIGRATIONS = Path(__file__).parent / "migrations"


async def _serve(live: Reloadable[FeedbackConfig], registry: CollectorRegistry) -> None:
    try:
        await run(live, registry)
    except asyncpg.UndefinedTableError as error:
        raise RuntimeError(
            "the database has no tables of ours: run python -m services.feedback --migrate"
        ) from error


def _migrate(config: FeedbackConfig) -> None:
    migrate(config.dsn, SCHEMA, MIGRATIONS)
    migrate_vault(config)


def main() -> int:
    """Run the service, or migrate its schema; return the exit code."""
    return run_service(
        "feedback",
        FeedbackConfig,
        _serve,
        migrate=_migrate,
        options={"role": [role.value for role in Role]},
    )


if __name__ == "__main__":
    sys.exit(main())
