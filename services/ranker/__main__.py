"""The ranker: `python -m services.ranker`."""

import sys

from prometheus_client import CollectorRegistry

from services.common.reloadable import Reloadable
from services.common.server import stop_signal
from services.common.service_main import run_service
from services.ranker.config import RankerConfig
from services.ranker.process import serve


async def _serve(live: Reloadable[RankerConfig], registry: CollectorRegistry) -> None:
    await serve(live, registry, stop_signal())


def main() -> int:
    """Run the service; return the exit code."""
    return run_service("ranker", RankerConfig, _serve)


if __name__ == "__main__":
    sys.exit(main())
