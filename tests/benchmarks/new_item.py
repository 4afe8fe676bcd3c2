"""How soon a new item can be recommended, without any event on it.

Its bias: as tests/benchmarks/feedback_to_effect.py, and meanwhile 200 events a second flow.

    python -m tests.benchmarks.new_item [--items 200] [--rate 200]

Upserts items one after the other, each with a category of its own, and measures from the return of
UpsertItems until a Recommend of that category, asked again and again without min_position, has it.
"""

import argparse
import asyncio
import time

from harken.common.v1 import subject_pb2
from harken.feedback.v1 import catalog_service_pb2, item_pb2
from harken.ranker.v1 import ranker_service_pb2, slate_pb2
from services.cli.clients import Clients, connect
from services.cli.suite import Suite
from tests.benchmarks.feedback_to_effect import fresh_suite, line, load, prepare

DEADLINE_SECONDS = 10.0


async def new_item(clients: Clients, number: int) -> float:
    """Return the seconds until a new item is in a slate."""
    category = f"only-{number}"
    item = item_pb2.Item(item_id=f"new-{number}", title="A new title", categories=[category])
    await clients.catalog.UpsertItems(catalog_service_pb2.UpsertItemsRequest(items=[item]))
    upserted = time.perf_counter()
    ask = ranker_service_pb2.RecommendRequest(
        subject=subject_pb2.Subject(user_id=f"user-{number}"),
        filter=slate_pb2.Filter(categories=[category]),
    )
    while True:
        slate = await clients.ranker.Recommend(ask)
        if [slot.item_id for slot in slate.slots] == [item.item_id]:
            return time.perf_counter() - upserted
        assert time.perf_counter() - upserted < DEADLINE_SECONDS, "the item never came"


async def measure(suite: Suite, items: int, rate: float) -> list[float]:
    """Return the seconds of each new item, under a load of events."""
    async with connect(suite.endpoints) as clients:
        await prepare(clients)
        background = asyncio.create_task(load(clients, rate, 3600, 0, "background"))
        seconds = []
        for number in range(items):
            seconds.append(await new_item(clients, number))
            await asyncio.sleep(0.02)
        background.cancel()
        await asyncio.gather(background, return_exceptions=True)
        return seconds


def main() -> None:
    """Measure on a fresh suite."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--items", type=int, default=200)
    parser.add_argument("--rate", type=float, default=200.0)
    given = parser.parse_args()
    with fresh_suite(rankers=1) as suite:
        seconds = asyncio.run(measure(suite, given.items, given.rate))
    print(line("return of UpsertItems to slate", seconds))


if __name__ == "__main__":
    main()
