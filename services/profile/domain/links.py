"""Who is merged into whom: what a merge, and taking it back, makes of the links that there are.

Links are flat: each names the user that somebody is, beside whom they were merged into, which may
be merged itself. So a read looks up one link, and taking a merge back knows what follows.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

MAX_MERGED = 1000
"""Merged into one user."""


class Link(NamedTuple):
    """Somebody is a user (`into`), as they were merged into one (`direct`)."""

    into: bytes
    direct: bytes


class MergedAlreadyError(Exception):
    """`key` is merged into another user."""

    def __init__(self, key: bytes) -> None:
        super().__init__(key)
        self.key = key


class MergeCycleError(Exception):
    """The user is merged into one of those that are to be merged into it."""


class TooManyMergedError(Exception):
    """The user would have too many."""


def merged(
    links: Mapping[bytes, Link], into: bytes, keys: Sequence[bytes]
) -> tuple[bytes, dict[bytes, Link]]:
    """Return the user that `keys` become by a merge into `into`, and the links that change.

    links: of all of them, and of all who are the same user as one of them.

    Raises:
        MergedAlreadyError, MergeCycleError, TooManyMergedError: nothing may change.

    """
    root = links[into].into if into in links else into
    changed: dict[bytes, Link] = {}
    for key in keys:
        if key == root:
            raise MergeCycleError
        if key not in links:
            changed[key] = Link(root, into)
            followers = [one for one, link in links.items() if link.into == key]
            changed |= {one: Link(root, links[one].direct) for one in followers}
        elif links[key].into != root:
            raise MergedAlreadyError(key)
    if len(changed) + sum(link.into == root for link in links.values()) > MAX_MERGED:
        raise TooManyMergedError
    return root, changed


def unmerged(links: Mapping[bytes, Link], keys: Collection[bytes]) -> dict[bytes, Link | None]:
    """Return the links that change when `keys` are by themselves again; None: there is none more.

    links: of all of them who are merged, and of all who are the same user as one of them.
    """
    left = {key: link for key, link in links.items() if key not in keys}
    changed: dict[bytes, Link | None] = {key: None for key in keys if key in links}
    for key, link in left.items():
        top = link.direct
        while top in left:
            top = left[top].direct
        if top != link.into:
            changed[key] = Link(top, link.direct)
    return changed
