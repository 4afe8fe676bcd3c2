"""Waiting for conditions, with a deadline."""

import asyncio
from collections.abc import Callable

POLL_SECONDS = 0.005


async def until(condition: Callable[[], object], what: str, seconds: float = 20.0) -> None:
    """Return when the condition holds; fail, naming what was waited for, when it never does."""
    try:
        async with asyncio.timeout(seconds):
            while not condition():
                await asyncio.sleep(POLL_SECONDS)
    except TimeoutError:
        raise AssertionError(f"waited {seconds} s in vain for {what}") from None
