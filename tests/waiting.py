"""Waiting for conditions, with a deadline."""

import asyncio
from collections.abc import Awaitable, Callable

POLL_SECONDS = 0.01


async def until(
    condition: Callable[[], Awaitable[object]], what: str, seconds: float = 30.0
) -> None:
    """Return when the condition holds; fail, naming what was waited for, when it never does."""
    try:
        async with asyncio.timeout(seconds):
            while not await condition():
                await asyncio.sleep(POLL_SECONDS)
    except TimeoutError:
        raise AssertionError(f"waited {seconds} s in vain for {what}") from None
