"""Holds a request against its caller: the tenant, the subject, the name of a subscriber."""

from collections.abc import Callable
from typing import Any

from services.common.access.field_path import path_of, values_at
from services.common.access.principal import Kind, Principal
from services.common.access.rules import SUBSCRIBERS, Rule
from services.common.errors import PermissionDeniedError

Check = Callable[[Principal, Any], None]
"""Raises PermissionDeniedError. It asks nobody what there is, so it cannot tell."""


def check_of(rule: Rule) -> Check:
    """Return what holds the requests of an RPC against their callers."""
    tenant, subjects = path_of(rule.tenant), path_of(rule.subjects)
    subscriber, operators_only = path_of(rule.subscriber), path_of(rule.operators_only)

    def check(principal: Principal, request: Any) -> None:
        for value in values_at(request, tenant):
            if not principal.acts_in(value):
                raise PermissionDeniedError("OTHER_TENANT", "the tenant is not the caller's")
        if principal.kind is Kind.END_USER:
            for subject in values_at(request, subjects):
                if not _is(principal, subject):
                    raise PermissionDeniedError("OTHER_SUBJECT", "the subject is not the caller")
        if principal.kind is not Kind.OPERATOR and any(values_at(request, operators_only)):
            raise PermissionDeniedError(
                "OPERATORS_ONLY", f"only operators may set {rule.operators_only}"
            )
        if principal.kind in SUBSCRIBERS:
            own = SUBSCRIBERS[principal.kind]
            for name in values_at(request, subscriber):
                if name != own and not name.startswith(f"{own}-"):
                    raise PermissionDeniedError(
                        "OTHER_SUBSCRIBER", "the name of the subscriber is not the caller's"
                    )

    return check


def _is(principal: Principal, subject: Any) -> bool:
    """Return whether a subject is an end user, by the kind that is set: names are apart."""
    kind = subject.WhichOneof("kind")
    own = {"user_id": principal.user_id, "session_id": principal.session_id}.get(kind or "", "")
    return bool(own) and getattr(subject, kind) == own
