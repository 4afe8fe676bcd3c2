"""A suite that asks who calls, and what its audit logs say."""

import json
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg
import grpc
import pytest
import pytest_asyncio

from harken.feedback.v1 import (
    catalog_service_pb2_grpc,
    embedding_service_pb2_grpc,
    feedback_service_pb2_grpc,
    generation_service_pb2_grpc,
    surface_service_pb2_grpc,
)
from harken.profile.v1 import profile_service_pb2_grpc
from services.cli.audit_rows import newest
from services.cli.backup.store_dsns import StoreDsns
from tests.access.authority import Authority
from tests.access.secure_suite import secure_options
from tests.conftest import FreshDatabase, StartSuite


@dataclass
class Calls:
    """Stubs of one caller."""

    feedback: Any
    profile: Any
    events: Any = field(init=False)
    items: Any = field(init=False)
    vectors: Any = field(init=False)
    generations: Any = field(init=False)
    surfaces: Any = field(init=False)
    profiles: Any = field(init=False)

    def __post_init__(self) -> None:
        self.events = feedback_service_pb2_grpc.FeedbackServiceStub(self.feedback)
        self.items = catalog_service_pb2_grpc.CatalogServiceStub(self.feedback)
        self.vectors = embedding_service_pb2_grpc.EmbeddingServiceStub(self.feedback)
        self.generations = generation_service_pb2_grpc.GenerationServiceStub(self.feedback)
        self.surfaces = surface_service_pb2_grpc.SurfaceServiceStub(self.feedback)
        self.profiles = profile_service_pb2_grpc.ProfileServiceStub(self.profile)


@dataclass(frozen=True)
class Audited:
    """A suite, its authority and its databases."""

    authority: Authority
    feedback: str
    profile: str
    dsns: StoreDsns
    admin_dsn: str
    tls: Path


@pytest.fixture(scope="module")
def audited(
    module_suite: StartSuite, module_database: FreshDatabase, tmp_path_factory: Any
) -> Audited:
    """One suite for the tests of a module."""
    authority = Authority()
    folder: Path = tmp_path_factory.mktemp("tls")
    suite = module_suite(**secure_options(folder, authority))
    endpoints = suite.endpoints
    dsns = StoreDsns(module_database.feedback_dsn, module_database.profile_dsn)
    return Audited(
        authority, endpoints.feedback, endpoints.profile, dsns, module_database.admin_dsn, folder
    )


As = Callable[[str], Calls]


@pytest_asyncio.fixture
async def acting_as(audited: Audited) -> AsyncIterator[As]:
    """Open clients of a principal, such as backend/default, by a certificate."""
    channels: list[grpc.aio.Channel] = []

    def open_calls(principal: str) -> Calls:
        identity = audited.authority.identity(f"spiffe://harken/{principal}")
        made = [
            grpc.aio.secure_channel(target, identity.credentials())
            for target in (audited.feedback, audited.profile)
        ]
        channels.extend(made)
        return Calls(*made)

    yield open_calls
    for channel in channels:
        await channel.close()


@pytest_asyncio.fixture
async def admin(audited: Audited) -> AsyncIterator[asyncpg.Connection]:
    """A superuser of the module's database."""
    connection = await asyncpg.connect(audited.admin_dsn)
    yield connection
    await connection.close()


@dataclass
class Log:
    """What a log got since it was looked at last."""

    dsns: StoreDsns
    schema: str
    seen: int = 0

    async def more(self) -> Sequence[dict[str, Any]]:
        """Return the entries since the last look."""
        rows = await newest(self.dsns, self.schema, 10_000)
        found = [json.loads(row.entry) for row in rows if row.sequence > self.seen]
        self.seen = rows[-1].sequence if rows else 0
        return found


@pytest_asyncio.fixture
async def logs(audited: Audited) -> tuple[Log, Log]:
    """The logs of feedback and profile, as of now."""
    made = Log(audited.dsns, "feedback"), Log(audited.dsns, "profile")
    for log in made:
        await log.more()
    return made
