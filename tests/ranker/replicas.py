"""Replicas for tests, fed by frames as the process is."""

import asyncio
from collections.abc import Sequence

from harken.internal.feed.v1 import frame_pb2
from services.ranker.domain.tenant_replica import TenantReplica
from services.ranker.frame_folder import FrameFolder
from tests.ranker.generations import KnownGenerations

HALF_LIFE = 1000.0


def new_replica(tenant: str = "default", max_users: int = 100) -> TenantReplica:
    return TenantReplica(tenant, HALF_LIFE, max_users)


def new_folder() -> FrameFolder:
    return FrameFolder(KnownGenerations(), new_replica)


def folded(frames: Sequence[frame_pb2.Frame]) -> FrameFolder:
    folder = new_folder()
    asyncio.run(folder.apply(frames))
    return folder
