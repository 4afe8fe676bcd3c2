"""The profile service: `python -m services.profile [--migrate]`."""

import argparse
import sys

import uvloop
from pydantic import ValidationError

from services.common.errors import HarkenError
from services.common.logs import configure_logs, logger
from services.common.migrations import migrate
from services.common.server import stop_signal
from services.profile.config import ProfileConfig
from services.profile.process import MIGRATIONS, SCHEMA, serve

_PREFIX = "HARKEN_PROFILE_"


def main() -> int:
    """Run the service, or migrate its schema; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m services.profile", description=__doc__)
    parser.add_argument("--migrate", action="store_true", help="apply migrations and exit")
    arguments = parser.parse_args()
    try:
        config = ProfileConfig()  # type: ignore[call-arg]
    except ValidationError as error:
        for fault in error.errors():
            key = _PREFIX + "_".join(str(part) for part in fault["loc"]).upper()
            sys.stderr.write(f"{key}: {fault['msg']}\n")
        return 2
    configure_logs(config.log_level)
    try:
        if arguments.migrate:
            migrate(config.dsn, SCHEMA, MIGRATIONS)
        else:
            uvloop.run(_serve(config))
    except (HarkenError, RuntimeError) as error:
        logger("profile").error("cannot go on", error=str(error))
        return 1
    return 0


async def _serve(config: ProfileConfig) -> None:
    await serve(config, stop_signal())


if __name__ == "__main__":
    sys.exit(main())
