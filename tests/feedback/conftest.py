"""A feedback process on a fresh database, and clients of it."""

import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg
import grpc
import pytest
import pytest_asyncio

from harken.common.v1 import subject_pb2
from harken.feedback.v1 import (
    catalog_service_pb2,
    catalog_service_pb2_grpc,
    embedding_service_pb2_grpc,
    event_pb2,
    experiment_service_pb2_grpc,
    feedback_service_pb2,
    feedback_service_pb2_grpc,
    generation_service_pb2_grpc,
    item_pb2,
    surface_service_pb2_grpc,
)
from harken.internal.facts.v1 import user_fact_service_pb2_grpc
from harken.internal.feed.v1 import feed_service_pb2_grpc
from harken.internal.slates.v1 import slate_service_pb2_grpc
from services.cli.free_ports import free_ports
from services.cli.guardian import Guardian
from services.cli.service_process import ProcessSpec, ServiceProcess
from services.common.migrations import migrate
from services.common.position import Position, decode_position
from services.feedback.process import SCHEMA
from tests.conftest import FreshDatabase

ROOT = Path(__file__).parents[2]
START_SECONDS = 60.0


@dataclass
class Client:
    """Stubs of one feedback process."""

    channel: grpc.aio.Channel
    feedback: Any = field(init=False)
    catalog: Any = field(init=False)
    embedding: Any = field(init=False)
    feed: Any = field(init=False)
    slates: Any = field(init=False)
    generation: Any = field(init=False)
    user_fact: Any = field(init=False)
    surface: Any = field(init=False)
    experiment: Any = field(init=False)

    def __post_init__(self) -> None:
        self.feedback = feedback_service_pb2_grpc.FeedbackServiceStub(self.channel)
        self.catalog = catalog_service_pb2_grpc.CatalogServiceStub(self.channel)
        self.embedding = embedding_service_pb2_grpc.EmbeddingServiceStub(self.channel)
        self.feed = feed_service_pb2_grpc.FeedServiceStub(self.channel)
        self.slates = slate_service_pb2_grpc.SlateServiceStub(self.channel)
        self.generation = generation_service_pb2_grpc.GenerationServiceStub(self.channel)
        self.surface = surface_service_pb2_grpc.SurfaceServiceStub(self.channel)
        self.experiment = experiment_service_pb2_grpc.ExperimentServiceStub(self.channel)
        self.user_fact = user_fact_service_pb2_grpc.UserFactServiceStub(self.channel)

    async def upsert(self, count: int, tenant: str = "", prefix: str = "i") -> None:
        """Create items i0, i1... in two categories."""
        items = [
            item_pb2.Item(
                item_id=f"{prefix}{n}",
                title=f"Item {n}",
                categories=["even" if n % 2 == 0 else "odd"],
            )
            for n in range(count)
        ]
        request = catalog_service_pb2.UpsertItemsRequest(tenant=tenant, items=items)
        answer = await self.catalog.UpsertItems(request)
        assert len(answer.results) == count


def event(
    event_id: str, user: str = "u", item: str = "i0", kind: str = "view", **fields: Any
) -> event_pb2.Event:
    return event_pb2.Event(
        event_id=event_id,
        subject=subject_pb2.Subject(user_id=user),
        item_id=item,
        type=kind,
        **fields,
    )


async def row_of(connection: asyncpg.Connection, query: str, *values: Any) -> asyncpg.Record:
    """Return the first row of an answer, which must have one."""
    row = await connection.fetchrow(query, *values)
    assert row is not None, "there is no such row"
    return row


async def record(client: Client, *names: str) -> Position:
    """Record a view per name, each by a user of that name, and return the last position."""
    request = feedback_service_pb2.RecordEventsRequest(
        events=[event(name, user=name, item=f"i{n % 20}") for n, name in enumerate(names)]
    )
    answer = await client.feedback.RecordEvents(request, timeout=30)
    return decode_position(answer.position)


async def record_sequence(client: Client, *names: str) -> int:
    """Record as `record` does, and return the sequence of the last event."""
    return (await record(client, *names)).sequence


class FeedbackProcesses:
    """Feedback processes on one database."""

    def __init__(self, folder: Path, database: FreshDatabase, guardian: Guardian) -> None:
        self._folder = folder
        self._database = database
        self._guardian = guardian
        self._ports: list[int] = []
        migrate(database.feedback_dsn, SCHEMA, ROOT / "services/feedback/migrations")

    def create(self, name: str, role: str = "all", **settings: str) -> tuple[ServiceProcess, str]:
        """Return a process that was not started yet, and where it will serve."""
        grpc_port, metrics_port = free_ports(2, taken=self._ports)
        self._ports += grpc_port, metrics_port
        environment = {
            "HARKEN_FEEDBACK_DSN": self._database.feedback_dsn,
            "HARKEN_FEEDBACK_LISTEN": f"127.0.0.1:{grpc_port}",
            "HARKEN_FEEDBACK_METRICS_LISTEN": f"127.0.0.1:{metrics_port}",
            "HARKEN_FEEDBACK_ADDRESS_FILE": str(self._folder / f"{name}.address.json"),
            "HARKEN_FEEDBACK_DIMENSION": "16",
            **{f"HARKEN_FEEDBACK_{key.upper()}": value for key, value in settings.items()},
        }
        spec = ProcessSpec(name, "services.feedback", self._folder, ("--role", role), environment)
        return ServiceProcess(spec, self._guardian), f"127.0.0.1:{grpc_port}"

    def start(self, name: str, role: str = "all", **settings: str) -> tuple[ServiceProcess, str]:
        """Return a process that is ready, and where it serves."""
        process, target = self.create(name, role, **settings)
        process.start()
        process.wait_ready(time.monotonic() + START_SECONDS)
        return process, target


@pytest.fixture
def processes(
    tmp_path: Path, database: FreshDatabase, guardian: Guardian
) -> Iterator[FeedbackProcesses]:
    """Processes of one test; all are killed after it."""
    with ExitStack() as stack:
        own = FeedbackProcesses(tmp_path, database, guardian)
        create = own.create

        def killed_after(*args: Any, **kwargs: Any) -> tuple[ServiceProcess, str]:
            process, target = create(*args, **kwargs)
            stack.callback(process.kill)
            return process, target

        own.create = killed_after  # type: ignore[method-assign]
        yield own


@pytest.fixture(scope="module")
def module_target(
    tmp_path_factory: pytest.TempPathFactory, module_database: FreshDatabase, guardian: Guardian
) -> Iterator[str]:
    """A feedback process for the tests of one module."""
    own = FeedbackProcesses(tmp_path_factory.mktemp("feedback"), module_database, guardian)
    process, target = own.start("feedback", tick_seconds="0.2")
    yield target
    process.kill()


Connect = Callable[[str], Client]


@pytest_asyncio.fixture
async def connect() -> AsyncIterator[Connect]:
    """Open clients; they are closed after the test."""
    channels: list[grpc.aio.Channel] = []

    def open_client(target: str) -> Client:
        channels.append(grpc.aio.insecure_channel(target))
        return Client(channels[-1])

    yield open_client
    for channel in channels:
        await channel.close()


@pytest_asyncio.fixture
async def client(module_target: str, connect: Connect) -> Client:
    """A client of the module's process, with a catalogue of 20 items."""
    own = connect(module_target)
    await own.upsert(20)
    return own
