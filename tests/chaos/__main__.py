"""`python -m tests.chaos --minutes 5 --seed 1`: exit code 1 when any oracle complains."""

import argparse
import asyncio
import sys

from tests.chaos.campaign import Campaign, run
from tests.chaos.plants import PLANTS


def main() -> int:
    """Run a campaign and print its report."""
    parser = argparse.ArgumentParser(prog="chaos", description=__doc__)
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--plant", choices=sorted(PLANTS), default="", help="run with this bug")
    parser.add_argument("--no-faults", action="store_true")
    parser.add_argument(
        "--disk", type=int, default=2048, help="MiB of PostgreSQL's disk, full at times; 0: never"
    )
    given = parser.parse_args()
    report = asyncio.run(
        run(
            Campaign(
                given.minutes,
                given.seed,
                plant=given.plant,
                faults=not given.no_faults,
                disk_mebibytes=0 if given.no_faults else given.disk,
            )
        )
    )
    print(report.printed())
    return 1 if report.complaints else 0


if __name__ == "__main__":
    sys.exit(main())
