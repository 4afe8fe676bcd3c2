"""Puts experiments, and leads them from state to state."""

import time
from collections.abc import Awaitable, Callable
from hashlib import blake2b

from google.protobuf.timestamp_pb2 import Timestamp

from harken.feedback.v1 import experiment_pb2 as pb
from services.common.errors import MissingResourceError
from services.common.position import Position
from services.common.validation import Checks
from services.feedback.documents.document_store import DocumentStore
from services.feedback.documents.stored_document import StoredDocument
from services.feedback.documents.tenant_documents import TenantDocuments
from services.feedback.experiments import states
from services.feedback.experiments.conflicts import OWNING, check_conflicts, surfaces_named
from services.feedback.experiments.experiment_conversion import body_of, experiment_of

_KIND, _SURFACE = "experiment", "surface"
_LAYER, _ALPHA = "default", 0.05

Changed = tuple[pb.Experiment, Position | None]
"""An experiment as it is now, and its position if it is new."""
_Next = Callable[[pb.Experiment, TenantDocuments], Awaitable[pb.Experiment]]


class ExperimentKeeper:
    """Changes experiments of tenants that exist.

    Every change raises EtagMismatchError as DocumentStore.change does, and WrongStateError where it
    is not the turn of that; all but `put` MissingResourceError where there is no such experiment.
    """

    def __init__(self, store: DocumentStore) -> None:
        self._store = store

    async def put(self, tenant: str, experiment: pb.Experiment) -> Changed:
        """Put a draft that was checked by itself.

        Raises:
            InvalidRequestError: something of it is another experiment's, or not there.
            TooManyError: as DocumentStore.put.

        """

        async def decide(newest: StoredDocument | None, documents: TenantDocuments) -> bytes:
            return body_of(await _draft(experiment, newest, documents))

        stored, position = await self._store.change(
            tenant, experiment.name, decide, experiment.note, experiment.etag
        )
        return experiment_of(stored), position

    async def try_put(self, tenant: str, experiment: pb.Experiment) -> pb.Experiment:
        """Return it as `put` would put it, without what belongs to a revision; raise as `put`."""

        async def decide(newest: StoredDocument | None, documents: TenantDocuments) -> bytes:
            return body_of(await _draft(experiment, newest, documents))

        body = await self._store.try_change(
            tenant, experiment.name, decide, experiment.note, experiment.etag
        )
        tried = pb.Experiment.FromString(body)
        tried.note = experiment.note
        return tried

    async def start(self, tenant: str, name: str, share: float, note: str, etag: str) -> Changed:
        """Begin to assign users.

        Raises:
            InvalidRequestError: a surface that a variant names is gone.

        """

        async def following(one: pb.Experiment, documents: TenantDocuments) -> pb.Experiment:
            position = (await documents.log_head()).encode()
            begun = states.started(one, share, _now(), position)
            if begun is not one:
                checks = Checks()
                await _check_surfaces(checks, "config", one.config, documents)
                checks.done()
            return begun

        return await self._lead(tenant, name, following, note, etag)

    async def ramp(self, tenant: str, name: str, share: float, note: str, etag: str) -> Changed:
        """Open more buckets.

        Raises:
            InvalidRequestError: fewer would be open.

        """

        async def following(one: pb.Experiment, documents: TenantDocuments) -> pb.Experiment:
            return states.ramped(one, share)

        return await self._lead(tenant, name, following, note, etag)

    async def stop(self, tenant: str, name: str, note: str, etag: str) -> Changed:
        """Assign nobody from now on."""

        async def following(one: pb.Experiment, documents: TenantDocuments) -> pb.Experiment:
            return states.stopped(one, _now())

        return await self._lead(tenant, name, following, note, etag)

    async def conclude(self, tenant: str, name: str, winner: str, note: str, etag: str) -> Changed:
        """Say what came of it.

        Raises:
            InvalidRequestError: there is no such variant.

        """

        async def following(one: pb.Experiment, documents: TenantDocuments) -> pb.Experiment:
            return states.concluded(one, winner, _now())

        return await self._lead(tenant, name, following, note, etag)

    async def delete(self, tenant: str, name: str, note: str, etag: str) -> Position | None:
        """Take a draft, or one that is concluded, away; return the position."""

        async def require(newest: StoredDocument | None, documents: TenantDocuments) -> bytes:
            states.require_not_under_way(_serving(newest, name))
            return b""

        _, position = await self._store.change(tenant, name, require, note, etag)
        return position

    async def _lead(
        self, tenant: str, name: str, following: _Next, note: str, etag: str
    ) -> Changed:
        async def decide(newest: StoredDocument | None, documents: TenantDocuments) -> bytes:
            return body_of(await following(_serving(newest, name), documents))

        stored, position = await self._store.change(tenant, name, decide, note, etag)
        return experiment_of(stored), position


