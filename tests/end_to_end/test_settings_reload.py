"""Log level, limits and weights follow the settings file of a running process."""

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import asyncpg
import grpc
import pytest
import pytest_asyncio

from harken.internal.log.v1 import entry_pb2
from services.cli.suite import Suite
from tests.conftest import FreshDatabase, StartSuite
from tests.end_to_end.clients import Caller, caller_of, catalogue, event
from tests.end_to_end.process_metrics import metric
from tests.waiting import until

TURNED = "[surface_weights.turned]\nplay = -1\nlong_view = -1\nfavour = -1\nhide = 0\n"


class SettingsFile:
    """The file of one process, replaced whole as Kubernetes does it, and what came of it."""

    def __init__(self, suite: Suite, process: str, path: Path) -> None:
        self._suite = suite
        self._process = process
        self.path = path

    async def replace(self, text: str, result: str, ask: bool = True) -> list[dict[str, Any]]:
        """Replace the file and wait until a reading had this result; return what it logged."""
        before, begins = await self.count(result), len(self.log())
        partial = self.path.with_suffix(".partial")
        partial.write_text(text)
        partial.replace(self.path)
        if ask:
            pid = self._suite.processes[self._process].pid
            assert pid is not None
            os.kill(pid, signal.SIGHUP)

        async def done() -> bool:
            return await self.count(result) > before

        await until(done, f"a reading that was {result}")
        return self.log()[begins:]

    def log(self) -> list[dict[str, Any]]:
        text = self._suite.processes[self._process].log_file.read_text()
        return [json.loads(line) for line in text.splitlines() if line.startswith("{")]

    async def count(self, result: str) -> float:
        return await self.metric(f'harken_config_reloads_total{{result="{result}"}}')

    async def metric(self, name: str) -> float:
        return await metric(self._suite, self._process, name)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("settings")
    (folder / "feedback.toml").write_text("")
    (folder / "ranker.toml").write_text("")
    return folder


@pytest.fixture(scope="module")
def running(module_suite: StartSuite, folder: Path) -> Suite:
    return module_suite(
        preset="media",
        environment={
            "feedback": {"HARKEN_FEEDBACK_CONFIG_FILE": str(folder / "feedback.toml")},
            "ranker": {
                "HARKEN_RANKER_CONFIG_FILE": str(folder / "ranker.toml"),
                "HARKEN_RANKER_PORT": "tcp://10.0.0.1:7403",
                "HARKEN_RANKER_MAX_INFLIGHT": "1",
            },
        },
    )


@pytest.fixture
def of_feedback(running: Suite, folder: Path) -> SettingsFile:
    return SettingsFile(running, "feedback", folder / "feedback.toml")


@pytest.fixture
def of_ranker(running: Suite, folder: Path) -> SettingsFile:
    return SettingsFile(running, "ranker-1", folder / "ranker.toml")


@pytest_asyncio.fixture
async def caller(running: Suite) -> AsyncIterator[Caller]:
    async with caller_of(running) as own:
        filled = await own.upsert(*catalogue())
        await own.slate("nobody", filled)
        yield own


async def test_a_key_that_is_no_setting_is_named_and_stops_nothing(
    caller: Caller, of_ranker: SettingsFile
) -> None:
    warnings = [line for line in of_ranker.log() if line["level"] == "warning"]
    (unknown,) = [line for line in warnings if line["event"] == "unknown setting ignored"]
    assert unknown["key"] == "HARKEN_RANKER_MAX_INFLIGHT"
    assert "HARKEN_RANKER_MAX_IN_FLIGHT" in unknown["fault"]
    (links,) = [line for line in warnings if "Kubernetes" in line["event"]]
    assert links["keys"] == ["HARKEN_RANKER_PORT"]


async def test_weights_of_outcomes_and_shares_change(
    caller: Caller, of_ranker: SettingsFile
) -> None:
    position = await caller.record(event("eve-1", "eve", "space-3"))
    before = await caller.items("eve", position, count=59, surface="turned", preview=True)
    lines = await of_ranker.replace("logged_share = 0\n" + TURNED, "applied")
    (said,) = [line for line in lines if line["event"] == "settings reloaded"]
    assert sorted(said["keys"]) == ["HARKEN_RANKER_LOGGED_SHARE", "HARKEN_RANKER_SURFACE_WEIGHTS"]
    after = await caller.items("eve", position, count=59, surface="turned", preview=True)
    # Untrained, wanted outcomes rise with one score: negated weights turn the order around.
    assert after[-1] == before[0] != after[0]
    # What the file no longer names has its default again.
    await of_ranker.replace("", "applied")
    assert before == await caller.items("eve", position, count=59, surface="turned", preview=True)


