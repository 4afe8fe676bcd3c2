"""Writes deploy/observability/metrics.md: `python -m tests.deploy.observability.metrics_page`."""

import asyncio
import tempfile
from collections.abc import Mapping
from pathlib import Path

from services.cli.local_suite import local_suite
from services.cli.suite import SuiteConfig
from tests.deploy.observability.promql import FOLDER
from tests.deploy.observability.scrape import Scrape, scrape

FILE = FOLDER / "metrics.md"
_SERVICES = {
    "ingest": "feedback",
    "learner": "feedback",
    "profile": "profile",
    "ranker-1": "ranker",
    "ranker-2": "ranker",
}
_HEAD = """# Metrics

All metrics that the processes serve at /metrics, as they describe themselves. Written by
`python -m tests.deploy.observability.metrics_page`; a test compares it with running processes.
Counters end in `_total` on the wire, histograms in `_bucket`, `_sum` and `_count`. Roles of
feedback: `ingest` and `learner`; a process of role `all` has those of both. `*_created` series of
the Python client are not listed.

| metric | type | where | meaning |
|---|---|---|---|
"""


def rows(found: Mapping[str, Scrape]) -> dict[str, str]:
    """Return the rows of the table by metric."""
    where: dict[str, set[str]] = {}
    about: dict[str, tuple[str, str]] = {}
    for process, one in found.items():
        for family in one.families.values():
            if family.type == "gauge" and family.name.endswith("_created"):
                continue
            where.setdefault(family.name, set()).add(_SERVICES[process])
            about[family.name] = (family.type, family.documentation)
    return {
        name: f"| `{name}` | {kind} | {', '.join(sorted(where[name]))} | {meaning} |"
        for name, (kind, meaning) in sorted(about.items())
    }


def page(found: Mapping[str, Scrape]) -> str:
    """Return the page."""
    return _HEAD + "".join(f"{row}\n" for row in rows(found).values())


def main() -> None:
    """Start a suite, ask it, and write the page."""
    with tempfile.TemporaryDirectory() as folder:
        config = SuiteConfig(Path(folder), "", "", split_feedback=True)
        with local_suite(config) as suite:
            FILE.write_text(page(asyncio.run(scrape(suite))))


if __name__ == "__main__":
    main()
