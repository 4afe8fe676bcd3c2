"""Stored keys: the ids without a secret, and with one what nobody turns back."""

import hashlib
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harken.common.v1 import subject_pb2
from services.common.user_key import Pseudonyms, is_pseudonym, named_subject, plain_subject

SECRET, OTHER = bytes(range(32)), bytes(range(32, 64))
NAMES = st.text(st.characters(codec="utf-8", categories=["L", "N", "P"]), min_size=1, max_size=60)
TENANTS = st.from_regex(r"[a-z0-9_-]{1,64}", fullmatch=True)


@st.composite
def subjects(draw: st.DrawFn) -> subject_pb2.Subject:
    name = draw(NAMES)
    if draw(st.booleans()):
        return subject_pb2.Subject(user_id=name)
    return subject_pb2.Subject(session_id=name)


@given(TENANTS, subjects())
def test_without_a_secret_the_key_names_the_subject(
    tenant: str, subject: subject_pb2.Subject
) -> None:
    key = Pseudonyms().key_of(tenant, subject)
    assert plain_subject(key) == subject
    assert not is_pseudonym(key) or len(key) == 18
    assert Pseudonyms().check_value == b""


@given(TENANTS, subjects())
def test_with_a_secret_it_is_the_hmac_that_the_standard_library_makes(
    tenant: str, subject: subject_pb2.Subject
) -> None:
    kind = b"U" if subject.user_id else b"S"
    name = (subject.user_id or subject.session_id).encode()
    text = b"harken stored key of an id\0" + tenant.encode() + b"\0" + kind + name
    digest = hmac.digest(SECRET, text, hashlib.sha256)[:16]
    key = Pseudonyms([SECRET]).key_of(tenant, subject)
    assert key == kind + b"\1" + digest
    assert is_pseudonym(key)
    assert named_subject(key, name.decode()) == subject
    # A second version follows from the first alone.
    again = hmac.digest(
        OTHER,
        b"harken stored key of a stored key\0" + tenant.encode() + b"\0" + key,
        hashlib.sha256,
    )
    assert Pseudonyms([SECRET, OTHER]).key_of(tenant, subject) == kind + b"\2" + again[:16]


@given(TENANTS, TENANTS, subjects(), subjects())
def test_other_subjects_tenants_and_secrets_have_other_keys(
    tenant: str, other: str, subject: subject_pb2.Subject, another: subject_pb2.Subject
) -> None:
    """Nothing of one tenant shows in another (truth 15)."""
    pseudonyms = Pseudonyms([SECRET])
    key = pseudonyms.key_of(tenant, subject)
    assert (pseudonyms.key_of(other, subject) == key) == (tenant == other)
    assert (pseudonyms.key_of(tenant, another) == key) == (subject == another)
    assert Pseudonyms([OTHER]).key_of(tenant, subject) != key
    name = (subject.user_id or subject.session_id).encode()
    assert name not in key or len(name) < 3


def test_check_values_tell_secrets_apart() -> None:
    checks = {Pseudonyms(secrets).check_value for secrets in ([], [SECRET], [OTHER])}
    assert len(checks | {Pseudonyms([SECRET, OTHER]).check_value}) == 4
    assert not any(SECRET[:8] in check for check in checks)


def test_a_short_secret_is_refused() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        Pseudonyms([b"short"])
