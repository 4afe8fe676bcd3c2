"""What following events costs.

`python -m tests.benchmarks.tracing` (with the extra otel). First the hook that each stage has, per
event, then whole processes: CPU per event recorded and slate made, each event a call, each slate
waiting for it. CPU time: a busy machine matters less, but does matter.
"""

import argparse
import asyncio
import tempfile
import time
from pathlib import Path

from prometheus_client import CollectorRegistry

from services.cli.local_suite import local_suite
from services.cli.suite import Suite, SuiteConfig
from services.common.pipeline_latency import VISIBLE, PipelineLatency
from services.common.tracing import event_tracer
from tests.deploy.observability.scrape import scrape
from tests.end_to_end.clients import Caller, caller_of, catalogue, event

_AT_ONCE = 8
_EVENTS = 1000
_REPEATS = 5
_SHARES = (("off", None), ("share 0.001", 0.001), ("share 1", 1.0))
_CPU = "process_cpu_seconds_total"


async def _drive(caller: Caller, first: int, calls: int) -> None:
    async def one(worker: int) -> None:
        for n in range(first + worker, first + calls, _AT_ONCE):
            who = f"u{n % 97}"
            position = await caller.record(event(f"e-{n}", who, f"space-{3 * (n % 20)}"))
            await caller.slate(who, position)

    await asyncio.gather(*(one(worker) for worker in range(_AT_ONCE)))


async def _measure(suite: Suite, calls: int) -> dict[str, float]:
    """Return microseconds of CPU per event and slate, by process."""
    async with caller_of(suite) as caller:
        await caller.upsert(*catalogue())
        await _drive(caller, 0, calls // 4)
        before = await scrape(suite)
        await _drive(caller, calls, calls)
        after = await scrape(suite)
    return {
        name: (after[name].total(_CPU) - before[name].total(_CPU)) / calls * 1e6 for name in after
    }


async def _hook(target: str, share: float) -> float:
    """Return microseconds of CPU per event of a step of 1,000 that passes a stage."""
    accepted_us = [int(time.time() * 1e6)] * _EVENTS
    sequences = list(range(1, _EVENTS + 1))
    async with event_tracer("benchmark", target, share) as tracer:
        stage = PipelineLatency(CollectorRegistry(), tracer).stage(VISIBLE)
        found = []
        for _ in range(_REPEATS):
            began = time.process_time()
            for _ in range(10):
                stage.passed(accepted_us, sequences, time.time())
            found.append((time.process_time() - began) / 10 / _EVENTS * 1e6)
    return min(found)


def main() -> None:
    """Measure off, and with shares of events."""
    parser = argparse.ArgumentParser(description="What following events costs.")
    parser.add_argument("--calls", type=int, default=4000)
    calls = parser.parse_args().calls
    with tempfile.TemporaryDirectory() as folder:
        for title, share in _SHARES:
            target = "" if share is None else f"file:{folder}/spans"
            cost = asyncio.run(_hook(target, share or 0.0))
            print(f"{title:>12}: a stage, CPU us per event: {cost:.2f}")
    for title, share in _SHARES:
        with tempfile.TemporaryDirectory() as folder:
            settings = (
                {}
                if share is None
                else {"TRACE_TARGET": f"file:{folder}/spans", "TRACE_SHARE": str(share)}
            )
            config = SuiteConfig(
                Path(folder), "", "", preset="media",
                environment={
                    kind: {f"HARKEN_{kind.upper()}_{key}": value for key, value in settings.items()}
                    for kind in ("feedback", "profile", "ranker")
                },
            )  # fmt: skip
            with local_suite(config) as suite:
                found = asyncio.run(_measure(suite, calls))
        figures = "  ".join(f"{name} {value:.0f}" for name, value in found.items())
        print(f"{title:>12}: CPU us per event and slate: {figures}")


if __name__ == "__main__":
    main()
