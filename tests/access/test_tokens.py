"""Tokens: those that hold, those that are forged, and keys that are replaced."""

import json
import time

import pytest

from services.common.access.principal import Kind
from services.common.access.tokens import TokenReader, Trust, read_jwks
from tests.access.tokens import AUDIENCE, ISSUER, Issuer

TRUST = Trust(ISSUER, AUDIENCE)


@pytest.fixture(scope="module")
def issuer() -> Issuer:
    return Issuer()


def reader(issuer: Issuer, later: float = 0.0) -> TokenReader:
    keys = read_jwks([json.dumps(issuer.jwks()).encode()])
    return TokenReader(keys, TRUST, lambda: time.time() + later)


@pytest.mark.parametrize("kid", ["rsa", "elliptic"])
def test_a_token_says_who_its_holder_is(issuer: Issuer, kid: str) -> None:
    found = reader(issuer).principal_of(issuer.token(kid, harken_session="s"))
    assert found is not None
    assert (found.kind, found.tenant, found.user_id, found.session_id) == (
        Kind.END_USER, "a", "ann", "s",
    )  # fmt: skip
    assert "ann" not in found.name


def test_forged_and_outdated_tokens_say_nothing(issuer: Issuer) -> None:
    held = reader(issuer)
    forged = issuer.forged()
    assert len(forged) >= 20
    assert {name for name, token in forged.items() if held.principal_of(token)} == set()


def test_a_token_that_is_known_expires_all_the_same(issuer: Issuer) -> None:
    token, now = issuer.token(exp=int(time.time()) + 60), time.time
    later = 0.0
    keys = read_jwks([json.dumps(issuer.jwks()).encode()])
    held = TokenReader(keys, TRUST, lambda: now() + later)
    assert held.principal_of(token) is not None
    later = 120.0
    assert held.principal_of(token) is None


def test_a_set_without_a_usable_key_is_refused(issuer: Issuer) -> None:
    weak = [one for one in issuer.jwks()["keys"] if one["kid"] in ("weak", "shared")]
    for content in (b"", b"{}", b"[]", b'{"keys": [1]}', json.dumps({"keys": weak}).encode()):
        with pytest.raises(ValueError, match=r"JWK|key of"):
            read_jwks([content])


def test_of_an_empty_set_no_token_holds(issuer: Issuer) -> None:
    keys = read_jwks([b'{"keys": []}'])
    assert not keys
    assert TokenReader(keys, TRUST).principal_of(issuer.token()) is None
