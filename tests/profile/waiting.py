"""Waiting for conditions, with a deadline."""

import asyncio
from collections.abc import Awaitable, Callable

POLL_SECONDS = 0.005


async def until(condition: Callable[[], object], what: str, seconds: float = 20.0) -> None:
    """Return when the condition holds; fail, naming what was waited for, when it never does."""

    async def check() -> object:
        return condition()

    await until_answer(check, what, seconds)


async def until_answer(
    condition: Callable[[], Awaitable[object]], what: str, seconds: float = 20.0
) -> None:
    """Return when the condition, which takes a question to answer, holds; fail as `until` does."""
    try:
        async with asyncio.timeout(seconds):
            while not await condition():  # noqa: ASYNC110
                await asyncio.sleep(POLL_SECONDS)
    except TimeoutError:
        raise AssertionError(f"waited {seconds} s in vain for {what}") from None
