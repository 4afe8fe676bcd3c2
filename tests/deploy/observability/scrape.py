"""Reading /metrics of running processes."""

import asyncio
import math
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from services.cli.suite import Suite


@dataclass(frozen=True)
class Scrape:
    """What one process said at one moment."""

    process: str
    families: Mapping[str, Metric]

    def samples(self, name: str) -> Iterator[tuple[dict[str, str], float]]:
        for family in self.families.values():
            for sample in family.samples:
                if sample.name == name:
                    yield sample.labels, sample.value

    def total(self, name: str, **labels: str) -> float:
        """Return the sum of a series over all that have these labels."""
        return math.fsum(
            value
            for own, value in self.samples(name)
            if all(own.get(key) == wanted for key, wanted in labels.items())
        )

    def names(self) -> set[str]:
        """Return the names of all samples, and of families without any yet."""
        names = set()
        for family in self.families.values():
            names |= {sample.name for sample in family.samples}
            names |= sample_names(family)
        return names


def sample_names(family: Metric) -> set[str]:
    """Return the names that samples of a family have."""
    suffixes = {"counter": ("_total",), "histogram": ("_bucket", "_count", "_sum")}
    return {family.name + suffix for suffix in suffixes.get(family.type, ("",))}


async def scrape(suite: Suite) -> dict[str, Scrape]:
    """Return what each process of a suite says, by name."""
    return {name: await scrape_one(suite, name) for name in suite.metrics_endpoints}


async def scrape_one(suite: Suite, name: str) -> Scrape:
    """Return what one process of a suite says."""
    address = suite.metrics_endpoints[name]
    text = await asyncio.to_thread(_read, f"http://{address}/metrics")
    return Scrape(name, {family.name: family for family in text_string_to_metric_families(text)})


def _read(url: str) -> str:
    with urllib.request.urlopen(url, timeout=10) as answer:
        return str(answer.read().decode())