async def _draft(
    asked: pb.Experiment, newest: StoredDocument | None, documents: TenantDocuments
) -> pb.Experiment:
    """Return a draft with what was not said filled in."""
    config = pb.ExperimentConfig()
    config.CopyFrom(asked.config)
    config.layer = config.layer or _LAYER
    config.alpha = config.alpha or _ALPHA
    before = None if newest is None or newest.deleted else pb.Experiment.FromString(newest.body)
    kept = before is not None and (before.config.layer, before.config.buckets) == (
        config.layer, config.buckets,
    )  # fmt: skip
    config.salt = config.salt or _salt(asked.name, newest, before)
    if before is not None and kept and not config.HasField("first_bucket"):
        # Put again, it stays where it is.
        config.first_bucket = before.config.first_bucket
    if before is not None and before.state != states.DRAFT:
        if before.config == config:
            return before
        states.require_draft(before)
    all_others = [
        pb.Experiment.FromString(one.body)
        for one in await documents.serving(_KIND)
        if one.name != asked.name
    ]
    others = [one for one in all_others if one.state in OWNING]
    checks = Checks()
    check_conflicts(checks, "experiment.config", config, others, all_others)
    if asked.config.salt and (before is None or before.config.salt != config.salt):
        await _check_salt(checks, "experiment.config.salt", config.salt, documents)
    await _check_surfaces(checks, "experiment.config", config, documents)
    checks.done()
    return pb.Experiment(name=asked.name, config=config, state=states.DRAFT)


def _salt(name: str, newest: StoredDocument | None, before: pb.Experiment | None) -> str:
    """Return a salt for an experiment that names none: another one than that of a deleted one."""
    if before is not None:
        return before.config.salt
    if newest is None:
        return name
    # Names that begin alike are salts apart.
    digest = blake2b(name.encode(), digest_size=8).hexdigest()
    return f"{name[:24]}/{digest}/{newest.revision}"


async def _check_salt(checks: Checks, field: str, salt: str, documents: TenantDocuments) -> None:
    """Note where users were assigned by a salt before: they would be in the same variants again."""
    for one in await documents.ever(_KIND):
        was = pb.Experiment.FromString(one.body)
        if was.config.salt == salt and was.state != states.DRAFT:
            checks.fail(field, f"users of experiment {one.name!r} were assigned by it")
            return


async def _check_surfaces(
    checks: Checks, field: str, config: pb.ExperimentConfig, documents: TenantDocuments
) -> None:
    """Note where a variant names a surface that is not configured."""
    named = list(surfaces_named(config))
    known = await documents.known(_SURFACE, [name for _, name in named])
    for index, name in named:
        if name not in known:
            checks.fail(f"{field}.variants[{index}].surface", f"there is no surface {name!r}")


def _serving(newest: StoredDocument | None, name: str) -> pb.Experiment:
    if newest is None or newest.deleted:
        raise MissingResourceError(f"there is no {_KIND} {name!r}")
    return pb.Experiment.FromString(newest.body)


def _now() -> Timestamp:
    now = Timestamp()
    now.FromMicroseconds(int(time.time() * 1e6))
    return now
