"""Holds a request against its caller: the tenant, the subject, the name of a subscriber."""

from collections.abc import Callable, Iterator
from typing import Any

from services.common.access.principal import Kind, Principal
from services.common.access.rules import SUBSCRIBERS, Rule
from services.common.errors import PermissionDeniedError

Check = Callable[[Principal, Any], None]
"""Raises PermissionDeniedError. It asks nobody what there is, so it cannot tell."""


def check_of(rule: Rule) -> Check:
    """Return what holds the requests of an RPC against their callers."""
    tenant, subjects = _path(rule.tenant), _path(rule.subjects)
    subscriber, operators_only = _path(rule.subscriber), _path(rule.operators_only)

    def check(principal: Principal, request: Any) -> None:
        for value in _values(request, tenant):
            if not principal.acts_in(value):
                raise PermissionDeniedError("OTHER_TENANT", "the tenant is not the caller's")
        if principal.kind is Kind.END_USER:
            for subject in _values(request, subjects):
                if not _is(principal, subject):
                    raise PermissionDeniedError("OTHER_SUBJECT", "the subject is not the caller")
        if principal.kind is not Kind.OPERATOR and any(_values(request, operators_only)):
            raise PermissionDeniedError(
                "OPERATORS_ONLY", f"only operators may set {rule.operators_only}"
            )
        if principal.kind in SUBSCRIBERS:
            own = SUBSCRIBERS[principal.kind]
            for name in _values(request, subscriber):
                if name != own and not name.startswith(f"{own}-"):
                    raise PermissionDeniedError(
                        "OTHER_SUBSCRIBER", "the name of the subscriber is not the caller's"
                    )

    return check


def _path(text: str) -> tuple[str, ...]:
    return tuple(text.split(".")) if text else ()


def _is(principal: Principal, subject: Any) -> bool:
    """Return whether a subject is an end user, by the kind that is set: names are apart."""
    kind = subject.WhichOneof("kind")
    own = {"user_id": principal.user_id, "session_id": principal.session_id}.get(kind or "", "")
    return bool(own) and getattr(subject, kind) == own


def _values(message: Any, path: tuple[str, ...]) -> Iterator[Any]:
    """Yield what stands at a path; nothing where a message on the way is not set."""
    if not path:
        return
    first, rest = path[0], path[1:]
    field = message.DESCRIPTOR.fields_by_name[first]
    value = getattr(message, first)
    if field.is_repeated:
        for one in value:
            yield from _values(one, rest) if rest else (one,)
    elif not rest:
        yield value
    elif message.HasField(first):
        yield from _values(value, rest)
