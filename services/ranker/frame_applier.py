"""Folds frames, the parameters lane of the feed, into replicas of tenants."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import replace
from typing import Protocol

from harken.feedback.v1 import generation_pb2
from harken.internal.feed.v1 import frame_pb2
from services.common.logs import logger
from services.feed.frames_client import FrameRefusedError, applied_by
from services.feed.parameters import RefusedParametersError
from services.feed.progress import Progress
from services.ranker.domain.changes import TenantChanges
from services.ranker.domain.generation import Generation
from services.ranker.domain.tenant_replica import TenantReplica
from services.ranker.domain.visibility import Overlays
from services.ranker.frame_columns import check_changes, tenant_changes
from services.ranker.turn import Turn

_Name = tuple[str, str]
"""Tenant and generation id."""
_log = logger("frames")


class UnusableGenerationError(Exception):
    """A generation came whole, but is not one that we can serve from."""


class GenerationSource(Protocol):
    """Where generations come from."""

    async def load(self, tenant: str, manifest: generation_pb2.GenerationManifest) -> Generation:
        """Return a generation, ready to serve.

        Raises:
            UnusableGenerationError: files do not fit the manifest, or we cannot serve from them.
            ConnectionError: the source is away.

        """


class FrameApplier:
    """Holds a replica per tenant. A frame is folded whole, or refused and changes nothing."""

    def __init__(
        self,
        generations: GenerationSource,
        new_replica: Callable[[str], TenantReplica],
        overlays: Overlays,
    ) -> None:
        """`overlays` hold what is newer than frames; they are told how far these are."""
        self.progress = Progress()
        self._generations = generations
        self._new_replica = new_replica
        self._overlays = overlays
        self._replicas: dict[str, TenantReplica] = {}
        self._refused: set[_Name] = set()

    @property
    def replicas(self) -> Mapping[str, TenantReplica]:
        """Return the replicas by tenant. A snapshot replaces them all."""
        return self._replicas

    async def apply(self, frames: Sequence[frame_pb2.Frame]) -> None:
        """Fold frames in order; progress moves with each.

        Raises:
            FrameRefusedError: a frame is wrong; those before it are folded, nothing of it is.
            ConnectionError: a generation could not be fetched; nothing of its frame is folded.

        """
        turn = Turn()
        for frame in frames:
            await self._fold(frame, self._replicas)
            self._overlays.folded_through(frame.through_sequence)
            self.progress.advance(applied_by(frame))
            await turn.end_if_long()

    async def restart(self, chunks: AsyncIterator[frame_pb2.Frame]) -> None:
        """Build new replicas from a snapshot beside the old ones, and swap when it is complete.

        Cached users are not taken over: their items are ordinals of the old replicas.

        Raises:
            FrameRefusedError: a chunk is wrong; the old replicas serve on.
            ConnectionError: a generation could not be fetched; the old replicas serve on.

        """
        replicas: dict[str, TenantReplica] = {}
        applied = self.progress.applied
        refused, self._refused = self._refused, set()
        try:
            async for chunk in chunks:
                await self._fold(chunk, replicas)
                applied = applied_by(chunk)
                await asyncio.sleep(0)
        except BaseException:
            self._refused = refused
            raise
        self._replicas = replicas
        self._overlays.folded_through(applied.sequence)
        self.progress.advance(applied)
        _log.info("snapshot folded", version=applied.version, tenants=len(replicas))

    async def _fold(self, frame: frame_pb2.Frame, replicas: dict[str, TenantReplica]) -> None:
        generations = await self._named(frame, replicas)
        try:
            parts = self._checked(frame, generations, replicas)
        except RefusedParametersError as error:
            raise FrameRefusedError(frame.version, str(error)) from error
        for replica, changes in parts:
            replicas[replica.tenant] = replica
            replica.fold(changes)
        for part in frame.tenants:
            if part.HasField("activated"):
                self._note_activated(replicas[part.tenant], part.activated.generation_id)

    def _note_activated(self, replica: TenantReplica, generation_id: str) -> None:
        """Keep whether a replica serves what the feed says, or serves on without it."""
        if replica.active == generation_id:
            replica.unserved = ""
            for name in replica.outlived:
                replica.spaces.pop(name, None)
            replica.outlived.clear()
        else:
            replica.unserved = generation_id

    def _checked(
        self,
        frame: frame_pb2.Frame,
        generations: Mapping[_Name, Generation],
        replicas: Mapping[str, TenantReplica],
    ) -> list[tuple[TenantReplica, TenantChanges]]:
        """Return what to fold where, once all of the frame is known to be right.

        A tenant may come twice: what its first part activates or stages, later ones may use.
        """
        folds = []
        fresh: dict[str, TenantReplica] = {}
        earlier: dict[str, list[TenantChanges]] = {}
        for part in frame.tenants:
            tenant = part.tenant
            replica = replicas.get(tenant) or fresh.get(tenant)
            if replica is None:
                replica = fresh[tenant] = self._new_replica(tenant)
            try:
                changes = tenant_changes(
                    part,
                    generations.get((tenant, part.activated.generation_id)),
                    generations.get((tenant, part.staged.generation_id)),
                )
                changes = self._without_refused(changes, replica)
                check_changes(
                    changes, *replica.built_after(changes, earlier.setdefault(tenant, []))
                )
            except RefusedParametersError as error:
                raise RefusedParametersError(f"tenant {tenant!r}: {error}") from error
            earlier[tenant].append(changes)
            folds.append((replica, changes))
        return folds

    def _without_refused(self, changes: TenantChanges, replica: TenantReplica) -> TenantChanges:
        """Leave out what belongs to generations that we could not use."""
        own = {name for of, name in self._refused if of == replica.tenant}
        if not own:
            return changes
        retired = [name for name in changes.retired if name not in own]
        if replica.unserved and replica.active in retired:
            # It goes once there is another to serve from.
            retired.remove(replica.active)
            replica.outlived.add(replica.active)
        return replace(
            changes,
            vectors={name: rows for name, rows in changes.vectors.items() if name not in own},
            factors={name: one for name, one in changes.factors.items() if name not in own},
            retired=tuple(retired),
        )

    async def _named(
        self, frame: frame_pb2.Frame, replicas: Mapping[str, TenantReplica]
    ) -> dict[_Name, Generation]:
        """Return the generations that a frame activates or stages, before anything of it is folded.

        Those that were staged before are there; others are fetched. A staged one that we cannot use
        is left out: what serves, serves on, also when the other is activated, until one comes that
        we can use. Where nothing serves yet, the frame is refused.
        """
        generations: dict[_Name, Generation] = {}
        for part in frame.tenants:
            manifests = [(part.activated, True)] if part.HasField("activated") else []
            manifests += [(part.staged, False)] if part.HasField("staged") else []
            for manifest, serves in manifests:
                name = (part.tenant, manifest.generation_id)
                replica = replicas.get(part.tenant)
                space = None if replica is None else replica.spaces.get(manifest.generation_id)
                if space is not None:
                    generations[name] = space.generation
                    continue
                nothing_serves = replica is None or replica.generation is None
                if serves and name in self._refused and not nothing_serves:
                    # Its vectors were left out, too.
                    _log.error(
                        "a generation that was left out is activated: another serves on",
                        tenant=part.tenant, generation=manifest.generation_id,
                    )  # fmt: skip
                    continue
                try:
                    generations[name] = await self._generations.load(part.tenant, manifest)
                    self._refused.discard(name)
                except UnusableGenerationError as error:
                    if not serves:
                        self._refused.add(name)
                        _log.error(
                            "a staged generation is left out",
                            tenant=part.tenant, generation=manifest.generation_id,
                            reason=str(error),
                        )  # fmt: skip
                        continue
                    raise FrameRefusedError(frame.version, str(error)) from error
        return generations
