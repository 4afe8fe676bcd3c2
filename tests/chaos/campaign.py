"""One campaign: a suite of its own, traffic under faults, then every oracle."""

import asyncio
import contextlib
import os
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from services.cli.embedded_postgres import EmbeddedPostgres
from services.cli.free_ports import free_ports
from services.cli.guardian import Guardian
from services.cli.service_process import ProcessSpec
from services.cli.suite import Suite, SuiteConfig
from tests.chaos.failpoints import FAILPOINTS
from tests.chaos.faults import Faults
from tests.chaos.feed_watch import FeedWatch
from tests.chaos.model import Journal
from tests.chaos.plants import PLANT
from tests.chaos.proxy import Proxy
from tests.chaos.report import Report
from tests.chaos.traffic import Sender
from tests.chaos.validate import check_all
from tests.end_to_end.clients import caller_of, catalogue

RANKERS = 2
_TOLD_SECONDS = 10.0
_LOOK_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class Campaign:
    """What to do. `plant` names a bug to run with; `most` events go into one call.

    With `kills` or `events` it ends as soon as it has done both, after `minutes` at the latest.
    """

    minutes: float
    kills: int = 0
    events: int = 0
    seed: int = 1
    senders: int = 4
    most: int = 4
    plant: str = ""
    faults: bool = True


class _Pace:
    """Spreads events over kills: senders that take all of the machine leave none for restarts."""

    def __init__(self, campaign: Campaign, report: Report) -> None:
        self._campaign = campaign
        self._report = report
        self._began = self._killed = time.monotonic()
        self._kills = 0

    def ahead(self) -> bool:
        """Return whether events are ahead of kills; a kill's share comes evenly until the next."""
        now, kills = time.monotonic(), self._report.kills
        if kills != self._kills:
            self._kills, self._killed = kills, now
        usual = (now - self._began) / max(kills, 1)
        through = min((now - self._killed) / usual, 1.0) if usual else 0.0
        wanted, due = self._campaign, kills + through
        return self._report.acknowledged * wanted.kills > due * wanted.events > 0


class ChaosSuite(Suite):
    """A suite whose feed goes through a proxy, and whose processes may have a planted bug."""

    def __init__(self, config: SuiteConfig, guardian: Guardian, feed: str, plant: str) -> None:
        self._feed = feed
        self._plant = plant
        super().__init__(config, guardian)

    def _spec(self, place: Any) -> ProcessSpec:
        spec = super()._spec(place)
        environment = dict(spec.environment)
        name = f"HARKEN_{place.kind.upper()}_FEEDBACK_TARGET"
        if name in environment:
            environment[name] = self._feed
        if not self._plant and FAILPOINTS not in os.environ:
            return replace(spec, environment=environment)
        return replace(
            spec,
            module="tests.chaos.plants",
            arguments=(spec.module, *spec.arguments),
            environment={**environment, PLANT: self._plant},
        )


async def run(campaign: Campaign) -> Report:
    """Run a campaign in a folder of its own."""
    report = Report(campaign.seed, campaign.minutes)
    guardian = Guardian()
    with tempfile.TemporaryDirectory(prefix="harken-chaos-") as name, contextlib.ExitStack() as end:
        end.callback(guardian.close)
        folder = Path(name)
        server = await asyncio.to_thread(
            end.enter_context, EmbeddedPostgres(folder / "postgres", guardian)
        )
        feed = f"127.0.0.1:{free_ports(1)[0]}"
        suite = ChaosSuite(_config(folder, server), guardian, feed, campaign.plant)
        proxy = Proxy(feed, suite.endpoints.feedback)
        journal = end.enter_context(Journal(folder / "journal"))
        async with proxy.running():
            try:
                await asyncio.to_thread(suite.start_all)
                await _traffic(campaign, suite, server, proxy, journal, report)
            finally:
                await asyncio.to_thread(suite.stop)
    return report


def _config(folder: Path, server: EmbeddedPostgres) -> SuiteConfig:
    return SuiteConfig(
        folder / "suite",
        server.dsn("harken_feedback"),
        server.dsn("harken_profile"),
        rankers=RANKERS,
        preset="media",
        split_feedback=True,
        environment={
            "feedback": {
                "HARKEN_FEEDBACK_LEASE_SECONDS": "0.3",
                "HARKEN_FEEDBACK_CHECKPOINT_VERSIONS": "50",
                "HARKEN_FEEDBACK_CHECKPOINT_SECONDS": "0.5",
                "HARKEN_FEEDBACK_KEEP_VERSIONS": "20",
            }
        },
    )


async def _traffic(
    campaign: Campaign, suite: Suite, server: EmbeddedPostgres, proxy: Proxy,
    journal: Journal, report: Report,
) -> None:  # fmt: skip
    items = catalogue(300)
    async with caller_of(suite) as caller:
        await caller.upsert(*items)
        names = [item.item_id for item in items]
        pace = _Pace(campaign, report)
        senders = [
            Sender(
                n, campaign.seed, caller.clients, names, journal, report, campaign.most, pace.ahead
            )
            for n in range(campaign.senders)
        ]
        stop_faults, stop, done = asyncio.Event(), asyncio.Event(), asyncio.Event()
        faults = Faults(
            campaign.seed, suite, server, proxy, report, bool(os.environ.get(FAILPOINTS))
        )
        async with asyncio.TaskGroup() as tasks:
            for sender in senders:
                tasks.create_task(sender.run(stop))
            tasks.create_task(FeedWatch(caller, RANKERS, report).run(stop))
            running = tasks.create_task(faults.run(stop_faults)) if campaign.faults else None
            await _until_done(campaign, report)
            stop_faults.set()
            if running is not None:
                await running
            stop.set()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(faults.revive(done))
            await check_all(server, caller, senders, journal, RANKERS, report)
            done.set()


async def _until_done(campaign: Campaign, report: Report) -> None:
    """Return when the numbers or the end of the time are reached; say now and then how far."""
    began = told = time.monotonic()
    counted = bool(campaign.kills or campaign.events)
    while (passed := time.monotonic() - began) < campaign.minutes * 60:
        if counted and report.kills >= campaign.kills and report.acknowledged >= campaign.events:
            return
        if time.monotonic() - told >= _TOLD_SECONDS:
            told = time.monotonic()
            print(f"{passed / 60:.1f} of {campaign.minutes:g} minutes: {report.row()}", flush=True)
        await asyncio.sleep(_LOOK_SECONDS)
