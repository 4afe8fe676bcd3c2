"""Waiting until the rankers reflect a position, in what users did and in what was learned."""

import asyncio
import time

from harken.ranker.v1 import ranker_service_pb2
from services.cli.clients import CALL_SECONDS, Clients
from services.cli.failures import CommandError
from services.common.position import Position, decode_position

# A ranker hashes its vectors for each answer, at the cost of what it is catching up with.
_FIRST_PAUSE_SECONDS = 0.02
_LONGEST_PAUSE_SECONDS = 0.25


async def wait_for_rankers(
    clients: Clients, tenant: str, position: bytes, timeout: float = 120.0
) -> None:
    """Wait until every ranker serves `tenant` from `position` on, in both lanes of the feed. An
    empty position is no wait.

    Raises:
        CommandError: one does not, within `timeout` seconds.

    """
    if not position:
        return
    deadline = time.monotonic() + timeout
    wanted = decode_position(position)
    for target, stub in zip(clients.endpoints.rankers, clients.rankers, strict=True):
        pause = _FIRST_PAUSE_SECONDS
        while True:
            state = await stub.GetServingState(
                ranker_service_pb2.GetServingStateRequest(), timeout=CALL_SECONDS
            )
            served = (state.position, state.learned_position)
            if all(_reached(one, wanted) for one in served) and any(
                one.tenant == tenant for one in state.tenants
            ):
                break
            if time.monotonic() > deadline:
                raise CommandError(
                    f"the ranker at {target} has not reached the position in {timeout:.0f} s"
                )
            await asyncio.sleep(pause)
            pause = min(_LONGEST_PAUSE_SECONDS, pause * 1.5)


def _reached(served: bytes, wanted: Position) -> bool:
    return bool(served) and decode_position(served) >= wanted
