"""Calls for many rows, several at once, acknowledged in order."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from typing import TypeVar

Source = TypeVar("Source")
Answer = TypeVar("Answer")


async def in_flight(
    source: Iterable[Source], call: Callable[[Source], Awaitable[Answer]], at_once: int
) -> AsyncIterator[tuple[Source, Answer]]:
    """Yield each element with its answer, in order, with at most `at_once` calls running.

    Raises:
        Exception: what a call raises; the others are cancelled.

    """
    elements = iter(source)
    running: list[tuple[Source, asyncio.Future[Answer]]] = []
    try:
        while True:
            running.extend(
                (element, asyncio.ensure_future(call(element)))
                for element in itertools.islice(elements, at_once - len(running))
            )
            if not running:
                return
            element, answer = running.pop(0)
            yield element, await answer
    finally:
        for _, left in running:
            left.cancel()
        await asyncio.gather(*(left for _, left in running), return_exceptions=True)
