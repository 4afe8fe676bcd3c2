"""Replicas for tests, fed by the two lanes as the process is."""

import asyncio
from collections.abc import Sequence

from harken.internal.feed.v1 import frame_pb2
from services.ranker.domain.tenant_replica import TenantReplica
from services.ranker.domain.visibility import Overlays
from services.ranker.entries_folder import EntriesFolder
from services.ranker.frame_applier import FrameApplier, GenerationSource
from tests.ranker.generations import KnownGenerations

HALF_LIFE = 1000.0


def new_replica(tenant: str = "default", max_users: int = 100) -> TenantReplica:
    return TenantReplica(tenant, HALF_LIFE, max_users)


def new_folder(generations: GenerationSource | None = None) -> FrameApplier:
    return new_lanes(generations)[0]


def new_lanes(
    generations: GenerationSource | None = None,
) -> tuple[FrameApplier, EntriesFolder]:
    """Return what frames and what entries are applied to."""
    overlays = Overlays()
    frames = FrameApplier(
        generations or KnownGenerations(),
        lambda tenant: TenantReplica(tenant, HALF_LIFE, 100, overlays.of(tenant)),
        overlays,
    )
    entries = EntriesFolder(frames, overlays)
    entries.progress.learn_forks({})
    return frames, entries


def folded(frames: Sequence[frame_pb2.Frame]) -> FrameApplier:
    folder = new_folder()
    asyncio.run(folder.apply(frames))
    return folder
