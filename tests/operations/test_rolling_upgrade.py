"""The last release and this one side by side on one database and one feed, under traffic.

The order is that of deploy/upgrades.md: migrations, feedback, profile, rankers. Between the steps
old and new stand beside each other in every pair, and one process of each kind goes back once.
"""

import asyncio
from pathlib import Path

import pytest

from services.cli.embedded_postgres import EmbeddedPostgres
from services.cli.guardian import Guardian
from tests.operations.fleet import CHECKOUT, Fleet, FleetConfig
from tests.operations.last_release import last_release, unpack
from tests.operations.traffic import Traffic, traffic_to
from tests.operations.truths import check_nothing_lost

RATE = 15.0
ORDER = ("ingest-1", "ingest-2", "learner-2", "learner-1", "profile-1", "profile-2", "ranker-1",
         "ranker-2")  # fmt: skip
BACK = ("learner-2", "ranker-1")
"""What goes back to the last release, after all is replaced, and then on again."""


async def replace(fleet: Fleet, traffic: Traffic, name: str, root: Path) -> None:
    """Replace a process by one of other code, and see that both kinds of calls go on."""
    traffic.phase = f"{name} to {root.name}"
    await asyncio.to_thread(fleet.terminate, name)
    await asyncio.to_thread(lambda: fleet.start(name, root=root))
    await traffic.more_answers()


async def test_an_upgrade_loses_nothing_and_refuses_nothing(
    guardian: Guardian, tmp_path: Path
) -> None:
    """Truths 1, 2 and 5."""
    old = tmp_path / "last-release"
    unpack(last_release(), old)
    with EmbeddedPostgres(tmp_path / "postgres", guardian, durable=False) as server:
        config = FleetConfig(
            tmp_path / "fleet",
            server.dsn("harken_feedback"),
            server.dsn("harken_profile"),
            environment={
                role: {
                    "HARKEN_FEEDBACK_CHECKPOINT_VERSIONS": "20",
                    "HARKEN_FEEDBACK_CHECKPOINT_SECONDS": "0.5",
                    "HARKEN_FEEDBACK_DIMENSION": "16",
                }
                for role in ("ingest", "learner")
            },
            root=old,
        )
        with await asyncio.to_thread(Fleet(config, guardian).__enter__) as fleet:
            targets = [fleet.target(role) for role in ("ingest", "ranker", "profile")]
            # Clients of the last release know no health name of rankers.
            async with traffic_to(*targets, items=200, users=40, health=None) as traffic:
                await traffic.fill()
                stop = asyncio.Event()
                sending = asyncio.create_task(traffic.run(RATE, RATE, stop))
                await traffic.more_answers()
                await asyncio.to_thread(fleet.migrate, CHECKOUT)
                await traffic.more_answers()
                for name in ORDER:
                    await replace(fleet, traffic, name, CHECKOUT)
                for root in (old, CHECKOUT):
                    for name in BACK:
                        await replace(fleet, traffic, name, root)
                stop.set()
                await sending
                assert not traffic.account.failed
                await check_nothing_lost(traffic, server.admin_dsn)
            check_logs(fleet)


def check_logs(fleet: Fleet) -> None:
    """No process met anything it calls an error: no frame refused, no learner failed."""
    for name in fleet.processes:
        log = fleet.folder / f"{name}.log"
        errors = [line for line in log.read_text().splitlines() if '"level": "error"' in line]
        if errors:
            pytest.fail(f"{name}: {errors[0][:2000]}")
