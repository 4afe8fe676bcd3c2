"""Lets calls in: finds who calls, and holds them against the table and their request."""

from collections.abc import Mapping
from typing import Any, Protocol

import grpc

from services.common.access.api_keys import PREFIX, KeyRing
from services.common.access.call_rate import CallRate
from services.common.access.caller import CALLER
from services.common.access.principal import ALL_TENANTS, Kind, Principal, principal_of_uri
from services.common.access.request_check import Check, check_of
from services.common.access.rules import RULES, Rule
from services.common.access.tokens import TokenReader
from services.common.errors import PermissionDeniedError, UnauthenticatedError
from services.common.reloadable import Reloadable

_BEARER = "bearer "
_SAN = "x509_subject_alternative_name"
_NOBODY = Rule(frozenset())


class Entry(Protocol):
    """How calls of one RPC come in."""

    def admit(self, context: grpc.aio.ServicerContext) -> Principal | None:
        """Return who calls, before the request is read; None where anybody may.

        Raises:
            UnauthenticatedError: nobody known does.
            PermissionDeniedError: who may not.
            RateLimitedError: too often.

        """

    def check(self, principal: Principal | None, request: Any) -> None:
        """Hold a request against its caller.

        Raises:
            PermissionDeniedError: it is of another tenant or subject.

        """


class OpenEntry:
    """Lets everybody in: without certificates, or where anybody may."""

    def admit(self, _context: grpc.aio.ServicerContext) -> Principal | None:
        """Return nobody."""
        return None

    def check(self, principal: Principal | None, request: Any) -> None:
        """Do nothing."""


OPEN = OpenEntry()


class Gate:
    """The same for all RPCs of a process.

    A certificate that names a principal says who calls, whatever else they send: nobody becomes
    somebody else by a header. One that names none, such as that of an edge, and callers without
    one are who their key or token says.
    """

    def __init__(
        self,
        names: Mapping[str, Principal],
        keys: Reloadable[KeyRing],
        tokens: Reloadable[TokenReader | None],
        rate: CallRate,
        user_rate: CallRate,
    ) -> None:
        """Know the holders of certificates by `names`, their SANs, and by what these say.

        `user_rate` is that of end users, `rate` that of others.
        """
        self._names = names
        self._keys = keys
        self._tokens = tokens
        self._rate = rate
        self._user_rate = user_rate
        self._by_san: dict[bytes, Principal | None] = {}

    def entry(self, method: str) -> Entry:
        """Return how calls of an RPC, "/package.Service/Method", come in."""
        rule = RULES.get(method, _NOBODY)
        return OPEN if rule.open else _Entry(self, rule, check_of(rule))

    def principal_of(self, context: grpc.aio.ServicerContext) -> Principal:
        """Return who calls.

        Raises:
            UnauthenticatedError: nobody known.

        """
        found = self._by_certificate(context) or self._by_token(context)
        if found is None:
            raise UnauthenticatedError("the call has no credentials that hold")
        return found

    def count(self, principal: Principal) -> None:
        """Count a call of theirs; our own services have what they need.

        Raises:
            RateLimitedError: too many.

        """
        if principal.kind is Kind.END_USER:
            self._user_rate.take(principal.name)
        elif not principal.kind.is_service:
            self._rate.take(principal.name)

    def _by_certificate(self, context: grpc.aio.ServicerContext) -> Principal | None:
        # Only what was verified is there; without a SAN it would be the common name.
        if context.peer_identity_key() != _SAN:
            return None
        for san in context.peer_identities() or ():
            if san not in self._by_san:
                self._by_san[san] = self._of_san(san.decode(errors="replace"))
            if (found := self._by_san[san]) is not None:
                return found
        return None

    def _of_san(self, san: str) -> Principal | None:
        return self._names.get(san) or principal_of_uri(san)

    def _by_token(self, context: grpc.aio.ServicerContext) -> Principal | None:
        given = [
            value for key, value in context.invocation_metadata() or () if key == "authorization"
        ]
        # Two of them: whoever sits between us may look at the other.
        if len(given) != 1 or not isinstance(given[0], str):
            return None
        scheme, token = given[0][: len(_BEARER)], given[0][len(_BEARER) :]
        if scheme.lower() != _BEARER:
            return None
        if token.startswith(PREFIX):
            return self._keys.value.principal_of(token)
        tokens = self._tokens.value
        return None if tokens is None else tokens.principal_of(token)


class _Entry:
    def __init__(self, gate: Gate, rule: Rule, check: Check) -> None:
        self._gate = gate
        self._kinds = rule.kinds
        self._all_tenants = not rule.tenant
        self._check = check

    def admit(self, context: grpc.aio.ServicerContext) -> Principal | None:
        principal = self._gate.principal_of(context)
        CALLER.set(principal)
        if principal.kind not in self._kinds:
            raise PermissionDeniedError("NOT_ALLOWED", "the caller may not call this")
        if self._all_tenants and principal.tenant != ALL_TENANTS:
            raise PermissionDeniedError("NOT_ALLOWED", "the caller does not act for all tenants")
        self._gate.count(principal)
        return principal

    def check(self, principal: Principal | None, request: Any) -> None:
        if principal is not None:
            self._check(principal, request)
