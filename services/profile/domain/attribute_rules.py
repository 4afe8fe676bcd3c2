"""Rules for updates of what is known of a user: masks, and etags of revisions."""

from collections.abc import Sequence

_ALL = "attributes"
_ONE = "attributes."
_CONSENT = "consent"
_PURPOSES = ("personalisation", "learning", "exploration", "export")
"""Fields of harken.common.v1.Consent."""


def mask_fault(path: str) -> str | None:
    """Return what is wrong with a path of an update mask, or None."""
    if path == _ALL or (path.startswith(_ONE) and len(path) > len(_ONE)):
        return None
    if path in (_CONSENT, *(f"{_CONSENT}.{purpose}" for purpose in _PURPOSES)):
        return None
    return (
        'must be "attributes" or "attributes." with a name, or "consent" or "consent." with one of'
        f" {', '.join(_PURPOSES)}"
    )


def replaces_all(paths: Sequence[str]) -> bool:
    """Return whether an update with a mask replaces all attributes; no path means so too."""
    return not paths or _ALL in paths


def named_attributes(paths: Sequence[str]) -> list[str]:
    """Return the attributes that a mask names, each once, beside "attributes" for all."""
    named = (path.removeprefix(_ONE) for path in paths if path.startswith(_ONE))
    return list(dict.fromkeys(named))


def named_purposes(paths: Sequence[str]) -> list[str]:
    """Return the purposes of consent that a mask names."""
    if _CONSENT in paths:
        return list(_PURPOSES)
    return [purpose for purpose in _PURPOSES if f"{_CONSENT}.{purpose}" in paths]


def etag_of(revision: int) -> str:
    """Return the etag of a revision; empty when no attribute was ever set."""
    return f"{revision:x}" if revision else ""
