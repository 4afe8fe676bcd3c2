"""Every kind of process is restarted, one after the other, and clients notice nothing.

`python -m tests.benchmarks.rolling_restart` does it to every process at a higher rate, and tells
latencies.
"""

import asyncio
from pathlib import Path

from services.cli.embedded_postgres import EmbeddedPostgres
from services.cli.guardian import Guardian
from tests.operations.fleet import Fleet, FleetConfig
from tests.operations.rolling_restart import restart, restart_postgres
from tests.operations.traffic import traffic_to
from tests.operations.truths import check_nothing_lost

RATE = 20.0


async def test_a_rolling_restart_fails_no_call_and_loses_no_event(
    guardian: Guardian, tmp_path: Path
) -> None:
    """Truths 1 and 2. gRPC's own repetition hides the restarts of processes; that of PostgreSQL
    is hidden by the client's repetition with the same event ids.
    """
    with EmbeddedPostgres(tmp_path / "postgres", guardian, durable=False) as server:
        config = FleetConfig(
            tmp_path / "fleet", server.dsn("harken_feedback"), server.dsn("harken_profile")
        )
        with await asyncio.to_thread(Fleet(config, guardian).__enter__) as fleet:
            targets = [fleet.target(role) for role in ("ingest", "ranker", "profile")]
            async with traffic_to(*targets, items=200, users=50) as traffic:
                await traffic.fill()
                stop = asyncio.Event()
                sending = asyncio.create_task(traffic.run(RATE, RATE, stop))
                await restart(fleet, traffic, ("ranker-1", "profile-1", "learner-1", "ingest-1"))
                assert not traffic.account.repeated, "gRPC's own repetition was not enough"
                await restart_postgres(server, traffic)
                stop.set()
                await sending
                assert not traffic.account.failed
                assert len(traffic.account.record_seconds) > RATE
                await check_nothing_lost(traffic, server.admin_dsn)