async def test_a_replaced_file_is_noticed_without_a_signal(of_ranker: SettingsFile) -> None:
    await of_ranker.replace("slate_queue = 9\n", "applied", ask=False)
    await of_ranker.replace("", "applied", ask=False)


async def test_a_limit_changes(caller: Caller, of_feedback: SettingsFile) -> None:
    async def shed(name: str) -> int:
        calls = [caller.record(event(f"{name}-{n}", "ann", "space-3")) for n in range(40)]
        answers = await asyncio.gather(*calls, return_exceptions=True)
        faults = [answer for answer in answers if isinstance(answer, grpc.aio.AioRpcError)]
        assert {fault.code() for fault in faults} <= {grpc.StatusCode.RESOURCE_EXHAUSTED}
        return len(faults)

    assert await shed("wide") == 0
    await of_feedback.replace("max_in_flight = 1\n", "applied")
    assert await shed("narrow") > 0
    await of_feedback.replace("max_in_flight = 1000\n", "applied")
    assert await shed("wide-again") == 0


async def test_weights_of_events_change_for_those_that_come(
    caller: Caller, of_feedback: SettingsFile, module_database: FreshDatabase
) -> None:
    """Truth 4: what was accepted keeps its weight in the log."""
    await caller.record(event("before", "bob", "space-3"))
    await of_feedback.replace("[event_types.play]\nweight = 7.5\n", "applied")
    await caller.record(event("after", "bob", "space-6"))
    connection = await asyncpg.connect(module_database.admin_dsn)
    rows = await connection.fetch("SELECT entry FROM feedback.log ORDER BY sequence")
    await connection.close()
    events = [entry_pb2.Entry.FromString(row["entry"]).event for row in rows]
    weights = {one.event_id: one.weight for one in events}
    assert weights["before"] == pytest.approx(1.0)
    assert weights["after"] == pytest.approx(7.5)


async def test_the_log_level_changes(of_feedback: SettingsFile) -> None:
    await of_feedback.replace('log_level = "error"\n', "applied")
    quiet = await of_feedback.replace('log_level = "error"\nmax_tenants = 9\n', "applied")
    assert [line["event"] for line in quiet] == []
    loud = await of_feedback.replace("", "applied")
    assert "settings reloaded" in [line["event"] for line in loud]


async def test_a_wrong_file_changes_nothing(caller: Caller, of_feedback: SettingsFile) -> None:
    await of_feedback.replace("max_in_flight = 1\n", "applied")
    lines = await of_feedback.replace(
        'max_in_flight = 1000\nmax_tenants = 0\nlog_level = "secret"\n', "refused"
    )
    assert {line["key"] for line in lines if line["level"] == "error"} == {
        f"HARKEN_FEEDBACK_MAX_TENANTS in {of_feedback.path}",
        f"HARKEN_FEEDBACK_LOG_LEVEL in {of_feedback.path}",
    }
    assert "secret" not in json.dumps(lines)
    assert await of_feedback.metric("harken_config_valid") == 0
    calls = [caller.record(event(f"still-{n}", "ann", "space-3")) for n in range(40)]
    answers = await asyncio.gather(*calls, return_exceptions=True)
    assert any(isinstance(answer, grpc.aio.AioRpcError) for answer in answers)
    await of_feedback.replace("", "applied")
    assert await of_feedback.metric("harken_config_valid") == 1


async def test_what_needs_a_restart_is_named(of_ranker: SettingsFile) -> None:
    lines = await of_ranker.replace("max_cached_users = 5\nslate_queue = 5\n", "applied")
    (warning,) = [line for line in lines if line["event"] == "changed settings need a restart"]
    assert warning["keys"] == ["HARKEN_RANKER_MAX_CACHED_USERS"]
    await of_ranker.replace("", "applied")
