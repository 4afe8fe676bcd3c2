"""Ids of slates."""

import os
import time

_NOISE_BYTES = 10
_DRAWN_AT_ONCE = 400
"""Ids whose noise comes from the system together: each visit to it costs more than the id."""


class SlateIds:
    """Gives out unique ids that sort by the millisecond they are made in (UUIDv7, RFC 9562)."""

    def __init__(self) -> None:
        self._noise = b""
        self._at = 0

    def next(self) -> str:
        """Return an id that was never returned before, here or anywhere."""
        if self._at == len(self._noise):
            self._noise, self._at = os.urandom(_NOISE_BYTES * _DRAWN_AT_ONCE), 0
        at = self._at
        self._at = at + _NOISE_BYTES
        noise = self._noise[at : self._at].hex()
        moment = f"{time.time_ns() // 1_000_000:012x}"
        variant = "89ab"[int(noise[3], 16) & 0b11]
        return f"{moment[:8]}-{moment[8:]}-7{noise[:3]}-{variant}{noise[4:7]}-{noise[7:19]}"
