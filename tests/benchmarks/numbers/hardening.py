"""What is sent does not stop it: one function a row."""

import argparse
import asyncio
import gc
import multiprocessing
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import grpc
from google.protobuf import message_factory

from services.cli.endpoints import Endpoints
from services.common.request_reader import reader_of
from tests.benchmarks.numbers.hardening_chaos import campaign, planted
from tests.benchmarks.numbers.hardening_models import trap_number
from tests.benchmarks.numbers.hardening_recovery import recovery, soak
from tests.benchmarks.numbers.other_commit import suite_of, this_tree
from tests.benchmarks.numbers.table import Number
from tests.hardening.bad_requests import BadRequest, bad_requests, surprise_of

_MIB = 1 << 20
_QUIET_SECONDS = 10.0
_PROBE_PAUSE_SECONDS = 0.01
_GZIP_SHARE = 0.3
_PROBES = {
    "feedback": "/harken.feedback.v1.GenerationService/ListGenerations",
    "profile": "/harken.profile.v1.ProfileService/ListProfiles",
    "ranker": "/harken.ranker.v1.RankerService/GetServingState",
}


def numbers(arguments: list[str]) -> Iterator[Number]:
    """Measure."""
    parser = argparse.ArgumentParser(prog="numbers hardening")
    parser.add_argument("--requests", type=int, default=5000, help="bad ones")
    parser.add_argument("--kills", type=int, default=10, help="of the row on recovery")
    parser.add_argument("--soak-seconds", type=float, default=3600.0)
    parser.add_argument("--chaos-minutes", type=float, default=60.0)
    rows: Mapping[str, Callable[[argparse.Namespace], Iterator[Number]]] = {
        "fields": bad_fields,
        "traps": traps,
        "recovery": lambda given: recovery(given.kills),
        "soak": lambda given: soak(given.soak_seconds),
        "campaign": lambda given: campaign(minutes=given.chaos_minutes),
        "planted": lambda _: planted(),
    }
    parser.add_argument("--rows", nargs="+", choices=[*rows], default=[*rows])
    options = parser.parse_args(arguments)
    for name in options.rows:
        yield from rows[name](options)


def traps(_: argparse.Namespace) -> Iterator[Number]:
    """Publish generations that would halt learning or slates."""
    with (
        tempfile.TemporaryDirectory(prefix="harken-numbers-") as name,
        suite_of(this_tree(), Path(name) / "suite") as folder,
    ):
        endpoints = Endpoints.read(folder)
        assert endpoints is not None
        yield asyncio.run(trap_number(endpoints.feedback, endpoints.rankers[0]))


def bad_fields(options: argparse.Namespace) -> Iterator[Number]:
    """Send bad requests one after another, while others call each service."""
    with (
        tempfile.TemporaryDirectory(prefix="harken-numbers-") as name,
        suite_of(this_tree(), Path(name) / "suite") as folder,
    ):
        endpoints = Endpoints.read(folder)
        assert endpoints is not None
        found = asyncio.run(_sent(endpoints, options.requests))
    slowest, grown = _cost_of_refusing(options.requests)
    ratio = max(found["p99"][one] / found["quiet_p99"][one] for one in _PROBES)
    surprises = found["surprises"]
    yield Number(
        "bad requests generated over every field of every RPC: exact status, refused within 5 ms "
        "and 10 MiB, other clients' p99 at most 2x",
        f"{options.requests:,} requests, 0 surprises",
        f"{found['sent']:,} requests, {len(surprises)} surprises; {slowest * 1e3:.1f} ms and "
        f"{grown / _MIB:.1f} MiB beyond the body at most; p99 {ratio:.2f}x",
        not surprises and slowest <= 0.005 and grown <= 10 * _MIB and ratio <= 2,
        {**found, "seconds": slowest, "bytes": grown},
    )


def _drawn(count: int) -> Iterator[BadRequest]:
    drawn = random.Random(1)
    while True:
        for bad in bad_requests(drawn):
            if count == 0:
                return
            count -= 1
            yield bad


def _cost_of_refusing(count: int) -> tuple[float, int]:
    """Return the most processor seconds and resident bytes that reading one takes."""
    slowest, grown = 0.0, 0
    for bad in _drawn(count):
        read = reader_of(message_factory.GetMessageClass(bad.method.input_type))
        gc.collect(0)
        before = _resident()
        began = time.thread_time()
        refused = read(bad.body)
        slowest = max(slowest, time.thread_time() - began)
        grown = max(grown, _resident() - before)
        del refused
    return slowest, grown


def _resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


async def _sent(endpoints: Endpoints, count: int) -> dict[str, Any]:
    targets = {
        "feedback": endpoints.feedback,
        "profile": endpoints.profile,
        "ranker": endpoints.rankers[0],
    }
    others = {one: grpc.aio.insecure_channel(target) for one, target in targets.items()}
    quiet = await _probed(others, asyncio.sleep(_QUIET_SECONDS))
    # A process of its own makes them: what keeps the sender busy is not what is measured.
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as sender:
        sending = asyncio.get_running_loop().run_in_executor(sender, _send, targets, count)
        busy = await _probed(others, sending)
    for channel in others.values():
        await channel.close()
    sent, surprises = await sending
    return {"sent": sent, "surprises": surprises, "quiet_p99": quiet, "p99": busy}


def _send(targets: dict[str, str], count: int) -> tuple[int, list[str]]:
    """Send bad requests; return how many, and what was not as it should be."""

    async def send() -> tuple[int, list[str]]:
        drawn = random.Random(2)
        channels = {one: grpc.aio.insecure_channel(target) for one, target in targets.items()}
        found = [
            await surprise_of(channels[bad.service], bad, drawn.random() < _GZIP_SHARE)
            for bad in _drawn(count)
        ]
        for channel in channels.values():
            await channel.close()
        return len(found), [surprise for surprise in found if surprise]

    return asyncio.run(send())


async def _probed(channels: dict[str, grpc.aio.Channel], work: Any) -> dict[str, float]:
    """Return the p99 of each service's probe, in seconds, while some work goes on."""
    times: dict[str, list[float]] = {one: [] for one in channels}

    async def probe(service: str) -> None:
        call: Any = channels[service].unary_unary(_PROBES[service])
        while True:
            began = time.perf_counter()
            try:
                await call(b"", timeout=30)
            except grpc.aio.AioRpcError as error:
                if error.code() != grpc.StatusCode.NOT_FOUND:
                    raise
            times[service].append(time.perf_counter() - began)
            await asyncio.sleep(_PROBE_PAUSE_SECONDS)

    probes = [asyncio.create_task(probe(service)) for service in channels]
    await work
    for task in probes:
        task.cancel()
    for ended in await asyncio.gather(*probes, return_exceptions=True):
        # A service that fails its probe has no p99.
        if isinstance(ended, Exception):
            raise ended
    return {one: statistics.quantiles(values, n=100)[98] for one, values in times.items()}
