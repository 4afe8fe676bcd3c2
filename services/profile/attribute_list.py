"""ListProfiles: whose attributes were ever set, page by page."""

from collections.abc import Mapping, Sequence

from harken.common.v1 import subject_pb2
from harken.profile.v1 import profile_pb2
from harken.profile.v1 import profile_service_pb2 as pb
from services.common.page_token import decode_page_token, encode_page_token
from services.common.user_key import MAX_KEY_BYTES, is_pseudonym
from services.common.validation import Checks
from services.common.vault.vault import UserVault
from services.profile.convert import set_attributes
from services.profile.store.attribute_store import AttributeStore, StoredAttributes

_MAX_PROFILES = 1000
_DEFAULT_PAGE = 100
_PAGE_BYTES = 3 * 1024 * 1024
"""Of a page, so that it passes the 4 MiB that clients take by default."""


async def list_profiles(
    store: AttributeStore, vault: UserVault, request: pb.ListProfilesRequest
) -> pb.ListProfilesResponse:
    """Return a page; see profile_service.proto."""
    checks = Checks()
    tenant = checks.tenant(request.tenant)
    size = checks.number("page_size", request.page_size, _DEFAULT_PAGE, _MAX_PROFILES)
    after = decode_page_token(checks, request.page_token, MAX_KEY_BYTES)
    after_key = _key_of(checks, after, vault.pseudonyms.keyed)
    checks.done()
    rows, more = await store.page(tenant, after_key, size, _PAGE_BYTES)
    subjects = await vault.subjects(tenant, [user_key for user_key, _ in rows])
    profiles, taken = _below_limit(rows, subjects)
    response = pb.ListProfilesResponse(profiles=profiles)
    if more or taken < len(rows):
        response.next_page_token = encode_page_token(_text_of(rows[taken - 1][0]))
    return response


def _below_limit(
    rows: Sequence[tuple[bytes, StoredAttributes]],
    subjects: Mapping[bytes, subject_pb2.Subject],
) -> tuple[list[profile_pb2.Profile], int]:
    """Return the profiles of the first rows, at least one, that one answer has room for, and how
    many rows these are: who was erased since has none.

    The same attributes are larger on the wire than as the JSON that the store counts.
    """
    profiles: list[profile_pb2.Profile] = []
    total = 0
    for taken, (user_key, stored) in enumerate(rows):
        if user_key not in subjects:
            continue
        profile = profile_pb2.Profile(subject=subjects[user_key])
        set_attributes(profile, stored)
        total += profile.ByteSize()
        if total > _PAGE_BYTES and profiles:
            return profiles, taken
        profiles.append(profile)
    return profiles, len(rows)


def _text_of(user_key: bytes) -> str:
    return user_key.hex() if is_pseudonym(user_key) else user_key.decode()


def _key_of(checks: Checks, text: str, keyed: bool) -> bytes:
    """Return the key that a page follows; `keyed`: keys are pseudonyms."""
    if not keyed:
        return text.encode()
    try:
        return bytes.fromhex(text)
    except ValueError:
        checks.fail("page_token", "is not a token of a previous page")
        return b""
