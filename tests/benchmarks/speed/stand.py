"""A ranker of a tree on its stage, the floor beside it, and clients."""

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from harken.ranker.v1 import ranker_service_pb2
from tests.benchmarks.lanes.processes import processor_seconds
from tests.benchmarks.lanes.sides import Talk
from tests.benchmarks.numbers.other_commit import ROOT, Tree, this_tree

_HERE = Path(__file__).parent
_SERVICE = "harken.ranker.v1.RankerService"
RECOMMEND = f"/{_SERVICE}/Recommend"
SLOTS, USERS = 20, 64
_READY_SECONDS = 120.0


class Client:
    """A process that makes load; the only one of a measurement, unless it says otherwise."""

    def __init__(self) -> None:
        command = ["-m", "tests.benchmarks.speed.client"]
        self._talk = Talk(command, cwd=ROOT, env=dict(this_tree().environment))

    def do(self, what: str, target: str, path: str, messages: Sequence[str], **given: Any) -> Any:
        """Have it do something of tests.benchmarks.speed.client; return what it answers.

        Raises:
            RuntimeError: it could not.

        """
        asked = {"do": what, "target": target, "path": path, "messages": messages, **given}
        answer = json.loads(self._talk.say(json.dumps(asked)))
        if "failed" in answer:
            raise RuntimeError(f"{what}: {answer['failed']}")
        return answer["done"]

    def close(self) -> None:
        """Let it end."""
        self._talk.close()


@contextlib.contextmanager
def clients(count: int = 1) -> Iterator[list[Client]]:
    """Run clients."""
    with contextlib.ExitStack() as stack:
        found = []
        for _ in range(count):
            found.append(Client())
            stack.callback(found[-1].close)
        yield found


@dataclass(frozen=True, slots=True)
class Served:
    """A server process: where it listens, and its id."""

    target: str
    pid: int

    def seconds(self) -> float:
        """Return the processor time that it took so far."""
        return sum(processor_seconds({self.pid: ""}).values())

    def pin(self, core: int | None) -> None:
        """Let it run on one core, or on all again."""
        cores = {core} if core is not None else set(range(os.cpu_count() or 1))
        for task in Path(f"/proc/{self.pid}/task").iterdir():
            os.sched_setaffinity(int(task.name), cores)


@dataclass(frozen=True, slots=True)
class Stand:
    """Rankers of one tree with the same catalogue and users."""

    tree: Tree
    items: int
    rankers: Sequence[Served]
    talk: Talk
    """With the stage."""

    def tell(self, what: str) -> int:
        """Have the stage do something; return the version that its frames end with."""
        return int(self.talk.say(what))

    def reach(self, version: int) -> None:
        """Wait until all rankers have a version.

        Raises:
            TimeoutError: one does not get there.

        """
        end = time.monotonic() + _READY_SECONDS
        request = ranker_service_pb2.GetServingStateRequest().SerializeToString()
        for ranker in self.rankers:
            with grpc.insecure_channel(ranker.target) as channel:
                call: Any = channel.unary_unary(f"/{_SERVICE}/GetServingState")
                while True:
                    answer = ranker_service_pb2.GetServingStateResponse.FromString(
                        call(request, timeout=30)
                    )
                    if answer.version >= version:
                        break
                    if time.monotonic() > end:
                        raise TimeoutError(f"a ranker stays at version {answer.version}")
                    time.sleep(0.05)

    def answer(self) -> bytes:
        """Return a slate, as bytes."""
        with grpc.insecure_channel(self.rankers[0].target) as channel:
            call: Any = channel.unary_unary(RECOMMEND)
            return bytes(call(bytes.fromhex(requests()[0]), timeout=30))

    def warm(self, client: Client) -> None:
        """Have every ranker hold every user."""
        for ranker in self.rankers:
            asked = requests()
            for _ in range(3):
                told = client.do(
                    "apart", ranker.target, RECOMMEND, asked, count=len(asked), pause=0
                )
            if told["failed"]:
                raise RuntimeError(f"{told['failed']} of {len(asked)} slates failed")


def requests(count: int = SLOTS) -> list[str]:
    """Return requests of slates of all users, as hexadecimal digits."""
    found = []
    for number in range(USERS):
        request = ranker_service_pb2.RecommendRequest(count=count)
        request.subject.user_id = f"user-{number}"
        found.append(request.SerializeToString().hex())
    return found


@contextlib.contextmanager
def stand(
    tree: Tree, items: int, rankers: int = 1, settings: Mapping[str, str] = MappingProxyType({})
) -> Iterator[Stand]:
    """Run rankers of a tree that have a catalogue; ready. `settings` are more of theirs.

    Raises:
        RuntimeError: one ended, or is not ready in time.

    """
    with contextlib.ExitStack() as stack:
        name = stack.enter_context(tempfile.TemporaryDirectory(prefix="harken-stand-"))
        talk = Talk(["-P", str(_HERE / "stage.py")], cwd=tree.folder, env=dict(tree.environment))
        stack.callback(talk.close)
        targets = json.loads(talk.say(json.dumps({"items": items, "users": USERS})))
        found = [
            stack.enter_context(_ranker(tree, Path(name) / f"ranker-{number}", targets, settings))
            for number in range(rankers)
        ]
        yield Stand(tree, items, found, talk)


@contextlib.contextmanager
def _ranker(
    tree: Tree, place: Path, targets: Mapping[str, str], more: Mapping[str, str]
) -> Iterator[Served]:
    place.mkdir()
    address, log = place / "address.json", place / "log"
    settings = {
        "LISTEN": "127.0.0.1:0", "METRICS_LISTEN": "127.0.0.1:0", "ADDRESS_FILE": str(address),
        "FEEDBACK_TARGET": targets["feedback"], "PROFILE_TARGET": targets["profile"],
        "REPLICA": place.name, "MAX_READY_LAG": "1000000", **more,
    }  # fmt: skip
    environment = {f"HARKEN_RANKER_{name}": value for name, value in settings.items()}
    with log.open("wb") as said:
        process = subprocess.Popen(
            [sys.executable, "-m", "services.ranker"], cwd=tree.folder,
            env={**tree.environment, **environment}, stdout=said, stderr=said,
        )  # fmt: skip
    try:
        yield Served(_ready(process, address, log), process.pid)
    finally:
        process.terminate()
        process.wait()


def _ready(process: subprocess.Popen[bytes], address: Path, log: Path) -> str:
    """Wait until a ranker serves; return its target."""
    end = time.monotonic() + _READY_SECONDS
    while process.poll() is None and time.monotonic() < end:
        time.sleep(0.05)
        try:
            target = str(json.loads(address.read_text())["grpc"])
        except (FileNotFoundError, ValueError):
            continue
        if _serves(target):
            return target
    raise RuntimeError(f"a ranker is not ready: {log.read_text(errors='replace')[-2000:]}")


def _serves(target: str) -> bool:
    with grpc.insecure_channel(target) as channel:
        stub: Any = health_pb2_grpc.HealthStub(channel)
        try:
            answer = stub.Check(health_pb2.HealthCheckRequest(service=_SERVICE), timeout=10)
        except grpc.RpcError:
            return False
        return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)


@contextlib.contextmanager
def echo(answer: bytes) -> Iterator[Served]:
    """Run the floor: a bare echo of an answer."""
    talk = Talk(["-P", str(_HERE / "echo.py")], cwd=ROOT)
    try:
        said = json.loads(talk.say(answer.hex()))
        yield Served(said["target"], said["pid"])
    finally:
        talk.close()
