"""Tokens of the next page of a slate: what was on the pages before, and what chance went by."""

import base64
import zlib
from typing import NamedTuple

from services.common.validation import Checks, id_fault

MAX_ITEMS = 1000
_MAX_BYTES = 64 * 1024
_MAX_UNPACKED = 256 * 1024
_SEED_BYTES = 8
_PLAIN = b"\0"
"""Before what is not packed: no packed text begins with it."""
_WORTH_PACKING = 512
"""Bytes; below, packing takes longer than reading what it saves."""


class Page(NamedTuple):
    """A seed, and the items of the pages before, in order."""

    seed: int
    item_ids: tuple[str, ...]


def encode_page(page: Page) -> str:
    """Return the token of the page after these; empty where there are MAX_ITEMS already, or it
    would be longer than a text of a request may be.
    """
    if len(page.item_ids) >= MAX_ITEMS:
        return ""
    text = page.seed.to_bytes(_SEED_BYTES, "little") + "\0".join(page.item_ids).encode()
    packed = zlib.compress(text, 1) if len(text) > _WORTH_PACKING else _PLAIN + text
    token = base64.urlsafe_b64encode(packed).decode()
    return token if len(token) <= _MAX_BYTES else ""


def decode_page(checks: Checks, token: str) -> Page | None:
    """Return what a token says; None, and a fault, where it is none of ours."""
    text = _unpacked(token)
    seed, item_ids = text[:_SEED_BYTES], _item_ids(text[_SEED_BYTES:])
    if not 1 <= len(item_ids) <= MAX_ITEMS or any(map(id_fault, item_ids)):
        checks.fail("page_token", "is not a token of a page before")
        return None
    return Page(int.from_bytes(seed, "little"), item_ids)


def _unpacked(token: str) -> bytes:
    """Return what was packed, up to a size; nothing where it was not."""
    if len(token) > _MAX_BYTES:
        return b""
    reader = zlib.decompressobj()
    try:
        packed = base64.b64decode(token, b"-_", validate=True)
        if packed.startswith(_PLAIN):
            return packed.removeprefix(_PLAIN)
        text = reader.decompress(packed, _MAX_UNPACKED)
    except (ValueError, zlib.error):
        return b""
    return text if reader.eof else b""


def _item_ids(text: bytes) -> tuple[str, ...]:
    try:
        return tuple(text.decode().split("\0"))
    except UnicodeDecodeError:
        return ()
