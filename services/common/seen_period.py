"""How long an event hides its item, as it is written: "forever", "never", or such as "30d"."""

import re
from types import MappingProxyType

FOREVER_US = 2**63 - 1
NEVER_US = -(2**63)
ANY_TYPE = "*"
"""In the place of a type of events: all types that are not named."""
_WORDS = MappingProxyType({"forever": FOREVER_US, "never": NEVER_US})
_SECONDS = MappingProxyType({"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 7 * 86_400})
_DURATION = re.compile(r"([0-9]{1,10})([smhdw])")
_MAX_SECONDS = 100 * 365 * 86_400


def seen_period_us(text: str) -> int:
    """Return a period in microseconds, FOREVER_US or NEVER_US; 0 of anything is never.

    Raises:
        ValueError: it is none; the message goes on after what it is the period of.

    """
    word = _WORDS.get(text)
    if word is not None:
        return word
    found = _DURATION.fullmatch(text)
    if found is None:
        raise ValueError(
            "is neither forever, never, nor a number with s, m, h, d or w, such as 30d"
        )
    seconds = int(found[1]) * _SECONDS[found[2]]
    if seconds > _MAX_SECONDS:
        raise ValueError("is longer than 100 years: say forever")
    return seconds * 1_000_000 if seconds else NEVER_US
