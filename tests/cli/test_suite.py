"""The suite runner: real processes, restarts on the same ports, nothing left behind."""

import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from services.cli.endpoints import Endpoints
from services.cli.guardian import Guardian
from services.cli.guardian_process import read_watched
from services.cli.service_process import ProcessFailedError
from services.cli.suite import Suite, SuiteConfig
from tests.cli.harken_process import command, environment


def alive(pid: int) -> bool:
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    return False


def wait_until(condition: Callable[[], bool], what: str, seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(0.02)


@pytest.fixture(scope="module")
def running(module_suite: Callable[..., Suite]) -> Suite:
    return module_suite(rankers=2, preset="media")


def test_a_killed_process_comes_back_on_its_ports(running: Suite) -> None:
    ranker = running.processes["ranker-2"]
    before = ranker.pid
    running.kill("ranker-2")
    assert not ranker.running
    with pytest.raises(ProcessFailedError, match="ranker-2 died with exit code -9"):
        running.check()
    running.start("ranker-2")
    running.check()
    assert ranker.pid not in (None, before)
    assert running.endpoints.rankers[1] == running.grpc_endpoints["ranker-2"]
    assert Endpoints.read(running.folder) == running.endpoints


def test_a_process_that_cannot_start_fails_with_its_log(
    running: Suite, suite: Callable[..., Suite], tmp_path: Path
) -> None:
    with pytest.raises(ProcessFailedError) as caught:
        suite(environment={"feedback": {"HARKEN_FEEDBACK_PRESET": "nonsense"}})
    assert "failed with exit code" in str(caught.value)
    assert "nonsense" in str(caught.value)


def test_a_taken_port_is_one_line_that_names_process_and_address(
    guardian: Guardian, tmp_path: Path
) -> None:
    """Said before anything is started; the stores are not even asked."""
    mine = Suite(SuiteConfig(tmp_path, "postgresql://nowhere", "postgresql://nowhere"), guardian)
    for addresses in (mine.grpc_endpoints, mine.metrics_endpoints):
        address = addresses["profile"]
        host, _, port = address.rpartition(":")
        with (
            socket.create_server((host, int(port))),
            pytest.raises(ProcessFailedError) as caught,
        ):
            mine.start_all()
        assert str(caught.value).startswith(f"profile cannot listen on {address}: Address already")
        assert len(str(caught.value).splitlines()) == 1
    assert not any(process.running for process in mine.processes.values())


def test_ingest_and_learner_run_apart(suite: Callable[..., Suite]) -> None:
    apart = suite(split_feedback=True)
    assert set(apart.processes) == {"ingest", "learner", "profile", "ranker-1"}
    assert apart.endpoints.feedback == apart.grpc_endpoints["ingest"]
    apart.stop()
    assert not any(process.running for process in apart.processes.values())


class Up:
    """`harken up` as a user runs it, in a folder of its own."""

    def __init__(self, folder: Path, guardian: Guardian) -> None:
        self.folder = folder
        with (folder / "up.log").open("wb") as log:
            self.process = subprocess.Popen(
                command("up", "--ephemeral-ports"),
                cwd=folder,
                env=environment(),
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        guardian.watch(self.process.pid, signal.SIGTERM)

    def wait_ready(self) -> list[int]:
        """Return the pids of all children when it serves."""
        wait_until(
            lambda: (
                self.process.poll() is not None
                or (self.folder / ".harken" / "endpoints.json").exists()
            ),
            "the suite",
            90,
        )
        assert self.process.poll() is None, (self.folder / "up.log").read_text()
        return _descendants(self.process.pid)


def _descendants(pid: int) -> list[int]:
    found: list[int] = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            fields = path.read_text().rpartition(")")[2].split()
            if int(fields[1]) == pid:
                child = int(path.parent.name)
                found += [child, *_descendants(child)]
    return found


@pytest.fixture
def up(tmp_path: Path, guardian: Guardian) -> Iterator[Up]:
    started = Up(tmp_path, guardian)
    yield started
    if started.process.poll() is None:
        started.process.terminate()
    started.process.wait(30)
    guardian.forget(started.process.pid)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_up_stops_everything_when_told(up: Up, number: int) -> None:
    children = up.wait_ready()
    assert len(children) >= 5
    up.process.send_signal(number)
    assert up.process.wait(30) == 0
    assert not [pid for pid in children if alive(pid)]
    assert not (up.folder / ".harken" / "endpoints.json").exists()


def test_nothing_survives_a_killed_up_and_the_next_one_starts(up: Up, guardian: Guardian) -> None:
    children = up.wait_ready()
    up.process.kill()
    up.process.wait()
    wait_until(lambda: not any(alive(pid) for pid in children), "the end of all children")
    (up.folder / ".harken" / "endpoints.json").unlink()
    again = Up(up.folder, guardian)
    try:
        assert again.wait_ready()
    finally:
        again.process.terminate()
        assert again.process.wait(30) == 0
        guardian.forget(again.process.pid)


def test_two_suites_cannot_share_a_folder(up: Up) -> None:
    up.wait_ready()
    second = subprocess.run(
        command("up"), cwd=up.folder, env=environment(), capture_output=True, text=True, timeout=60,
        check=False,
    )  # fmt: skip
    assert second.returncode == 1
    assert second.stderr == "error: a suite runs from .harken already\n"


def test_a_suite_config_gives_fixed_ports(tmp_path: Path, guardian: Guardian) -> None:
    config = SuiteConfig(tmp_path, "f", "p", rankers=2, split_feedback=True, fixed_ports=True)
    suite = Suite(config, guardian)
    assert dict(suite.grpc_endpoints) == {
        "ingest": "127.0.0.1:7401",
        "profile": "127.0.0.1:7402",
        "ranker-1": "127.0.0.1:7403",
        "ranker-2": "127.0.0.1:7404",
        "learner": "127.0.0.1:7405",
    }


def test_the_guardian_forgets_what_it_is_told_to() -> None:
    lines = ["watch 5 9", "watch 6 2", "forget 5", "nonsense", ""]
    assert read_watched(lines) == {6: 2}
    assert os.getpid() not in read_watched(lines)
