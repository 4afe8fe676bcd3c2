"""Waiting for conditions, with a deadline."""

import asyncio
import inspect
from collections.abc import Callable

POLL_SECONDS = 0.005


async def until(condition: Callable[[], object], what: str, seconds: float = 20.0) -> None:
    """Return when the condition, a function or a coroutine function, holds.

    Fails, naming what was waited for, when it never does.
    """
    try:
        async with asyncio.timeout(seconds):
            while not await _holds(condition):  # noqa: ASYNC110 - processes of their own set no Event
                await asyncio.sleep(POLL_SECONDS)
    except TimeoutError:
        raise AssertionError(f"waited {seconds} s in vain for {what}") from None


async def _holds(condition: Callable[[], object]) -> bool:
    found = condition()
    return bool(await found if inspect.isawaitable(found) else found)
