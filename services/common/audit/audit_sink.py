"""Where administrative calls are written down; `audit_log` is one. The ranker has none."""

from collections.abc import Mapping
from typing import Any, Protocol

from services.common.audit.entry import KeyOf


class AuditSink(Protocol):
    """Takes entries. `key_of` makes the stored keys of users."""

    key_of: KeyOf

    async def append(self, fields: Mapping[str, Any]) -> None:
        """Write an entry.

        Raises:
            StoreUnavailableError: it cannot be written.

        """

    async def append_late(self, fields: Mapping[str, Any]) -> None:
        """Write an entry of what cannot be refused any more, if that can be done."""
