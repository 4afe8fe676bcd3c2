"""Tokens of the next page of a slate: what was on the pages before, and what chance went by."""

import base64
import struct
import zlib
from typing import NamedTuple

from services.common.validation import Checks, id_fault

MAX_ITEMS = 1000
_MAX_BYTES = 256 * 1024
_MAX_TOKEN = 256 * 1024


class Page(NamedTuple):
    """A seed, and the items of the pages before, in order."""

    seed: int
    item_ids: tuple[str, ...]


def encode_page(page: Page) -> str:
    """Return the token of the page after these; empty where there are MAX_ITEMS already."""
    if len(page.item_ids) >= MAX_ITEMS:
        return ""
    text = struct.pack("<Q", page.seed) + "\0".join(page.item_ids).encode()
    return base64.urlsafe_b64encode(zlib.compress(text)).decode()


def decode_page(checks: Checks, token: str) -> Page | None:
    """Return what a token says; None, and a fault, where it is none of ours."""
    try:
        if len(token) > _MAX_TOKEN:
            raise ValueError("is too long")
        reader = zlib.decompressobj()
        text = reader.decompress(base64.b64decode(token, b"-_", validate=True), _MAX_BYTES)
        if not reader.eof or len(text) < 8:
            raise ValueError("is cut")
        (seed,) = struct.unpack("<Q", text[:8])
        item_ids = tuple(text[8:].decode().split("\0"))
    except (ValueError, zlib.error):
        item_ids = ()
    if not 1 <= len(item_ids) <= MAX_ITEMS or any(map(id_fault, item_ids)):
        checks.fail("page_token", "is not a token of a page before")
        return None
    return Page(seed, item_ids)
