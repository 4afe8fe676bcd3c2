"""Receipts of erasures: signed by the key of a file, and no longer once anything is changed."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from harken.profile.v1 import erasure_pb2
from services.common.receipts import ReceiptSigner, is_signed, make_receipt_key, receipt_key

NOW = datetime(2026, 11, 29, tzinfo=UTC)


def test_a_receipt_is_signed_by_the_key_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "receipt-key.pem"
    make_receipt_key(path)
    before = path.read_bytes()
    make_receipt_key(path)
    assert path.read_bytes() == before
    assert path.stat().st_mode & 0o077 == 0
    signer = ReceiptSigner("profile", receipt_key(path), "host/1")
    receipt = signer.signed("e-1", {"histories": 2}, b"p", NOW)
    assert is_signed(receipt)
    public = load_pem_public_key(path.with_suffix(".pub").read_bytes())
    assert isinstance(public, Ed25519PublicKey)
    # The oracle: the library itself, by the public file alone.
    public.verify(receipt.signature, receipt.statement)
    assert receipt.public_key == public.public_bytes_raw()
    said = erasure_pb2.ErasureStatement.FromString(receipt.statement)
    assert (said.component, said.instance, said.erasure_id) == ("profile", "host/1", "e-1")
    assert dict(said.counts) == {"histories": 2}
    receipt.statement += b"\x00"
    assert not is_signed(receipt)


def test_without_a_key_it_is_not_signed(tmp_path: Path) -> None:
    receipt = ReceiptSigner("log", receipt_key(None)).signed("e-1", {}, b"", NOW)
    assert not receipt.signature
    assert not is_signed(receipt)
    (tmp_path / "no.pem").write_text("nothing")
    with pytest.raises(ValueError, match=r"."):
        receipt_key(tmp_path / "no.pem")
