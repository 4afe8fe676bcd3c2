"""What an event costs: processor time of all servers, bytes on the wire and on disk."""

import argparse
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from tests.benchmarks.lanes.processes import received_bytes
from tests.benchmarks.lanes.sides import Side, noise, ratios, rounds_of, sides, spread
from tests.benchmarks.numbers.table import Number

_RATE = 100.0
_IDLE_SECONDS, _BUSY_SECONDS, _TAIL_SECONDS = 5.0, 12.0, 3.0
_WAL_SECONDS = 30.0
_SETTLED_SECONDS = 2.0
_HISTORY = 50_000
_WAL = (
    "SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::bigint,"
    " (SELECT wal_fpi FROM pg_stat_wal)::bigint"
)
_FRAME_COLUMNS = (
    "SELECT c.table_name, c.column_name FROM information_schema.columns c"
    " JOIN pg_class t ON t.oid = ('feedback.' || quote_ident(c.table_name))::regclass"
    " WHERE c.table_schema = 'feedback' AND c.data_type = 'bytea' AND c.table_name LIKE 'frames%'"
    " AND NOT EXISTS (SELECT FROM pg_inherits i WHERE i.inhrelid = t.oid)"
)
_PROFILE_TABLES = (
    "SELECT relname FROM pg_class WHERE relnamespace = 'profile'::regnamespace"
    " AND relkind = 'r' ORDER BY 1"
)
_PROFILE_SIZE = (
    "SELECT coalesce(sum(pg_total_relation_size(oid)), 0)::bigint FROM pg_class"
    " WHERE relnamespace = 'profile'::regnamespace AND relkind = 'r'"
)


def processors(options: argparse.Namespace) -> Iterator[Number]:
    """Measure processor time of single events, beyond what idling takes."""
    net: dict[str, list[float]] = {}
    raw: dict[str, list[float]] = {}
    by_process: dict[str, list[Mapping[str, float]]] = {}
    answers: list[Mapping[str, Any]] = []
    with sides(split=options.split) as found:
        for number, turns in rounds_of(options.rounds, found):
            idle = _taken(turns, lambda: time.sleep(_IDLE_SECONDS))
            for side in turns:
                began = time.monotonic()
                work = partial(_busy, side, answers)
                taken = _taken([side], work)[side.name]
                share = (time.monotonic() - began) / _IDLE_SECONDS
                events = _RATE * _BUSY_SECONDS
                before = idle[side.name]
                beyond = {name: (taken[name] - share * before.get(name, 0.0)) / events
                          for name in taken}  # fmt: skip
                net.setdefault(side.name, []).append(sum(beyond.values()))
                raw.setdefault(side.name, []).append(sum(taken.values()) / events)
                by_process.setdefault(side.name, []).append(beyond)
                print(
                    f"cpu, round {number + 1}, {side.name}: {net[side.name][-1] * 1e3:.2f} ms an"
                    f" event ({raw[side.name][-1] * 1e3:.2f} with idling, which takes"
                    f" {sum(before.values()) / _IDLE_SECONDS:.1%} of a processor): "
                    + ", ".join(f"{name} {one * 1e3:.2f}" for name, one in beyond.items()),
                    flush=True,
                )
        then, now = (side.name for side in found)
    quotients = ratios(net[now], net[then])
    ratio = statistics.median(quotients)
    yield Number(
        "processor time of all server processes for one single event at 100/s, over then",
        "<= .25x",
        f"{ratio:.2f}x ({statistics.median(net[now]) * 1e3:.2f} over "
        f"{statistics.median(net[then]) * 1e3:.2f} ms{noise(answers)})",
        ratio <= 0.25,
        {
            "ratio": spread(quotients),
            "with_idling_ratio": spread(ratios(raw[now], raw[then])),
            "seconds": {name: spread(one) for name, one in net.items()},
            "seconds_with_idling": {name: spread(one) for name, one in raw.items()},
            "seconds_by_process": by_process,
        },
    )


def _busy(side: Side, answers: list[Mapping[str, Any]]) -> None:
    answers.append(side.do("load", rate=_RATE, seconds=_BUSY_SECONDS))
    # What is written behind belongs to it.
    time.sleep(_TAIL_SECONDS)


