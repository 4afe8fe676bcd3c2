"""JSON Web Tokens of an issuer that is trusted, held against its public keys (RFC 7519, 8725).

Claims: `iss`, `aud`, `exp` and `sub` must be there; `harken_tenant` too; `harken_kind` is end_user
unless it says otherwise, and never one of our own services. An end user is the user `sub` and,
where `harken_session` is given, that session.
"""

import hashlib
import json
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jwt

from services.common.access.principal import ALL_TENANTS, Kind, Principal, tenant_text

ALGORITHMS = ("EdDSA", "ES256", "RS256")
"""Signatures only. A key has one of them, which is not for the token to choose."""
LEEWAY_SECONDS = 30
"""By which clocks may differ."""
_LEAST_RSA_BITS = 2048
_LONGEST = 8192
_MOST_KNOWN = 10_000
_LONGEST_ID = 128


@dataclass(frozen=True, slots=True)
class Trust:
    """Whose tokens are taken: the issuer's, made for this audience."""

    issuer: str
    audience: str


def read_jwks(contents: Sequence[bytes]) -> Mapping[str, jwt.PyJWK]:
    """Return the keys of a JWK Set (RFC 7517), by their ids; those of other algorithms are left.

    An empty set is one: no token holds.

    Raises:
        ValueError: it is none, or no key of it can be used.

    """
    (content,) = contents
    try:
        rows: Any = json.loads(content)["keys"]
        found = {row["kid"]: jwt.PyJWK(row) for row in rows if _may_sign(row)}
    except (ValueError, TypeError, KeyError, jwt.PyJWTError):
        raise ValueError("is no JWK set whose keys have ids") from None
    usable = {
        kid: key
        for kid, key in found.items()
        if key.algorithm_name in ALGORITHMS
        and (key.key_type != "RSA" or key.key.key_size >= _LEAST_RSA_BITS)
    }
    if rows and not usable:
        raise ValueError(f"has no key of {', '.join(ALGORITHMS)}")
    return usable


def _may_sign(row: Any) -> bool:
    if not isinstance(row, dict):
        raise TypeError("a key is no object")
    return row.get("kty") in ("RSA", "EC", "OKP") and row.get("use", "sig") == "sig"


class TokenReader:
    """Finds the principal of a token. To check a signature takes long: those known are kept."""

    def __init__(
        self,
        keys: Mapping[str, jwt.PyJWK],
        trust: Trust,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._keys = keys
        self._trust = trust
        self._clock = clock
        self._known: OrderedDict[bytes, tuple[Principal, float]] = OrderedDict()

    def principal_of(self, token: str) -> Principal | None:
        """Return whom a token speaks for; None when it does not hold."""
        if len(token) > _LONGEST:
            return None
        name = hashlib.sha256(token.encode()).digest()
        known = self._known.get(name)
        if known is None:
            known = self._checked(token)
            if known is None:
                return None
            self._known[name] = known
            if len(self._known) > _MOST_KNOWN:
                self._known.popitem(last=False)
        principal, expires_at = known
        if self._clock() > expires_at + LEEWAY_SECONDS:
            self._known.pop(name, None)
            return None
        return principal

    def _checked(self, token: str) -> tuple[Principal, float] | None:
        try:
            kid = jwt.get_unverified_header(token).get("kid")
            key = self._keys.get(kid) if isinstance(kid, str) else None
            if key is None:
                return None
            claims = jwt.decode(
                token,
                key.key,
                algorithms=[key.algorithm_name],
                audience=self._trust.audience,
                issuer=self._trust.issuer,
                leeway=LEEWAY_SECONDS,
                options={"require": ["exp", "iss", "aud", "sub"], "verify_sub": True},
            )
            return _principal(claims), float(claims["exp"])
        except (
            jwt.PyJWTError,
            ArithmeticError,
            LookupError,
            RecursionError,
            TypeError,
            ValueError,
        ):
            return None


def _principal(claims: Mapping[str, Any]) -> Principal:
    kind = Kind(claims.get("harken_kind", Kind.END_USER.value))
    if kind.is_service:
        raise ValueError("our own services are known by certificates only")
    tenant, subject = tenant_text(_text(claims["harken_tenant"])), _text(claims["sub"])
    if kind is not Kind.END_USER:
        return Principal(kind, tenant, f"token:{_short(subject)}")
    if tenant == ALL_TENANTS:
        raise ValueError("an end user has one tenant")
    session = claims.get("harken_session")
    return Principal(
        kind, tenant, f"user:{tenant}:{_short(subject)}", subject,
        "" if session is None else _text(session),
    )  # fmt: skip


def _text(value: Any) -> str:
    if not isinstance(value, str) or not 1 <= len(value.encode()) <= _LONGEST_ID:
        raise ValueError("a claim is no text of 1 to 128 bytes")
    return value


def _short(subject: str) -> str:
    """Return what tells subjects apart without naming them."""
    return hashlib.sha256(subject.encode()).hexdigest()[:16]
