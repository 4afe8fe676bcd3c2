"""MergeProfiles, UnmergeProfiles and ListMerges: which sessions and users are one person."""

from harken.profile.v1 import profile_service_pb2 as pb
from services.common.errors import WrongStateError
from services.common.page_token import decode_page_token, encode_page_token
from services.common.validation import Checks
from services.common.vault.admission import Admission
from services.common.vault.vault import UserVault
from services.profile.domain.links import (
    MAX_MERGED,
    MergeCycleError,
    MergedAlreadyError,
    TooManyMergedError,
)
from services.profile.outbox_relay import OutboxRelay
from services.profile.store.link_store import LinkStore

_MAX_FROM = 100
_MAX_SOURCE_BYTES = 64
_MAX_PAGE = 1000
_DEFAULT_PAGE = 100
_LAST = 2**63 - 1
_TOKEN_BYTES = 20


class AlreadyMergedError(WrongStateError):
    """Somebody is merged into another user."""

    reason = "ALREADY_MERGED"


class CycleError(WrongStateError):
    """A user would be merged into itself."""

    reason = "MERGE_CYCLE"


class TooManyError(WrongStateError):
    """A user would have too many."""

    reason = "TOO_MANY_MERGED"


class Merges:
    """Changes links, and answers once the log has them, or soon."""

    def __init__(self, links: LinkStore, outbox: OutboxRelay, vault: UserVault) -> None:
        self._links = links
        self._outbox = outbox
        self._vault = vault

    async def merge(self, request: pb.MergeProfilesRequest) -> pb.MergeProfilesResponse:
        """See profile_service.proto."""
        checks = Checks()
        tenant = checks.tenant(request.tenant)
        checks.subject("into", request.into)
        if request.into.HasField("session_id"):
            checks.fail("into", "is a session: only into users is anything merged")
        _check_from(checks, request)
        if request.into in request.from_subjects:
            checks.fail("from_subjects", "holds `into`")
        checks.done()
        users = Admission(self._vault, tenant)
        keys = [users.key_of(one) for one in request.from_subjects]
        into = users.key_of(request.into)
        await users.done()
        try:
            done = await self._links.merge(tenant, into, keys, request.source)
        except MergedAlreadyError as error:
            place = keys.index(error.key)
            raise AlreadyMergedError(
                f"from_subjects[{place}] is merged into another user: take that back first"
            ) from error
        except MergeCycleError as error:
            raise CycleError("the user is merged into one of `from_subjects`") from error
        except TooManyMergedError as error:
            raise TooManyError(f"the user would have more than {MAX_MERGED}") from error
        self._outbox.wake()
        return pb.MergeProfilesResponse(
            into=(await self._vault.subjects(tenant, [done.into])).get(done.into),
            merged=done.number,
            position=await self._outbox.position_of(tenant, links=done.links),
        )

    async def unmerge(self, request: pb.UnmergeProfilesRequest) -> pb.UnmergeProfilesResponse:
        """See profile_service.proto."""
        checks = Checks()
        tenant = checks.tenant(request.tenant)
        _check_from(checks, request)
        checks.done()
        keys = [self._vault.pseudonyms.key_of(tenant, one) for one in request.from_subjects]
        done = await self._links.unmerge(tenant, keys, request.source)
        self._outbox.wake()
        # Who was never merged has nothing to tell, and no position is to be waited for.
        position = b""
        if done.links:
            position = await self._outbox.position_of(tenant, links=done.links)
        return pb.UnmergeProfilesResponse(unmerged=done.number, position=position)

    async def list_merges(self, request: pb.ListMergesRequest) -> pb.ListMergesResponse:
        """See profile_service.proto."""
        checks = Checks()
        tenant = checks.tenant(request.tenant)
        user_key = None
        if request.HasField("subject"):
            checks.subject("subject", request.subject)
        size = checks.number("page_size", request.page_size, _DEFAULT_PAGE, _MAX_PAGE)
        text = decode_page_token(checks, request.page_token, _TOKEN_BYTES)
        if text and not text.isdigit():
            checks.fail("page_token", "is none of ours")
        checks.done()
        if request.HasField("subject"):
            user_key = self._vault.pseudonyms.key_of(tenant, request.subject)
        found, more = await self._links.page(tenant, min(int(text or _LAST), _LAST), size, user_key)
        response = pb.ListMergesResponse()
        keys = {key for one in found for key in (one.from_key, one.into_key)}
        names = await self._vault.subjects(tenant, keys)
        for one in found:
            # Who was erased since is nobody any more.
            if one.from_key not in names or one.into_key not in names:
                continue
            merge = response.merges.add(
                from_subject=names[one.from_key], into=names[one.into_key],
                unmerged=one.unmerged, source=one.source,
            )  # fmt: skip
            merge.time.FromDatetime(one.at)
        if more:
            response.next_page_token = encode_page_token(str(found[-1].place))
        return response


def _check_from(
    checks: Checks, request: pb.MergeProfilesRequest | pb.UnmergeProfilesRequest
) -> None:
    subjects = request.from_subjects
    if checks.size("from_subjects", len(subjects), 1, _MAX_FROM):
        for index, one in enumerate(subjects):
            checks.subject(f"from_subjects[{index}]", one)
        if len({one.SerializeToString() for one in subjects}) < len(subjects):
            checks.fail("from_subjects", "holds somebody twice")
    checks.id("source", request.source, _MAX_SOURCE_BYTES)
