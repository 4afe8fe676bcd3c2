"""Which API keys a process takes is in the audit log: at its start, and when the file changes."""

import asyncio
import hashlib
from collections.abc import Iterator, Mapping, Sequence

from services.common.access.api_keys import ApiKey
from services.common.audit.audit_sink import AuditSink
from services.common.audit.entry import MOST_RESOURCES
from services.common.errors import StoreUnavailableError
from services.common.reloadable import Reloadable

_RETRY_SECONDS = 5.0
_NAME = "keys_file"

_Keys = Mapping[str, ApiKey]


async def note_key_changes(keys: Reloadable[Sequence[ApiKey]], log: AuditSink) -> None:
    """Write down the keys there are, and each change, until cancelled.

    Whoever replaces the file is not known here; that it was replaced, and by what, is. What changed
    while no process ran shows as another digest.
    """
    changed = asyncio.Event()
    keys.on_change(changed.set)
    known: _Keys | None = None
    while True:
        changed.clear()
        now = {one.key_id: one for one in keys.value}
        said = [] if known is None else list(_changes(known, now))
        if known is None or said:
            await _append(log, now, said)
        known = now
        await changed.wait()


async def _append(log: AuditSink, now: _Keys, said: Sequence[str]) -> None:
    parts = "\n".join(
        f"{one.key_id} {one.principal} {one.sha256} {one.expires_at} {one.revoked_at}"
        for _, one in sorted(now.items())
    )
    entry = {
        "phase": "noted",
        "rpc": _NAME,
        "resources": list(said[:MOST_RESOURCES]),
        "resource_count": len(said) or len(now),
        "request_sha256": hashlib.sha256(parts.encode()).hexdigest(),
    }
    while True:
        try:
            return await log.append(entry)
        except StoreUnavailableError:
            await asyncio.sleep(_RETRY_SECONDS)


def _changes(known: _Keys, now: _Keys) -> Iterator[str]:
    for key_id in sorted({*known, *now}):
        before, after = known.get(key_id), now.get(key_id)
        if after is None and before is not None:
            yield f"removed key:{key_id} {before.principal}"
        elif after is not None and before is None:
            yield f"created key:{key_id} {after.principal}"
        elif before is not None and after is not None and before != after:
            word = "revoked" if after.revoked_at and not before.revoked_at else "changed"
            yield f"{word} key:{key_id} {after.principal}"
