"""Names in documents that are allowed, and yet most likely typos: nothing has them."""

from collections.abc import Collection


def unknown_name(field: str, kind: str, name: str, known: Collection[str]) -> str:
    """Return a warning, as "field: why"; known: the names that there are."""
    among = f", but {', '.join(sorted(known))}" if known else ""
    return f"{field}: there is no {kind} {name!r}{among}"
