"""What hides or shows items before the parameters lane says it: newer than the catalogue of frames.

Entries of the log act at once, frames bring the same somewhat later. An entry counts while frames
are before its sequence, whatever they say of its item, and is dropped once they are past it. It
only counts for items that frames list: what is new, or was deleted, comes by them.
"""

from dataclasses import dataclass

from services.feed.entries import ItemVisibility

_NEVER = float("inf")


@dataclass(frozen=True, slots=True)
class Visible:
    """Whether an item is listed and available as of a sequence; expires_at: unix seconds."""

    sequence: int
    listed: bool
    available: bool
    expires_at: float

    @property
    def plain(self) -> bool:
        """Whether nothing hides the item."""
        return self.listed and self.available and self.expires_at == _NEVER


class Overlay:
    """The entries of one tenant that are newer than its frames, by item id."""

    def __init__(self) -> None:
        self.items: dict[str, Visible] = {}
        self.revision = 0
        """Changes whenever anything in it does."""

    def put(self, item_id: str, visible: Visible) -> None:
        """Take the newest entry of an item."""
        self.items[item_id] = visible
        self.revision += 1

    def drop_through(self, sequence: int) -> None:
        """Drop entries that frames reflect."""
        if not self.items:
            return
        left = {name: one for name, one in self.items.items() if one.sequence > sequence}
        if len(left) < len(self.items):
            self.items = left
            self.revision += 1


class Overlays:
    """Those of all tenants. They outlive replicas: a snapshot replaces these, and not the log."""

    def __init__(self) -> None:
        self._tenants: dict[str, Overlay] = {}
        self.through = 0
        """The latest sequence of frames that was heard of: earlier entries are not here."""

    def of(self, tenant: str) -> Overlay:
        """Return the overlay of a tenant."""
        overlay = self._tenants.get(tenant)
        if overlay is None:
            overlay = self._tenants[tenant] = Overlay()
        return overlay

    def folded_through(self, sequence: int) -> None:
        """Take note that frames reflect the log up to a sequence."""
        self.through = max(self.through, sequence)
        for overlay in self._tenants.values():
            overlay.drop_through(sequence)

    def forget(self) -> None:
        """Drop everything: what was taken is not part of the log."""
        self.through = 0
        for overlay in self._tenants.values():
            overlay.drop_through(2**63)


def visible_at(items: ItemVisibility, row: int) -> Visible:
    """Return what a row says."""
    expires_at_us = int(items.expires_at_us[row])
    return Visible(
        int(items.sequences[row]),
        bool(items.listed[row]),
        bool(items.available[row]),
        expires_at_us / 1e6 if expires_at_us else _NEVER,
    )
