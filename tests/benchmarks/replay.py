"""How much listening gains on MovieLens-100k: `full` against `frozen_state`. Its bias: see below.

Flattering: frozen_state hears nothing for the whole last 20%, while a system that is retrained
daily would; 85% of those events are of users new since the split, for whom it has one slate of
popular items; and constants of the learner were chosen with this data set in view.
Unkind: events come one after the other, client and suite share the machine, fsync is on. Neither:
ranks are among all unseen items, nothing is sampled, and events of one user in one second are
scored before any of them is told.
Ratios depend on the data and hardly on the machine; seconds do. Hardware of the figures in README
and DECISIONS: 2 shared cores of an AMD EPYC.

    python -m tests.benchmarks.replay [--data FOLDER] [--limit EVENTS] [--json FILE]

Brings up a fresh suite on the embedded PostgreSQL, imports items, users and the first 80% of the
events, replays the last 20% as `harken replay` does, and prints tables, ratio and wall times.
FOLDER holds events.csv(.gz) and items.csv; without it the MovieLens-100k of the demo is taken
(without a network: the simulator's people, and the first line says so).
"""

import argparse
import json
import tempfile
import time
from pathlib import Path

from services.cli.clients import connect
from services.cli.commands.replay import measured
from services.cli.commands.up import event_time_environment
from services.cli.console import output
from services.cli.demo.data import DemoData, find_data
from services.cli.demo.people_and_items import import_people_and_items
from services.cli.failures import run
from services.cli.local_suite import local_suite
from services.cli.options import DEFAULT_FOLDER
from services.cli.replay.report import as_json, report
from services.cli.replay.run import ReplayResult
from services.cli.replay.source import read_history
from services.cli.suite import Suite, SuiteConfig
from services.dataset.table.table import open_table
from services.evaluation.comparison import ALL

START = 0.8
TENANT = "default"


async def replay(suite: Suite, data: DemoData, folder: Path, limit: int | None) -> ReplayResult:
    """Import what comes before the split, then replay what comes after it."""
    with open_table(data.events) as table:
        source = read_history(table, data.event_options, START, limit)
    async with connect(suite.endpoints) as clients:
        await import_people_and_items(clients, TENANT, data, folder)
        return await measured(clients, TENANT, source, folder / "history", create_items=False)


def main() -> None:
    """Measure on a fresh suite."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--data", type=Path, help="folder with events.csv(.gz) and items.csv")
    parser.add_argument("--limit", type=int, help="replay only so many events: for a quick look")
    parser.add_argument("--json", type=Path, help="write everything measured to this file")
    given = parser.parse_args()
    data = find_data(given.data, DEFAULT_FOLDER / "cache", print)
    print(f"data: {data.origin}")
    with tempfile.TemporaryDirectory(prefix="harken-replay-") as name:
        folder = Path(name)
        config = SuiteConfig(
            folder / "suite", "", "", preset="media", log_level="warning",
            environment=event_time_environment(any_event_time=True),
        )  # fmt: skip
        with local_suite(config) as suite:
            began = time.perf_counter()
            result = run(replay(suite, data, folder, given.limit))
            whole = time.perf_counter() - began
    output().print(report(result))
    ratio = result.comparison.pair(ALL).ndcg_ratio
    print(f"NDCG@10 of full over frozen_state: {'-' if ratio is None else f'{ratio:.3f}'}")
    print(f"wall time: {result.seconds:.1f} s of replay, {whole:.1f} s with import and slates "
          "at the split")  # fmt: skip
    if given.json is not None:
        measures = {"data": data.origin, "wall_seconds": whole, **as_json(result)}
        given.json.write_text(json.dumps(measures, indent=2) + "\n")


if __name__ == "__main__":
    main()
