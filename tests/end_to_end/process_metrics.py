"""What a process of a suite says on /metrics."""

import asyncio
import urllib.request

from services.cli.suite import Suite


async def metric(suite: Suite, process: str, name: str) -> float:
    """Return the value of one time series, named with its labels as Prometheus writes it."""

    def read() -> str:
        address = suite.metrics_endpoints[process]
        with urllib.request.urlopen(f"http://{address}/metrics", timeout=10) as answer:
            return str(answer.read().decode())

    lines = (await asyncio.to_thread(read)).splitlines()
    (value,) = [line.rsplit(" ", 1)[1] for line in lines if line.startswith(name + " ")]
    return float(value)
