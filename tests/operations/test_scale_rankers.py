"""New rankers get traffic by nothing but DNS and connection age; leaving ones fail no call.

`python -m tests.benchmarks.scale_rankers` does it with 100,000 items and tells times.
"""

import asyncio
from pathlib import Path

import pytest

from services.cli.guardian import Guardian
from tests.conftest import FreshDatabase
from tests.operations.name_server import name_server
from tests.operations.scaling import RANKERS, announce, fleet_of_rankers, scale, target_by_name
from tests.operations.traffic import traffic_to

RATE = 30.0


async def test_rankers_scale_out_and_in_without_an_error(
    database: FreshDatabase, guardian: Guardian, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A target with a name server of its own is what c-ares takes.
    monkeypatch.setenv("GRPC_DNS_RESOLVER", "ares")
    dsns = (database.feedback_dsn, database.profile_dsn)
    with await asyncio.to_thread(
        fleet_of_rankers(tmp_path / "fleet", *dsns, 2.0, guardian).__enter__
    ) as fleet:
        async with name_server() as names:
            announce(names, fleet, RANKERS[0])
            targets = (
                fleet.target("ingest"),
                target_by_name(names, fleet),
                fleet.target("profile"),
            )
            async with traffic_to(*targets, items=200, users=50) as traffic:
                await traffic.fill()
                stop = asyncio.Event()
                sending = asyncio.create_task(traffic.run(RATE, RATE, stop))
                seen = await scale(fleet, names, traffic, hold_seconds=2.0)
                stop.set()
                await sending
                assert not traffic.account.failed
                assert not traffic.account.repeated, "gRPC's own repetition was not enough"
                assert min(seen.slates.values()) > 0.5 * sum(seen.slates.values()) / len(RANKERS)
