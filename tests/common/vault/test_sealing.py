"""What is sealed is read with its key, in its place and unchanged, or not at all."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.common.vault.key_file import (
    Purpose,
    new_keys,
    read_key_file,
    write_key_file,
)
from services.common.vault.master_keys import MasterKeys, WrongMasterKeyError, wrapped_version
from services.common.vault.sealing import BrokenSealError, SealPurpose, UserSecret

ALICE, BOB = b"U\1" + bytes(16), b"U\1" + b"\1" * 16
PLAIN = st.binary(max_size=300)


@given(PLAIN, st.sampled_from(SealPurpose))
def test_what_was_sealed_comes_back(plain: bytes, purpose: SealPurpose) -> None:
    secret = UserSecret.new()
    sealed = secret.seal("a", ALICE, purpose, plain)
    assert secret.unseal("a", ALICE, purpose, sealed) == plain
    # Never the same twice, so nobody sees that two values are equal.
    assert secret.seal("a", ALICE, purpose, plain) != sealed
    if len(plain) > 3:
        assert plain not in sealed


@given(PLAIN, st.data())
def test_a_change_of_any_byte_is_refused(plain: bytes, data: st.DataObject) -> None:
    secret = UserSecret.new()
    sealed = bytearray(secret.seal("a", ALICE, SealPurpose.CONTEXT, plain))
    # The four bytes that name the key only say whose it is.
    places = [place for place in range(len(sealed)) if not 1 <= place < 5]
    place = data.draw(st.sampled_from(places))
    sealed[place] ^= data.draw(st.integers(1, 255))
    with pytest.raises(BrokenSealError):
        secret.unseal("a", ALICE, SealPurpose.CONTEXT, bytes(sealed))
    with pytest.raises(BrokenSealError):
        secret.unseal("a", ALICE, SealPurpose.CONTEXT, bytes(sealed[:place]))


@pytest.mark.parametrize(
    ("tenant", "user_key", "purpose"),
    [
        ("b", ALICE, SealPurpose.CONTEXT),
        ("a", BOB, SealPurpose.CONTEXT),
        ("a", ALICE, SealPurpose.ATTRIBUTES),
    ],
)
def test_nothing_is_read_in_another_place(
    tenant: str, user_key: bytes, purpose: SealPurpose
) -> None:
    secret = UserSecret.new()
    sealed = secret.seal("a", ALICE, SealPurpose.CONTEXT, b"red")
    with pytest.raises(BrokenSealError):
        secret.unseal(tenant, user_key, purpose, sealed)


def test_another_key_of_the_user_is_told_from_a_broken_seal() -> None:
    first, second = UserSecret.new(), UserSecret.new()
    sealed = first.seal("a", ALICE, SealPurpose.NAME, b"alice")
    assert first.sealed(sealed)
    assert not second.sealed(sealed)


def test_keys_of_users_are_unwrapped_by_the_version_that_wrapped_them() -> None:
    file = new_keys(Purpose.VAULT)
    old, both = MasterKeys(file), MasterKeys(file.with_new())
    secret = UserSecret.new()
    wrapped = old.wrap("a", ALICE, secret)
    assert secret.key not in wrapped
    assert both.unwrap("a", ALICE, wrapped) == secret
    newer = both.wrap("a", ALICE, secret)
    assert both.unwrap("a", ALICE, newer) == secret
    with pytest.raises(WrongMasterKeyError, match="version 2 of the master key is needed"):
        old.unwrap("a", ALICE, newer)
    for tenant, user_key in (("b", ALICE), ("a", BOB)):
        with pytest.raises(WrongMasterKeyError):
            both.unwrap(tenant, user_key, wrapped)
    with pytest.raises(WrongMasterKeyError, match="another one"):
        MasterKeys(new_keys(Purpose.VAULT)).unwrap("a", ALICE, wrapped)


def test_a_key_wraps_when_its_time_has_come() -> None:
    file = new_keys(Purpose.VAULT).with_new(since=1000)
    now = 999.0
    keys = MasterKeys(file, lambda: now)
    early = keys.wrap("a", ALICE, UserSecret.new())
    assert (keys.version, wrapped_version(early)) == (1, 1)
    now = 1000.0
    late = keys.wrap("a", ALICE, UserSecret.new())
    assert (keys.version, wrapped_version(late)) == (2, 2)
    assert keys.unwrap("a", ALICE, early) != keys.unwrap("a", ALICE, late)
    with pytest.raises(WrongMasterKeyError, match="version 1"):
        MasterKeys(file.without(1)).unwrap("a", ALICE, early)


def test_files_hold_what_was_written_for_one_purpose_only(tmp_path: Path) -> None:
    path = tmp_path / "vault.json"
    file = new_keys(Purpose.VAULT).with_new()
    write_key_file(path, file)
    assert path.stat().st_mode & 0o077 == 0
    assert read_key_file(Purpose.VAULT, path) == file
    with pytest.raises(RuntimeError, match="for pseudonyms"):
        read_key_file(Purpose.PSEUDONYMS, path)
    with pytest.raises(RuntimeError, match="cannot read"):
        read_key_file(Purpose.VAULT, tmp_path / "none.json")


@pytest.mark.parametrize(
    "content",
    ["", "[]", "{}", '{"purpose": "vault"}', '{"purpose": "vault", "keys": []}',
     '{"purpose": "vault", "keys": [{"version": 0, "key": ""}]}',
     '{"purpose": "vault", "keys": [{"version": 1, "key": "c2hvcnQ="}]}',
     '{"purpose": "vault", "keys": [{"version": 1, "key": "no base64!"}]}'],
)  # fmt: skip
def test_wrong_files_are_refused_without_being_shown(tmp_path: Path, content: str) -> None:
    path = tmp_path / "vault.json"
    path.write_text(content)
    with pytest.raises(RuntimeError) as error:
        read_key_file(Purpose.VAULT, path)
    assert "c2hvcnQ" not in str(error.value)
