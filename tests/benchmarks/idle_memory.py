"""Memory of each process with nothing to do, by the kernel's figures.

    python -m tests.benchmarks.idle_memory [--items 0]

Resident memory in MB (10^6 bytes), of which private: what another process of the same kind on the
same host would add. `--items` puts that many items into the catalogue first.
"""

import argparse
import asyncio
import tempfile
import time
from pathlib import Path

import grpc

from harken.common.v1 import subject_pb2
from harken.feedback.v1 import catalog_service_pb2, item_pb2
from harken.ranker.v1 import ranker_service_pb2
from services.cli.clients import Clients, connect, is_retryable
from services.cli.local_suite import local_suite
from services.cli.suite import Suite, SuiteConfig

_PAGE = 500
_SETTLE_SECONDS = 15.0


def main() -> None:
    """Start a suite, wait until it is idle, measure."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--items", type=int, default=0)
    items: int = parser.parse_args().items
    with (
        tempfile.TemporaryDirectory() as folder,
        local_suite(SuiteConfig(Path(folder), "", "", split_feedback=True)) as suite,
    ):
        if items:
            asyncio.run(_fill(suite, items))
        time.sleep(_SETTLE_SECONDS)
        print(f"{'process':12} {'resident':>9} {'private':>9}   ({items} items)")
        for name, process in suite.processes.items():
            assert process.pid is not None
            found = _kilobytes(process.pid)
            private = found["Private_Clean"] + found["Private_Dirty"]
            print(f"{name:12} {found['Rss'] * 1.024e-3:6.0f} MB {private * 1.024e-3:6.0f} MB")


async def _fill(suite: Suite, items: int) -> None:
    async with connect(suite.endpoints) as clients:
        position = b""
        for first in range(0, items, _PAGE):
            numbers = range(first, min(first + _PAGE, items))
            request = catalog_service_pb2.UpsertItemsRequest(
                items=[
                    item_pb2.Item(
                        item_id=f"item-{n}", title=f"title {n}", categories=[f"c{n % 50}"]
                    )
                    for n in numbers
                ]
            )
            position = (await clients.catalog.UpsertItems(request, timeout=60)).position
        await _until_known(clients, position)


async def _until_known(clients: Clients, position: bytes) -> None:
    request = ranker_service_pb2.RecommendRequest(
        subject=subject_pb2.Subject(user_id="nobody"),
        count=1,
        min_learned_position=position,
        strict=True,
    )
    request.wait_budget.FromSeconds(10)
    while True:
        try:
            await clients.ranker.Recommend(request, timeout=30)
        except grpc.aio.AioRpcError as error:
            if not is_retryable(error):
                raise
        else:
            return


def _kilobytes(pid: int) -> dict[str, int]:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]
    return {key: int(value.split()[0]) for key, _, value in (one.partition(":") for one in lines)}


if __name__ == "__main__":
    main()
