"""Faults at random: SIGKILL and SIGSTOP of processes and PostgreSQL, links through our proxy."""

import asyncio
import os
import random
import signal
import time

from services.cli.embedded_postgres import EmbeddedPostgres
from services.cli.service_process import ProcessFailedError
from services.cli.suite import Suite
from tests.chaos.disk import Disk
from tests.chaos.proxy import Link, Proxy
from tests.chaos.report import ENDED, UNANSWERED, Report

POSTGRES = "postgres"
_LOOK_SECONDS = 0.5
_STARTS = 5
_DISK_SHARE = 0.5
"""Of the links broken otherwise."""


class Faults:
    """Does one fault after the other, each healed before the next."""

    def __init__(
        self, seed: int, suite: Suite, server: EmbeddedPostgres, proxy: Proxy, report: Report,
        failpoints: bool, disk: Disk | None = None,
    ) -> None:  # fmt: skip
        """With `failpoints`, processes may be killed by these, too. `disk`: PostgreSQL's, if it may
        be filled.
        """
        self._disk = disk
        self._chance = random.Random(f"faults-{seed}")
        self._suite = suite
        self._server = server
        self._proxy = proxy
        self._report = report
        self._failpoints = failpoints
        self._ours: set[str] = set()
        """What we end, and start again, just now."""
        self._revived: set[str] = set()
        """What has ended by itself, and is started again just now."""

    async def run(self, stop: asyncio.Event) -> None:
        """Go on until told to stop; all is healed then."""
        while not stop.is_set():
            await asyncio.sleep(self._chance.random() * 0.5)
            name = self._chance.choice((*self._suite.processes, POSTGRES))
            drawn = self._chance.random()
            if drawn < 0.55:
                await self._kill([name])
            elif drawn < 0.65:
                await self._kill(list({name, POSTGRES}))
            elif drawn < 0.8:
                await self._pause(name)
            elif self._disk is not None and self._chance.random() < _DISK_SHARE:
                await self._fill(self._disk)
            else:
                await self._break_link()

    async def revive(self, stop: asyncio.Event) -> None:
        """Start what ends, without faults of ours, until told to stop."""
        async with asyncio.TaskGroup() as tasks:
            while not stop.is_set():
                for name, process in self._suite.processes.items():
                    if not process.running and name not in self._ours | self._revived:
                        self._revived.add(name)
                        tasks.create_task(self._revive(name))
                await asyncio.sleep(_LOOK_SECONDS)

    async def _revive(self, name: str) -> None:
        """Start what a failpoint has ended; nothing else ends by itself.

        Beside others: what waits to be ready may need one that has ended meanwhile.
        """
        self._note_end(name)
        try:
            await self._start(name)
        finally:
            self._revived.discard(name)

    def _note_end(self, name: str) -> None:
        code = self._suite.processes[name].exit_code
        if self._failpoints and code == -signal.SIGKILL:
            self._report.faults[f"kill {name}"] += 1
        else:
            self._report.complain(ENDED, "processes", f"{name}, exit code {code}")

    async def _start(self, name: str) -> None:
        began = time.monotonic()
        for _ in range(_STARTS):
            try:
                await asyncio.to_thread(self._suite.start, name)
            except ProcessFailedError as error:
                if self._suite.processes[name].running:
                    self._report.complain(UNANSWERED, "restarts", str(error)[-300:])
                    return
                self._note_end(name)
            else:
                self._report.restarts[name].append(time.monotonic() - began)
                return

    async def _kill(self, names: list[str]) -> None:
        self._ours.update(names)
        for name in names:
            if name == POSTGRES:
                if self._server.pid is not None:
                    os.kill(self._server.pid, signal.SIGKILL)
            else:
                await asyncio.to_thread(self._suite.kill, name)
            self._report.faults[f"kill {name}"] += 1
        for name in sorted(names, key=lambda one: one != POSTGRES):
            if name == POSTGRES:
                began = time.monotonic()
                await asyncio.to_thread(self._server.start)
                self._report.restarts[name].append(time.monotonic() - began)
            else:
                await self._start(name)
        self._ours.clear()

    async def _fill(self, disk: Disk) -> None:
        """PostgreSQL may end when its log cannot grow, or not be able to recover before it can."""
        await asyncio.to_thread(disk.fill)
        await asyncio.sleep(self._chance.random() * 3)
        await asyncio.to_thread(disk.free)
        await asyncio.to_thread(self._server.start)
        self._report.faults["disk full"] += 1

    async def _pause(self, name: str) -> None:
        def signalled(number: int) -> None:
            if name != POSTGRES:
                self._suite.processes[name].signal(number)
            elif self._server.pid is not None:
                os.kill(self._server.pid, number)

        signalled(signal.SIGSTOP)
        await asyncio.sleep(self._chance.random() * 2)
        signalled(signal.SIGCONT)
        self._report.faults[f"stop {name}"] += 1

    async def _break_link(self) -> None:
        link = self._chance.choice([one for one in Link if one is not Link.OPEN])
        self._proxy.become(link)
        await asyncio.sleep(self._chance.random() * 2)
        self._proxy.become(Link.OPEN)
        self._report.faults[f"link {link.value}"] += 1
