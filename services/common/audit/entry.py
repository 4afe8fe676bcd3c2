"""What the audit log says of a call: one JSON object, with its keys in order."""

import hashlib
import json
import re
import ssl
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import grpc
from google.protobuf.descriptor import Descriptor
from google.protobuf.message import Message

from harken.common.v1 import subject_pb2
from services.common.access.field_path import path_of, values_at
from services.common.access.principal import Principal
from services.common.access.rules import Rule
from services.common.validation import DEFAULT_TENANT

MOST_RESOURCES = 20
"""Named of one call; their count is that of all."""
_ONLY_COUNTED = frozenset({"event_ids"})
"""Made by callers of whatever they like, such as an id of a user."""
_MOST_TEXT = 200
_TENANT = re.compile(r"[a-z0-9_-]{1,64}")

KeyOf = Callable[[str, subject_pb2.Subject], bytes]
"""Returns the stored key of a subject of a tenant. Raises ValueError for none."""


def text_of(fields: Mapping[str, Any]) -> str:
    """Return an entry as it is stored. What is empty is left out."""
    kept = {name: value for name, value in fields.items() if value not in ("", [], None)}
    return json.dumps(kept, sort_keys=True, separators=(",", ":"), ensure_ascii=True)


def caller_fields(principal: Principal | None, context: grpc.aio.ServicerContext) -> dict[str, str]:
    """Return who calls, by what certificate, from where (without the port).

    An end user has a name that tells them from others without being their id.
    """
    return {
        "kind": principal.kind.value if principal else "",
        "caller": principal.name if principal else "",
        "caller_tenant": principal.tenant if principal else "",
        "certificate": _fingerprint(context),
        "peer": str(context.peer()).rpartition(":")[0],
    }


def request_fields(rule: Rule, request: Message, key_of: KeyOf) -> dict[str, Any]:
    """Return what a request is about.

    A digest of what names a user would tell whoever guesses the request: there is none of those.
    """
    tenants = [one for one in values_at(request, path_of(rule.tenant)) if isinstance(one, str)]
    tenant = plain_tenant(tenants[0] if tenants else "")
    named, count = [], 0
    for path in rule.resources:
        for value in values_at(request, path_of(path)):
            text = _name(tenant, value, key_of)
            if text and path not in _ONLY_COUNTED and count < MOST_RESOURCES:
                named.append(text)
            count += bool(text)
    digest = hashlib.sha256(request.SerializeToString(deterministic=True)).hexdigest()
    return {
        "tenant": tenant,
        "resources": named,
        "resource_count": count,
        "request_sha256": "" if names_users(request) else digest,
    }


def plain_tenant(tenant: str) -> str:
    """Return a tenant as it is named; empty when it is none."""
    named = tenant or DEFAULT_TENANT
    return named if _TENANT.fullmatch(named) else ""


def names_users(request: Message) -> bool:
    """Return whether messages of this type may name a user, at any depth."""
    subject: Any = subject_pb2.Subject.DESCRIPTOR
    descriptor: Any = request.DESCRIPTOR
    return any(one is subject for one in _messages(descriptor, set()))


def _messages(descriptor: Descriptor, seen: set[str]) -> Iterator[Descriptor]:
    if descriptor.full_name in seen:
        return
    seen.add(descriptor.full_name)
    yield descriptor
    for field in descriptor.fields:
        if field.message_type is not None:
            yield from _messages(field.message_type, seen)


def _name(tenant: str, value: Any, key_of: KeyOf) -> str:
    if isinstance(value, subject_pb2.Subject):
        try:
            return f"user:{key_of(tenant, value).hex()}"
        except ValueError:
            return ""
    return str(value)[:_MOST_TEXT]


def _fingerprint(context: grpc.aio.ServicerContext) -> str:
    """Return the SHA-256 of the certificate that was shown, as others print it; empty for none."""
    for shown in context.auth_context().get("x509_pem_cert", ()):
        return hashlib.sha256(ssl.PEM_cert_to_DER_cert(shown.decode())).hexdigest()
    return ""
