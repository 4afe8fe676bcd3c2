"""The demo as users run it, without a terminal and without a network."""

import asyncio
import contextlib
import signal
from pathlib import Path

import pytest

from services.cli.demo.data import find_data
from services.cli.endpoints import Endpoints
from services.cli.failures import CommandError
from services.simulator.world import WorldConfig, write_world
from tests.cli.harken_process import command, environment


async def test_offline_the_simulator_takes_over_and_all_is_gone_afterwards(tmp_path: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        *command("demo", "--events", "60"),
        cwd=tmp_path,
        env={**environment(), "PIP_NO_INDEX": "1"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(180):
        output, errors = (stream.decode() for stream in await process.communicate())
    assert process.returncode == 0, errors
    assert "the simulator's data takes its place" in errors
    assert "its ratio varies from slice to slice" in output
    assert "places are new" in output
    assert "frozen_state" in output
    assert "RecordEvents to its effect" in output
    assert "Traceback" not in errors + output
    assert [path.name for path in (tmp_path / ".harken").iterdir()] == ["cache"]


async def test_with_keep_it_serves_until_interrupted(tmp_path: Path) -> None:
    write_world(WorldConfig(users=20, items=60, days=10), tmp_path / "data")
    process = await asyncio.create_subprocess_exec(
        *command("demo", "--data", "data", "--events", "30", "--keep"),
        cwd=tmp_path,
        env=environment(),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(120):
            lines: list[str] = []
            while not any("for slot in slate.slots" in line for line in lines):
                line = (await process.stdout.readline()).decode()
                assert line, lines
                lines.append(line)
        folder = next((tmp_path / ".harken").glob("demo-*"))
        endpoints = Endpoints.read(folder)
        assert endpoints is not None
        assert any(endpoints.rankers[0] in line for line in lines)
        process.send_signal(signal.SIGINT)
        async with asyncio.timeout(60):
            await process.communicate()
        assert process.returncode == 0
        assert not folder.exists()
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


def test_a_folder_without_data_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match=r"events\.csv"):
        find_data(tmp_path, tmp_path / "cache", lambda _: None)


def test_given_data_is_read_with_the_separator_it_uses(tmp_path: Path) -> None:
    (tmp_path / "events.csv").write_text("user,item,event\nu,i,view\n")
    (tmp_path / "items.csv").write_text("item,genres\n1,a b\n")
    found = find_data(tmp_path, tmp_path / "cache", lambda _: None)
    assert found.item_options.separator == " "
    assert found.users is None
    (tmp_path / "items.csv").write_text("item,genres\n1,Science Fiction|Drama\n")
    found = find_data(tmp_path, tmp_path / "cache", lambda _: None)
    assert found.item_options.separator == "|"
