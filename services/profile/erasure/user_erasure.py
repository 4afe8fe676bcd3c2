"""EraseUser, GetErasure, ListErasures."""

import contextlib

import grpc

from harken.common.v1 import subject_pb2
from harken.profile.v1 import erasure_pb2
from harken.profile.v1 import profile_service_pb2 as pb
from services.common.errors import HarkenError, MissingResourceError, StoreUnavailableError
from services.common.logs import logger
from services.common.page_token import decode_page_token, encode_page_token
from services.common.timestamps import micros_of
from services.common.validation import Checks
from services.common.vault.vault import UserVault
from services.profile.erasure.erasure_relay import ErasureRelay
from services.profile.freshness import Freshness
from services.profile.store.erasure_store import ErasureStore, StoredErasure
from services.profile.store.link_store import LinkStore

_MAX_NOTE_BYTES = 1000
_MAX_ID_BYTES = 64
_DEFAULT_PAGE = 100
_MAX_PAGE = 1000
_APPLY_SECONDS = 1.0
_LAST_US = 253_402_300_799_000_000
_log = logger("erasures")


class UserErasure:
    """Begins erasures, and says how far they are."""

    def __init__(
        self,
        store: ErasureStore,
        links: LinkStore,
        relay: ErasureRelay,
        freshness: Freshness,
        vault: UserVault,
    ) -> None:
        self._store = store
        self._links = links
        self._relay = relay
        self._freshness = freshness
        self._vault = vault

    async def erase(self, request: pb.EraseUserRequest) -> pb.EraseUserResponse:
        """Begin an erasure; see profile_service.proto.

        Raises:
            InvalidRequestError: the request is wrong.
            StoreUnavailableError: the store is away.

        """
        checks = Checks()
        tenant = checks.tenant(request.tenant)
        checks.subject("subject", request.subject)
        if len(request.note.encode()) > _MAX_NOTE_BYTES or "\0" in request.note:
            checks.fail("note", f"must be at most {_MAX_NOTE_BYTES} bytes without zero characters")
        checks.done()
        user_key = self._vault.pseudonyms.key_of(tenant, request.subject)
        # Sessions, and users, that are the user: what they did is the user's.
        for linked in await self._links.same(tenant, user_key):
            if linked != user_key:
                await self._begin(tenant, linked, request.note, request.subject)
        erasure = await self._begin(tenant, user_key, request.note, request.subject)
        return pb.EraseUserResponse(erasure=erasure)

    async def _named(self, stored: StoredErasure) -> erasure_pb2.Erasure:
        """Return an erasure with whom it erases, while that is known."""
        erasure = _message(stored)
        if stored.user_key is not None:
            subjects = await self._vault.subjects(stored.tenant, [stored.user_key])
            if stored.user_key in subjects:
                erasure.subject.CopyFrom(subjects[stored.user_key])
        return erasure

    async def _begin(
        self, tenant: str, user_key: bytes, note: str, subject: subject_pb2.Subject
    ) -> erasure_pb2.Erasure:
        stored = await self._store.begin(tenant, user_key, note)
        if not stored.position:
            try:
                position = await self._relay.append(stored)
            except grpc.aio.AioRpcError as error:
                # It is carried on in the background.
                _log.warning(
                    "an erasure waits for the log",
                    code=error.code().name, details=error.details(),
                )  # fmt: skip
            else:
                # Who reads here next finds nothing more; another process of ours follows at once.
                with contextlib.suppress(HarkenError):
                    await self._freshness.wait(position, _APPLY_SECONDS, strict=False)
                stored = await self._store.get(tenant, stored.erasure_id) or stored
        erasure = _message(stored)
        # Once the log has it, nobody knows who it is any more.
        erasure.subject.CopyFrom(subject)
        return erasure

    async def get(self, request: pb.GetErasureRequest) -> pb.GetErasureResponse:
        """Say how far an erasure is; see profile_service.proto.

        Raises:
            InvalidRequestError, MissingResourceError: the request is wrong; there is none.
            StoreUnavailableError: the store or the log is away.

        """
        checks = Checks()
        tenant = checks.tenant(request.tenant)
        if not 0 < len(request.erasure_id.encode()) <= _MAX_ID_BYTES:
            checks.fail("erasure_id", f"must be 1 to {_MAX_ID_BYTES} bytes")
        checks.done()
        stored = await self._store.get(tenant, request.erasure_id)
        if stored is None:
            raise MissingResourceError(f"tenant {tenant!r} has no such erasure")
        erasure = await self._named(stored)
        if erasure.state != erasure_pb2.ERASURE_STATE_PENDING:
            try:
                answer = await self._relay.progress_of(stored.erasure_id)
            except grpc.aio.AioRpcError as error:
                raise StoreUnavailableError(f"the log is away: {error.details()}") from error
            erasure.state = answer.state
            erasure.searched = answer.searched
            erasure.entries = answer.entries
            erasure.receipts.extend(answer.receipts)
            if erasure.state == erasure_pb2.ERASURE_STATE_DONE and not stored.finished:
                await self._store.finish(stored.erasure_id)
                erasure.ClearField("subject")
        return pb.GetErasureResponse(erasure=erasure)

    async def list(self, request: pb.ListErasuresRequest) -> pb.ListErasuresResponse:
        """Return a page; see profile_service.proto.

        Raises:
            InvalidRequestError: the request is wrong.
            StoreUnavailableError: the store is away.

        """
        checks = Checks()
        tenant = checks.tenant(request.tenant)
        size = checks.number("page_size", request.page_size, _DEFAULT_PAGE, _MAX_PAGE)
        before_us, before_id = _decoded(
            checks, decode_page_token(checks, request.page_token, 2 * _MAX_ID_BYTES)
        )
        checks.done()
        found = await self._store.page(tenant, before_us, before_id, size + 1)
        page = found[:size]
        response = pb.ListErasuresResponse(erasures=[await self._named(one) for one in page])
        if len(found) > size:
            last = response.erasures[-1]
            response.next_page_token = encode_page_token(
                f"{micros_of(last.request_time)} {last.erasure_id}"
            )
        return response


def _decoded(checks: Checks, key: str) -> tuple[int, str]:
    """Return time and id of the erasure that a page follows."""
    if not key:
        return _LAST_US, ""
    number, _, erasure_id = key.partition(" ")
    if not number.isdecimal() or int(number) > _LAST_US:
        checks.fail("page_token", "is not a token of a previous page")
        return _LAST_US, ""
    return int(number), erasure_id


def _message(stored: StoredErasure) -> erasure_pb2.Erasure:
    """Return an erasure as far as it is known here."""
    state = erasure_pb2.ERASURE_STATE_PENDING
    if stored.finished:
        state = erasure_pb2.ERASURE_STATE_DONE
    elif stored.position or stored.sequence:
        state = erasure_pb2.ERASURE_STATE_HIDDEN
    erasure = erasure_pb2.Erasure(
        erasure_id=stored.erasure_id, note=stored.note, state=state, position=stored.position
    )
    erasure.request_time.FromDatetime(stored.requested_at)
    if stored.erased_at_us:
        erasure.erase_time.FromMicroseconds(stored.erased_at_us)
    return erasure
