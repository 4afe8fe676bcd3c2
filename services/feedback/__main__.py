"""Entry point: `python -m services.feedback [--role all|ingest|learner] [--migrate]`."""

import argparse
import sys
from pathlib import Path

import uvloop
from pydantic import ValidationError
from threadpoolctl import threadpool_limits

from services.common.logs import configure_logs
from services.common.migrations import migrate
from services.feedback.config import FeedbackConfig, Role
from services.feedback.process import SCHEMA, run


def main() -> int:
    """Run the service until SIGTERM or SIGINT, or migrate its schema and exit."""
    parser = argparse.ArgumentParser(prog="python -m services.feedback", description=__doc__)
    parser.add_argument("--role", choices=[role.value for role in Role])
    parser.add_argument("--migrate", action="store_true", help="migrate the schema and exit")
    arguments = parser.parse_args()
    given = {"role": arguments.role} if arguments.role else {}
    try:
        config = FeedbackConfig(**given)
    except ValidationError as error:
        sys.stderr.write(f"configuration of the feedback service is wrong:\n{error}\n")
        return 2
    configure_logs(config.log_level)
    if arguments.migrate:
        migrate(config.dsn, SCHEMA, Path(__file__).parent / "migrations")
        return 0
    # One thread for matrix work: steps are small, and bits must not depend on scheduling.
    with threadpool_limits(1):
        uvloop.run(run(config))
    return 0


if __name__ == "__main__":
    sys.exit(main())
