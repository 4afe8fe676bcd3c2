"""Rules for attributes of a user: update masks, the limit of their size, etags of revisions."""

from collections.abc import Sequence

_ALL = "attributes"
_ONE = "attributes."


def mask_fault(path: str) -> str | None:
    """Return what is wrong with a path of an update mask, or None."""
    if path == _ALL or (path.startswith(_ONE) and len(path) > len(_ONE)):
        return None
    return 'must be "attributes" or "attributes." with a name'


def replaces_all(paths: Sequence[str]) -> bool:
    """Return whether an update with a mask replaces all attributes; no path means so too."""
    return not paths or _ALL in paths


def named_attribute(path: str) -> str:
    """Return the attribute that a path other than "attributes" names."""
    return path.removeprefix(_ONE)


def etag_of(revision: int) -> str:
    """Return the etag of a revision; empty when no attribute was ever set."""
    return f"{revision:x}" if revision else ""
