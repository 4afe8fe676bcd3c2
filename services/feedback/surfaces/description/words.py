"""Numbers and lists as sentences have them."""

from collections.abc import Sequence


def counted(count: int, what: str) -> str:
    """Return "1 item", "2 items"."""
    return f"{count:,} {what}" if count == 1 else f"{count:,} {what}s"


def joined(parts: Sequence[str]) -> str:
    """Return "a, b and c"."""
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


def percent(share: float) -> str:
    """Return a share (0 to 1) in percent, of tiny ones two digits."""
    return f"{share * 100:.3g}%"


def number(value: float) -> str:
    """Return a number without what says nothing."""
    return f"{value:.6g}"


def quoted(text: str) -> str:
    """Return an expression or an id on one line, in quotation marks."""
    return '"' + " ".join(text.split()) + '"'
