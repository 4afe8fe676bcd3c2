"""The profile service: `python -m services.profile [--migrate]`."""

import sys

from prometheus_client import CollectorRegistry

from services.common.migrations import migrate
from services.common.reloadable import Reloadable
from services.common.server import stop_signal
from services.common.service_main import run_service
from services.profile.config import ProfileConfig
from services.profile.process import MIGRATIONS, SCHEMA, serve


async def _serve(live: Reloadable[ProfileConfig], registry: CollectorRegistry) -> None:
    await serve(live, registry, stop_signal())


def _migrate(config: ProfileConfig) -> None:
    migrate(config.dsn, SCHEMA, MIGRATIONS)


def main() -> int:
    """Run the service, or migrate its schema; return the exit code."""
    return run_service("profile", ProfileConfig, _serve, migrate=_migrate)


if __name__ == "__main__":
    sys.exit(main())