def _taken(measured: Sequence[Side], work: Callable[[], object]) -> dict[str, dict[str, float]]:
    """Return what processes took while some work went on."""
    before = {side.name: side.processor_seconds() for side in measured}
    work()
    found = {}
    for side in measured:
        after = side.processor_seconds()
        found[side.name] = {name: after[name] - before[side.name].get(name, 0.0) for name in after}
    return found


def sizes(options: argparse.Namespace) -> Iterator[Number]:
    """Measure bytes of an event at 100/s: feed, frames, WAL; and of a history: profile's tables."""
    found: dict[str, dict[str, float]] = {}
    details: dict[str, dict[str, object]] = {}
    with sides(split=options.split) as measured:
        for side in measured:
            found[side.name], details[side.name] = _at_rate(side)
            one, more = _of_history(side)
            found[side.name]["profile's tables"] = one
            details[side.name]["history"] = more
            print(f"bytes, {side.name}: " + ", ".join(
                f"{name} {one:,.0f}" for name, one in found[side.name].items()
            ), flush=True)  # fmt: skip
        then, now = (side.name for side in measured)
    for name, value in found[now].items():
        before = found[then][name]
        ratio = value / before if before else float("inf")
        yield Number(
            f"bytes an event, {name}, over then",
            "<= .35x",
            f"{ratio:.2f}x ({value:,.0f} over {before:,.0f})",
            ratio <= 0.35,
            {one: details[one] for one in (then, now)},
        )


def _at_rate(side: Side) -> tuple[dict[str, float], dict[str, object]]:
    side.do("reach")
    time.sleep(_SETTLED_SECONDS)
    port = int(side.endpoints.feedback.rpartition(":")[2])
    ranker = side.pid_of("ranker")
    frames = _frame_bytes(side)
    wal, pages = side.sql("CHECKPOINT", _WAL)[0]
    before = received_bytes(ranker, port)
    events = side.do("load", rate=_RATE, seconds=_WAL_SECONDS)["events"]
    side.do("reach")
    after = received_bytes(ranker, port)
    lost = before.keys() - after.keys()
    if lost:
        raise RuntimeError("a connection of the ranker ended meanwhile: its bytes are unknown")
    feed = sum(size - before.get(name, 0) for name, size in after.items())
    wal_after, pages_after = side.sql(_WAL)[0]
    written = _frame_bytes(side)
    total = {"feed to a ranker": feed, "frames in PostgreSQL": written - frames,
             "WAL": wal_after - wal}  # fmt: skip
    details = {"events": events, "pages_in_wal": pages_after - pages, **total}
    return {name: size / events for name, size in total.items()}, details


def _frame_bytes(side: Side) -> int:
    columns = side.sql(_FRAME_COLUMNS)
    if not columns:
        return 0
    sums = " + ".join(
        f"(SELECT coalesce(sum(octet_length({column})), 0) FROM feedback.{table})"
        for table, column in columns
    )
    return int(side.sql(f"SELECT ({sums})::bigint")[0][0])


def _of_history(side: Side) -> tuple[float, dict[str, object]]:
    """Return bytes of profile's tables an event, vacuumed; and the same rewritten without gaps."""
    tables = [row[0] for row in side.sql(_PROFILE_TABLES)]
    sizes_of: dict[str, list[int]] = {"VACUUM": [], "VACUUM FULL": []}

    def measure() -> None:
        for way, found in sizes_of.items():
            side.sql(*(f'{way} profile."{table}"' for table in tables))
            found.append(int(side.sql(_PROFILE_SIZE)[0][0]))

    measure()
    told = side.do("history", events=_HISTORY)
    time.sleep(_SETTLED_SECONDS)
    measure()
    # What came before is as it was left by the rewriting; only what is new has gaps.
    vacuumed = (sizes_of["VACUUM"][1] - sizes_of["VACUUM FULL"][0]) / _HISTORY
    full = (sizes_of["VACUUM FULL"][1] - sizes_of["VACUUM FULL"][0]) / _HISTORY
    return vacuumed, {**told, "bytes_an_event_rewritten": full, "sizes": sizes_of}
