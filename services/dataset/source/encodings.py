"""How the text of a file is encoded, by its first bytes."""

import codecs
from dataclasses import dataclass

from services.dataset.faults import SourceError

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig", "UTF-8"),
    # Longer marks first: that of UTF-32 begins with that of UTF-16.
    (codecs.BOM_UTF32_LE, "utf-32", "UTF-32"),
    (codecs.BOM_UTF32_BE, "utf-32", "UTF-32"),
    (codecs.BOM_UTF16_LE, "utf-16", "UTF-16"),
    (codecs.BOM_UTF16_BE, "utf-16", "UTF-16"),
)


@dataclass(frozen=True, slots=True)
class Encoding:
    """A codec of Python, and a sentence where it is worth one."""

    codec: str
    note: str = ""


def encoding_of(head: bytes, given: str | None) -> Encoding:
    """Return the encoding of a file that begins with `head`; `given` wins.

    Raises:
        SourceError: there is no encoding called as given.

    """
    if given is not None:
        try:
            name = codecs.lookup(given).name
            # Not one that is between other things than text and bytes, such as base64.
            b"a".decode(name, "replace")
        except (LookupError, UnicodeError, ValueError):
            raise SourceError(f"there is no encoding {given!r}; one is latin-1") from None
        # A mark that says the same is no part of the text.
        return Encoding({"utf-8": "utf-8-sig"}.get(name, name))
    for mark, codec, name in _MARKS:
        if head.startswith(mark):
            return Encoding(codec, "" if name == "UTF-8" else f"read as {name}")
    # Text has no zero bytes but in the halves of UTF-16.
    even, odd = head[0::2].count(0), head[1::2].count(0)
    half = len(head) // 4
    if odd > half and even == 0:
        return Encoding("utf-16-le", "read as UTF-16 (little endian)")
    if even > half and odd == 0:
        return Encoding("utf-16-be", "read as UTF-16 (big endian)")
    return Encoding("utf-8")


def guess_of(raw: bytes) -> str:
    """Return what text that is no UTF-8 may be: a name for --encoding."""
    high = {byte for byte in raw if byte >= 0x80}
    # Of 0x80 to 0x9f Latin-1 has control characters, Windows quotes and dashes.
    return "windows-1252" if any(byte < 0xA0 for byte in high) else "latin-1"
