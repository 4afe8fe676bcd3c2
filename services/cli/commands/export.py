"""`harken export`: the events of the log as a file, for training and evaluation."""

import csv
import gzip
import math
from pathlib import Path
from typing import Annotated

import typer

from services.cli.console import output
from services.cli.failures import CommandError, clear_failures
from services.cli.options import SuiteOptions, Tenant, with_suite_options
from services.dataset.history.event_file import SESSION_PREFIX
from services.dataset.log_export import LogExportError, LogHistory, read_log

COLUMNS = ("user", "session", "item", "timestamp", "type", "value")


@with_suite_options
def export(
    file: Annotated[Path, typer.Argument(help="CSV to write, gzipped when its name ends in .gz.")],
    tenant: Tenant = "default",
    *,
    suite: SuiteOptions,
) -> None:
    """Write all events that stand, in order of time: retracted ones are left out.

    Times are unix microseconds. `harken evaluate`, `harken train` and `harken import events` read
    the file. Memory: about 100 bytes an event.
    """
    with clear_failures():
        try:
            history = read_log(suite.endpoints().feedback, tenant)
        except LogExportError as error:
            raise CommandError(str(error)) from None
        write_csv(history, file)
        output().print(
            f"{len(history.events):,} events, up to log sequence {history.through_sequence}"
        )


def write_csv(history: LogHistory, file: Path) -> None:
    """Write events with the columns COLUMNS; a subject is either user or session."""
    events = history.events
    opened = gzip.open if file.suffix == ".gz" else open
    with opened(file, "wt", newline="", encoding="utf-8") as text:
        writer = csv.writer(text)
        writer.writerow(COLUMNS)
        for user, item, kind, value, time_us in zip(
            events.users.tolist(), events.items.tolist(), events.kinds.tolist(),
            events.values.tolist(), events.times_us.tolist(), strict=True,
        ):  # fmt: skip
            name = events.user_ids[user]
            session = name.startswith(SESSION_PREFIX)
            writer.writerow(
                (
                    "" if session else name,
                    name.removeprefix(SESSION_PREFIX) if session else "",
                    events.item_ids[item],
                    time_us,
                    events.types[kind],
                    "" if math.isnan(value) else value,
                )
            )
