"""What every process says about itself, and about its connections to PostgreSQL."""

from collections.abc import Iterator, Mapping
from importlib import metadata
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Gauge, ProcessCollector
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

if TYPE_CHECKING:
    # The ranker has no database: its image has no asyncpg.
    import asyncpg


def add_process_metrics(registry: CollectorRegistry) -> None:
    """Add CPU, memory, files, start time (`process_*`), and the version that runs."""
    ProcessCollector(registry=registry)
    build = Gauge(
        "harken_build_info", "Always 1; the label says which version runs.", ["version"],
        registry=registry,
    )  # fmt: skip
    build.labels(_version()).set(1)


def _version() -> str:
    try:
        return metadata.version("harken")
    except metadata.PackageNotFoundError:
        return "unknown"


class DatabaseMetrics:
    """Whether PostgreSQL answers, and connections by pool. Label `pool`: its name."""

    def __init__(self, registry: CollectorRegistry, pools: "Mapping[str, asyncpg.Pool]") -> None:
        self.up = Gauge(
            "harken_database_up", "1 while PostgreSQL answers this process, else 0.",
            registry=registry,
        )  # fmt: skip
        registry.register(_PoolCollector(pools))


class _PoolCollector(Collector):
    """Asks the pools when Prometheus asks us."""

    def __init__(self, pools: "Mapping[str, asyncpg.Pool]") -> None:
        self._pools = dict(pools)

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Yield the figures of all pools."""
        busy = GaugeMetricFamily(
            "harken_database_connections_busy", "Connections that are lent out.", labels=["pool"]
        )
        opened = GaugeMetricFamily(
            "harken_database_connections_open", "Connections that are open.", labels=["pool"]
        )
        most = GaugeMetricFamily(
            "harken_database_connections_max", "Connections there may be.", labels=["pool"]
        )
        for name, pool in self._pools.items():
            opened.add_metric([name], pool.get_size())
            busy.add_metric([name], pool.get_size() - pool.get_idle_size())
            most.add_metric([name], pool.get_max_size())
        yield from (busy, opened, most)
