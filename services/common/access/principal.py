"""Who calls: what a certificate, a key or a token says of its holder."""

import re
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import unquote

from services.common.validation import DEFAULT_TENANT

ALL_TENANTS = "*"
"""The tenant of those who work for all of them."""
_TENANT = re.compile(r"[a-z0-9_-]{1,64}")
SCHEME = "spiffe://harken/"


class Kind(StrEnum):
    """Kinds of principals. What each may do is in `rules`."""

    BACKEND = "backend"
    MERCHANDISER = "merchandiser"
    OPERATOR = "operator"
    PROFILE = "service:profile"
    RANKER = "service:ranker"
    FEEDBACK = "service:feedback"
    TRAINER = "service:trainer"
    END_USER = "end_user"

    @property
    def is_service(self) -> bool:
        """Whether it is one of our own processes: known by certificates, never by tokens."""
        return self.value.startswith("service:")


@dataclass(frozen=True, slots=True)
class Principal:
    """Somebody known. `name` tells them from others, and holds no id of a user."""

    kind: Kind
    tenant: str
    name: str
    user_id: str = ""
    """Of an end user: theirs, and with `session_id` all that they are."""
    session_id: str = ""

    def acts_in(self, tenant: str) -> bool:
        """Return whether a tenant is theirs; an empty one is the default tenant."""
        return self.tenant in (ALL_TENANTS, tenant or DEFAULT_TENANT)


def tenant_text(value: str) -> str:
    """Return a tenant as written, or `*` for all.

    Raises:
        ValueError: it is neither.

    """
    if value != ALL_TENANTS and not _TENANT.fullmatch(value):
        raise ValueError("a tenant is 1 to 64 of [a-z0-9_-], or * for all")
    return value


def principal_of_text(text: str, name: str) -> Principal:
    """Return the principal that "<kind>/<tenant>" says, such as backend/default or operator/*.

    Raises:
        ValueError: it says none.

    """
    kind_text, _, tenant = text.partition("/")
    kind = Kind(kind_text)
    if kind is Kind.END_USER:
        raise ValueError("end users are known by tokens only")
    return Principal(kind, tenant_text(tenant), name)


def principal_of_uri(uri: str) -> Principal | None:
    """Return the principal that the name in a certificate says; None where it says none.

    spiffe://harken/service/<profile|ranker|feedback|trainer>, which works for all tenants, and
    spiffe://harken/<backend|merchandiser|operator>/<tenant>, where %2A is all tenants.
    """
    if not uri.startswith(SCHEME):
        return None
    first, _, rest = uri.removeprefix(SCHEME).partition("/")
    text = f"service:{rest}/{ALL_TENANTS}" if first == "service" else f"{first}/{unquote(rest)}"
    try:
        return principal_of_text(text, uri)
    except ValueError:
        return None
