"""What clients see while every process is restarted, one after the other.

Its bias: nine Python processes, PostgreSQL and the client share one machine of 2 cores, so a start
(imports alone take 1-2 s of a core) slows everything, which on hosts of their own it would not;
loopback has no network in it. The client is `open_channel` (round_robin, gRPC repeats UNAVAILABLE
twice) on addresses that do not change; what gRPC gives up on it repeats with the same event ids.

    python -m tests.benchmarks.rolling_restart [--rate 200] [--pause 4] [--items 10000]

Two of each: ingest, learner (one stands by), profile, ranker. Prints failed calls after the
client's repetitions, lost events, calls that were repeated by the client, latencies; last the same
for a restart of PostgreSQL, during which events can only wait.
"""

import argparse
import asyncio

from services.cli.embedded_postgres import EmbeddedPostgres
from tests.benchmarks.fresh_postgres import fresh_postgres
from tests.operations.fleet import Fleet, FleetConfig
from tests.operations.rolling_restart import ORDER, restart, restart_postgres
from tests.operations.traffic import Account, traffic_to
from tests.operations.truths import check_nothing_lost

USERS = 2000


def show(what: str, account: Account) -> None:
    """Print what became of the calls."""
    calls = len(account.record_seconds) + len(account.slate_seconds)
    print(f"-- {what}: {calls} calls, {len(account.failed)} failed after repetition,"
          f" {sum(account.repeated.values())} repeated by the client")  # fmt: skip
    print(f"   {account.latency()}")
    print(f"   slates marked: {dict(account.marked)}")
    for line, times in account.repeated.items():
        print(f"   repeated {times:5d}  {line}")
    for line in account.failed[:10]:
        print(f"   FAILED {line}")


async def measure(fleet: Fleet, server: EmbeddedPostgres, given: argparse.Namespace) -> None:
    """Restart everything under traffic."""
    targets = [fleet.target(role) for role in ("ingest", "ranker", "profile")]
    async with traffic_to(*targets, items=given.items, users=USERS) as traffic:
        await traffic.fill()

        async def phase(what: str, work: "asyncio.Future[None]") -> None:
            stop = asyncio.Event()
            sending = asyncio.create_task(traffic.run(given.rate, given.rate, stop))
            await work
            stop.set()
            await sending
            show(what, traffic.account)
            known = traffic.account.acknowledged
            traffic.account = Account(acknowledged=known)

        async def quiet() -> None:
            await asyncio.sleep(given.pause * 3)

        await phase("warm-up", asyncio.ensure_future(quiet()))
        await phase("nothing restarted", asyncio.ensure_future(quiet()))
        await phase(
            "every process restarted",
            asyncio.ensure_future(restart(fleet, traffic, fleet.names(*ORDER), given.pause, print)),
        )
        await phase(
            "PostgreSQL restarted",
            asyncio.ensure_future(restart_postgres(server, traffic, given.pause, print)),
        )
        await check_nothing_lost(traffic, server.admin_dsn)
        print(f"-- {len(traffic.account.acknowledged)} acknowledged events: each once in the log,"
              " and counted once in profile; lost: 0")  # fmt: skip


def main() -> None:
    """Run it on an embedded PostgreSQL, durable as in production."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--rate", type=float, default=200.0)
    parser.add_argument("--pause", type=float, default=4.0)
    parser.add_argument("--items", type=int, default=10_000)
    given = parser.parse_args()
    with fresh_postgres() as (folder, server, guardian):
        config = FleetConfig(
            folder / "fleet",
            server.dsn("harken_feedback"),
            server.dsn("harken_profile"),
        )
        with Fleet(config, guardian) as fleet:
            asyncio.run(measure(fleet, server, given))


if __name__ == "__main__":
    main()
