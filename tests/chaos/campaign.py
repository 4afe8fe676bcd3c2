"""One campaign: a suite of its own, traffic under faults, then every oracle."""

import asyncio
import contextlib
import os
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from services.cli.embedded_postgres import EmbeddedPostgres
from services.cli.free_ports import free_ports
from services.cli.guardian import Guardian
from services.cli.service_process import ProcessSpec, ServiceProcess
from services.cli.suite import Suite, SuiteConfig
from tests.chaos.disk import Disk, small_disk
from tests.chaos.entries_watch import EntriesWatch
from tests.chaos.failpoints import FAILPOINTS
from tests.chaos.faults import Faults
from tests.chaos.feed_watch import FeedWatch
from tests.chaos.frames_table import AWAY, FramesTable
from tests.chaos.model import Journal
from tests.chaos.plants import PLANT
from tests.chaos.proxy import Proxy
from tests.chaos.replay import check_replay, keep_from_now
from tests.chaos.report import Report
from tests.chaos.shop import Shop
from tests.chaos.traffic import Sender
from tests.chaos.validate import check_all
from tests.end_to_end.clients import caller_of, catalogue

RANKERS = 2
CACHED_USERS = 8
SECOND_LEARNER = "learner-2"
_TOLD_SECONDS = 10.0
_LOOK_SECONDS = 0.2
_CHECKPOINT_SECONDS = 20.0
_REPLAYED_SECONDS = 120.0
"""Of the end of a campaign: the replay takes about as long as learning did."""
_REPLAYED_FROM = 0.95
"""Share of the kills and events wanted, if any, with which that end begins."""


@dataclass(frozen=True, slots=True)
class Campaign:
    """What to do. `most` events go into one call; a sender has so many users.

    With `kills` or `events` it ends when it has done both, after `minutes` at the latest.
    `plant` names a bug to run with; then the first complaint ends the campaign. With
    `disk_mebibytes` PostgreSQL has a disk of that size, which is full at times.
    """

    minutes: float
    seed: int = 1
    senders: int = 4
    most: int = 4
    users: int = 5
    plant: str = ""
    faults: bool = True
    kills: int = 0
    events: int = 0
    disk_mebibytes: int = 0

    def reached(self, report: Report, share: float) -> bool:
        """Return whether this share of what is wanted is done; without numbers it never is."""
        return bool(self.kills or self.events) and (
            report.kills >= share * self.kills and report.acknowledged >= share * self.events
        )


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
    """A suite with two learners and a proxy before the feed; a bug may be planted in it."""

    def __init__(self, config: SuiteConfig, guardian: Guardian, plant: str) -> None:
        self.feed = ""
        self._plant = plant
        super().__init__(config, guardian)
        taken = [
            int(address.rpartition(":")[2])
            for place in self._places.values()
            for address in (place.grpc, place.metrics)
        ]
        self.feed, grpc, metrics = (f"127.0.0.1:{port}" for port in free_ports(3, taken=taken))
        second = replace(self._places["learner"], name=SECOND_LEARNER, grpc=grpc, metrics=metrics)
        self._places[SECOND_LEARNER] = second
        self.processes = MappingProxyType(
            {
                place.name: ServiceProcess(self._spec(place), guardian)
                for place in self._places.values()
            }
        )

    def _spec(self, place: Any) -> ProcessSpec:
        spec = super()._spec(place)
        if place.name == SECOND_LEARNER:
            spec = replace(spec, arguments=("--role", "learner"))
        environment = dict(spec.environment)
        name = f"HARKEN_{place.kind.upper()}_FEEDBACK_TARGET"
        if name in environment:
            environment[name] = self.feed
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
        disk = _disk(campaign, folder, end)
        server = await asyncio.to_thread(
            end.enter_context,
            EmbeddedPostgres((disk.folder if disk else folder) / "postgres", guardian),
        )
        suite = ChaosSuite(_config(folder, server), guardian, campaign.plant)
        proxy = Proxy(suite.feed, suite.endpoints.feedback)
        journal = end.enter_context(Journal(folder / "journal"))
        async with proxy.running():
            try:
                await asyncio.to_thread(suite.start_all)
                await _traffic(campaign, suite, server, proxy, journal, report, disk)
            finally:
                await asyncio.to_thread(suite.stop)
    return report


