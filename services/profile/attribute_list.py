"""ListProfiles: whose attributes were ever set, page by page."""

from collections.abc import Iterable

from harken.profile.v1 import profile_pb2
from harken.profile.v1 import profile_service_pb2 as pb
from services.common.page_token import decode_page_token, encode_page_token
from services.common.user_key import MAX_KEY_BYTES, subject_of
from services.common.validation import Checks
from services.profile.convert import set_attributes
from services.profile.store.attribute_store import AttributeStore, StoredAttributes

_MAX_PROFILES = 1000
_DEFAULT_PAGE = 100
_PAGE_BYTES = 3 * 1024 * 1024
"""Of a page, so that it passes the 4 MiB that clients take by default."""


async def list_profiles(
    store: AttributeStore, request: pb.ListProfilesRequest
) -> pb.ListProfilesResponse:
    """Return a page; see profile_service.proto."""
    checks = Checks()
    tenant = checks.tenant(request.tenant)
    size = checks.number("page_size", request.page_size, _DEFAULT_PAGE, _MAX_PROFILES)
    after_key = decode_page_token(checks, request.page_token, MAX_KEY_BYTES)
    checks.done()
    rows, more = await store.page(tenant, after_key.encode(), size, _PAGE_BYTES)
    profiles = _below_limit(rows)
    response = pb.ListProfilesResponse(profiles=profiles)
    if more or len(profiles) < len(rows):
        response.next_page_token = encode_page_token(rows[len(profiles) - 1][0].decode())
    return response


def _below_limit(rows: Iterable[tuple[bytes, StoredAttributes]]) -> list[profile_pb2.Profile]:
    """Return the profiles of the first rows, at least one, that one answer has room for.

    The same attributes are larger on the wire than as the JSON that the store counts.
    """
    profiles: list[profile_pb2.Profile] = []
    total = 0
    for user_key, stored in rows:
        profile = profile_pb2.Profile(subject=subject_of(user_key))
        set_attributes(profile, stored)
        total += profile.ByteSize()
        if total > _PAGE_BYTES and profiles:
            break
        profiles.append(profile)
    return profiles
