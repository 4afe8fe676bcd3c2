"""Rows of the campaign and of the planted bugs.

Its bias: clients, suite and PostgreSQL share one machine; planted bugs run without faults first,
and with faults only when that does not catch them.
"""

import asyncio
import time
from collections.abc import Iterator

from tests.benchmarks.numbers.table import Number
from tests.chaos.campaign import Campaign, run
from tests.chaos.plants import PLANTS

_ALLOWED_SECONDS = 600.0


def campaign(
    kills: int = 1000, events: int = 10**6, seed: int = 1, minutes: float = 40.0
) -> Iterator[Number]:
    """Run until so many kills and acknowledged events are reached, for `minutes` at the longest."""
    wanted = Campaign(minutes, seed, senders=16, most=40, users=200, kills=kills, events=events)
    report = asyncio.run(run(wanted))
    yield Number(
        "campaign: kills / acknowledged events / lost / doubled / stale as fresh / digests that "
        "differ",
        f"{kills:,} / {events:,} / 0 / 0 / 0 / 0",
        report.row(),
        report.kills >= kills and report.acknowledged >= events and not report.complaints,
        {"printed": report.printed()},
    )


def planted(minutes: float = 0.15, seed: int = 1) -> Iterator[Number]:
    """Run with each planted bug for `minutes`, and longer when that does not catch it."""
    table: dict[str, dict[str, object]] = {}
    for plant in sorted(PLANTS):
        began = time.monotonic()
        oracles: list[str] = []
        for one in (
            Campaign(minutes, seed, plant=plant, faults=False),
            Campaign(4 * minutes, seed, plant=plant),
        ):
            oracles = asyncio.run(run(one)).oracles
            if oracles:
                break
        seconds = time.monotonic() - began
        table[plant] = {"oracles": oracles, "seconds": seconds}
        print(f"{plant}: {', '.join(oracles) or 'not caught'}, {seconds:.0f} s", flush=True)
    caught = [
        name for name, one in table.items()
        if one["oracles"] and float(str(one["seconds"])) <= _ALLOWED_SECONDS
    ]  # fmt: skip
    yield Number(
        "planted bugs caught within 10 minutes",
        f"{len(PLANTS)} of {len(PLANTS)}",
        f"{len(caught)} of {len(PLANTS)}",
        len(PLANTS) >= 12 and len(caught) == len(PLANTS),
        {"by": table},
    )
