"""What makes a suite one that speaks TLS: certificates of all its processes."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from services.common.access.api_keys import create_key, write_keys
from tests.access.authority import Authority

KINDS = ("feedback", "profile", "ranker")


def secure_options(folder: Path, authority: Authority) -> Mapping[str, Any]:
    """Return options of SuiteConfig: certificates in `folder`, and the identity of an operator.

    Each process has a port for tokens, and a file of keys.
    """
    environment = {}
    for kind in KINDS:
        own = folder / kind
        own.mkdir(parents=True)
        authority.leaf(f"spiffe://harken/service/{kind}", serves=True).write(own)
        (own / "ca.crt").write_bytes(authority.pem)
        write_keys(own / "keys.json", [])
        settings = {
            "TLS_CERTIFICATE_FILE": own / "tls.crt",
            "TLS_KEY_FILE": own / "tls.key",
            "TLS_CA_FILE": own / "ca.crt",
            "KEYS_FILE": own / "keys.json",
            "HEALTH_LISTEN": "127.0.0.1:0",
            "TOKEN_LISTEN": "127.0.0.1:0",
        }
        environment[kind] = {f"HARKEN_{kind.upper()}_{key}": str(v) for key, v in settings.items()}
    return {
        "environment": environment,
        "identity": authority.identity("spiffe://harken/operator/%2A"),
    }


def keyed(folder: Path, principal: str) -> str:
    """Give all processes a key, beside none other, and return it."""
    kept, shown = create_key(principal, 1.0, "", time.time())
    for kind in KINDS:
        write_keys(folder / kind / "keys.json", [kept])
    return shown
