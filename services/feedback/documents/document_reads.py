"""Reads of documents of a kind, as they are asked for on the wire: checked, page by page."""

from collections.abc import Sequence
from typing import Protocol

from services.common.page_token import decode_page_token, encode_page_token
from services.common.validation import Checks
from services.feedback.documents.document_checks import check_revision, revision_of_token
from services.feedback.documents.document_store import DocumentStore
from services.feedback.documents.stored_document import StoredDocument
from services.feedback.log.tenant_registry import TenantRegistry

_DEFAULT_PAGE, _MAX_PAGE = 100, 1000
_DEFAULT_REVISIONS, _MAX_REVISIONS = 20, 100


class OneAsked(Protocol):
    """A request for a document. revision: 0: the one that serves."""

    tenant: str
    name: str
    revision: int


class PageAsked(Protocol):
    """A request for a page."""

    tenant: str
    page_size: int
    page_token: str


class RevisionsAsked(PageAsked, Protocol):
    """A request for a page of the revisions of a document."""

    name: str


class DocumentReads:
    """Answers what is asked of the documents of a store.

    All raise InvalidRequestError, with the fields, and MissingResourceError.
    """

    def __init__(self, tenants: TenantRegistry, store: DocumentStore) -> None:
        self._tenants = tenants
        self._store = store

    async def checked(self, request: OneAsked) -> str:
        """Check which document is asked for; return the tenant."""
        checks = Checks()
        tenant = checks.tenant(request.tenant)
        checks.name("name", request.name)
        check_revision(checks, request.revision)
        checks.done()
        await self._tenants.require(tenant)
        return tenant

    async def one(self, request: OneAsked) -> StoredDocument:
        """Return the document that is asked for."""
        tenant = await self.checked(request)
        return await self._store.get(tenant, request.name, request.revision)

    async def page(self, request: PageAsked) -> tuple[Sequence[StoredDocument], str]:
        """Return documents that serve, by name, and the token of the next page; empty: none."""
        checks = Checks()
        tenant = checks.tenant(request.tenant)
        size = checks.number("page_size", request.page_size, _DEFAULT_PAGE, _MAX_PAGE)
        after_name = decode_page_token(checks, request.page_token)
        checks.done()
        await self._tenants.require(tenant)
        documents, more = await self._store.page(tenant, after_name, size)
        return documents, encode_page_token(documents[-1].name) if more else ""

    async def revisions(self, request: RevisionsAsked) -> tuple[Sequence[StoredDocument], str]:
        """Return revisions of a document, newest first, and the token of the next page."""
        checks = Checks()
        tenant = checks.tenant(request.tenant)
        checks.name("name", request.name)
        size = checks.number("page_size", request.page_size, _DEFAULT_REVISIONS, _MAX_REVISIONS)
        before = revision_of_token(checks, request.page_token)
        checks.done()
        await self._tenants.require(tenant)
        documents, more = await self._store.revisions(tenant, request.name, before, size)
        return documents, encode_page_token(str(documents[-1].revision)) if more else ""