def _disk(campaign: Campaign, folder: Path, end: contextlib.ExitStack) -> Disk | None:
    if not campaign.disk_mebibytes:
        return None
    disk = end.enter_context(small_disk(folder / "disk", campaign.disk_mebibytes))
    if disk is None:
        print("no disk may be mounted here: a full one is left out", flush=True)
    return disk


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
            },
            # Fewer than there are: who is not held is asked for, and brought up to now.
            "ranker": {"HARKEN_RANKER_MAX_CACHED_USERS": str(CACHED_USERS)},
        },
    )


async def _traffic(
    campaign: Campaign, suite: Suite, server: EmbeddedPostgres, proxy: Proxy,
    journal: Journal, report: Report, disk: Disk | None,
) -> None:  # fmt: skip
    items = catalogue(300)
    async with caller_of(suite) as caller, contextlib.AsyncExitStack() as ends:
        await caller.upsert(*items)
        names = [item.item_id for item in items]
        pace = _Pace(campaign, report)
        senders = [
            Sender(
                n,
                campaign.seed,
                caller.clients,
                names,
                journal,
                report,
                campaign.most,
                campaign.users,
                pace.ahead,
            )
            for n in range(campaign.senders)
        ]
        table = FramesTable(server, report)
        entries = ends.enter_context(
            contextlib.closing(EntriesWatch(caller, server, campaign.seed, report))
        )
        stop_faults, stop, done = asyncio.Event(), asyncio.Event(), asyncio.Event()
        faults = Faults(
            campaign.seed, suite, server, proxy, report, bool(os.environ.get(FAILPOINTS)), disk
        )
        async with asyncio.TaskGroup() as tasks:
            # Beside the faults: what waits to be ready may need what a failpoint has ended.
            tasks.create_task(faults.revive(stop))
            tasks.create_task(Shop(caller, senders, journal, RANKERS, report).run(stop))
            for sender in senders:
                tasks.create_task(sender.run(stop))
            tasks.create_task(FeedWatch(caller, RANKERS, table, campaign.seed, report).run(stop))
            tasks.create_task(entries.run(stop))
            running = tasks.create_task(faults.run(stop_faults)) if campaign.faults else None
            replayed = min(campaign.minutes * 30, _REPLAYED_SECONDS)
            await _until_over(campaign, campaign.minutes * 60 - replayed, report, _REPLAYED_FROM)
            await _until_kept(campaign, server, report)
            await _until_over(campaign, replayed, report, 1.0)
            stop_faults.set()
            if running is not None:
                await running
            stop.set()
        if campaign.plant and report.complaints:
            return
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(faults.revive(done))
            await check_all(server, caller, senders, journal, RANKERS, entries, report)
            await check_replay(server, dict(suite.processes["learner"].spec.environment), report)
            done.set()


async def _until_kept(campaign: Campaign, server: EmbeddedPostgres, report: Report) -> None:
    """Begin what is replayed at the end, once PostgreSQL is there to be told."""
    until = time.monotonic() + _CHECKPOINT_SECONDS
    while time.monotonic() < until and not (campaign.plant and report.complaints):
        with contextlib.suppress(*AWAY):
            if await keep_from_now(server):
                return
        await asyncio.sleep(_LOOK_SECONDS)


async def _until_over(campaign: Campaign, seconds: float, report: Report, share: float) -> None:
    """Wait for the end of the time, for a share of what is wanted, or for a planted bug's catch.

    It tells how it goes.
    """
    until = time.monotonic() + seconds
    told = time.monotonic()
    while (left := until - time.monotonic()) > 0 and not (campaign.plant and report.complaints):
        if campaign.reached(report, share):
            return
        if time.monotonic() - told >= _TOLD_SECONDS:
            told = time.monotonic()
            print(f"{left:.0f} seconds left of this part: {report.row()}", flush=True)
        await asyncio.sleep(min(left, _LOOK_SECONDS))
