"""Puts configurations of surfaces, and puts them back."""

import asyncio
from collections.abc import Collection

from harken.feedback.v1 import surface_pb2
from services.common.errors import FieldViolation, InvalidRequestError, MissingResourceError
from services.common.position import Position
from services.common.surfaces.config_checks import check_config
from services.common.validation import Checks
from services.feedback.documents.document_store import DocumentStore
from services.feedback.documents.tenant_documents import TenantDocuments
from services.feedback.experiments.surface_use import require_unused
from services.feedback.surfaces.surface_conversion import body_of, surface_of


class SurfaceKeeper:
    """Changes surfaces of tenants that exist."""

    def __init__(self, store: DocumentStore, sources: Collection[str]) -> None:
        """`sources`: names of the sources of candidates that there are."""
        self._store = store
        self._sources = sources

    async def put(
        self, tenant: str, surface: surface_pb2.Surface
    ) -> tuple[surface_pb2.Surface, Position | None]:
        """Put a surface that was checked; return it as it serves, and its position if it is new.

        Raises:
            EtagMismatchError, TooManyError: as DocumentStore.put.

        """
        stored, position = await self._store.put(
            tenant, surface.name, body_of(surface.name, surface.config), surface.note, surface.etag
        )
        return surface_of(stored), position

    async def try_put(self, tenant: str, surface: surface_pb2.Surface) -> surface_pb2.Surface:
        """Return a surface that was checked as `put` would put it, without what is output only.

        Raises:
            EtagMismatchError, TooManyError: `put` would.

        """
        body = body_of(surface.name, surface.config)
        await self._store.check_put(tenant, surface.name, body, surface.note, surface.etag)
        tried = surface_pb2.Surface.FromString(body)
        tried.note = surface.note
        return tried

    async def delete(self, tenant: str, name: str, note: str, etag: str) -> Position | None:
        """Take a configuration away; return the position.

        Raises:
            MissingResourceError: there is none of this name.
            EtagMismatchError: another revision serves than the etag says.
            WrongStateError: an experiment that runs makes slates by it.

        """

        async def require(documents: TenantDocuments) -> None:
            await require_unused(name, documents)

        _, position = await self._store.delete(tenant, name, note, etag, require)
        return position

    async def configured(self, tenant: str, name: str, revision: int) -> surface_pb2.Surface:
        """Return a revision, 0: what serves; one of revision 0 without configuration where nothing
        does.

        Raises:
            MissingResourceError: there is no such revision.

        """
        try:
            return surface_of(await self._store.get(tenant, name, revision))
        except MissingResourceError:
            if revision:
                raise
            return surface_pb2.Surface(name=name)

    async def roll_back(
        self, tenant: str, name: str, revision: int, etag: str, note: str
    ) -> tuple[surface_pb2.Surface, Position | None]:
        """Put the configuration of an earlier revision again; return as `put` does.

        Raises:
            InvalidRequestError: it is a deletion, or what was right then is not any more.
            MissingResourceError: there is no such revision.
            EtagMismatchError, TooManyError: as DocumentStore.put.

        """
        old = await self._store.get(tenant, name, revision)
        if old.deleted:
            what = f"{revision} is a deletion: there is nothing to go back to"
            raise InvalidRequestError([FieldViolation("revision", what)])
        config = surface_pb2.Surface.FromString(old.body).config
        checks = Checks()
        # In a thread: many long expressions take a second.
        await asyncio.to_thread(check_config, checks, "revision.config", config, self._sources)
        checks.done()
        stored, position = await self._store.put(tenant, name, old.body, note, etag)
        return surface_of(stored), position
