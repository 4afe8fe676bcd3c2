"""Rankers 1 -> 3 -> 1 under load.

Its bias: seven Python processes, PostgreSQL and the client share one machine of 2 cores, so a new
replica competes with the load for them: alone, it is ready sooner. The connection age is 10 s
here to keep it short; a deployment has 60 s, and takes that much longer to spread its load.

    python -m tests.benchmarks.scale_rankers [--items 100000] [--rate 200] [--age 10]

Clients find rankers by a name (a DNS server of the benchmark's own) and nothing else. Prints
errors, the time from the start of a replica's process to its readiness, and from there to its
first slate, slates of each of three replicas, and latencies.
"""

import argparse
import asyncio
import os

from tests.benchmarks.fresh_postgres import fresh_postgres
from tests.operations.fleet import Fleet
from tests.operations.name_server import name_server
from tests.operations.scaling import RANKERS, announce, fleet_of_rankers, scale, target_by_name
from tests.operations.traffic import traffic_to

USERS = 2000


async def measure(fleet: Fleet, given: argparse.Namespace) -> None:
    """Scale under traffic."""
    async with name_server() as names:
        announce(names, fleet, RANKERS[0])
        targets = (fleet.target("ingest"), target_by_name(names, fleet), fleet.target("profile"))
        async with traffic_to(*targets, items=given.items, users=USERS) as traffic:
            await traffic.fill()
            stop = asyncio.Event()
            sending = asyncio.create_task(traffic.run(given.rate, given.rate, stop))
            await asyncio.sleep(5)
            seen = await scale(fleet, names, traffic, given.hold, print)
            stop.set()
            await sending
            account = traffic.account
            calls = len(account.record_seconds) + len(account.slate_seconds)
            print(f"{calls} calls, {len(account.failed)} failed,"
                  f" {sum(account.repeated.values())} repeated by the client")  # fmt: skip
            for line in account.failed[:5]:
                print(f"  FAILED {line}")
            print(f"slates of each in {given.hold:.0f} s: {seen.slates}")
            print(account.latency())


def main() -> None:
    """Run it on an embedded PostgreSQL, durable as in production."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--items", type=int, default=100_000)
    parser.add_argument("--rate", type=float, default=200.0)
    parser.add_argument("--age", type=float, default=10.0)
    parser.add_argument("--hold", type=float, default=15.0)
    given = parser.parse_args()
    # A target with a name server of its own is what c-ares takes.
    os.environ["GRPC_DNS_RESOLVER"] = "ares"
    with fresh_postgres() as (folder, server, guardian):
        dsns = (server.dsn("harken_feedback"), server.dsn("harken_profile"))
        with fleet_of_rankers(folder / "fleet", *dsns, given.age, guardian) as fleet:
            asyncio.run(measure(fleet, given))


if __name__ == "__main__":
    main()
