"""Ids of slates."""

import os
import time
import uuid


def new_slate_id() -> str:
    """Return a unique id that sorts by the millisecond it was made in (UUIDv7, RFC 9562)."""
    milliseconds = time.time_ns() // 1_000_000
    noise = int.from_bytes(os.urandom(10))
    value = (milliseconds & (1 << 48) - 1) << 80 | noise
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0b11 << 62) | 0b10 << 62
    return str(uuid.UUID(int=value))
