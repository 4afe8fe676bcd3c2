"""The events of a log into a file, in order of time."""

from dataclasses import dataclass
from pathlib import Path

from services.cli.exports.event_order import EventOrder
from services.cli.exports.event_table import COLUMNS, event_row
from services.cli.exports.table_writer import table_writer
from services.cli.progress_bar import progress_bar, progress_count
from services.common.channel_identity import ChannelIdentity
from services.dataset.log_export import exported_pages

_SHOWN_ROWS = 1_000


@dataclass(frozen=True, slots=True)
class ExportedLog:
    """How many events were written, the log sequence of the last one (0: there is none), and how
    many were left out, as their users deny that they are exported.
    """

    events: int
    through_sequence: int
    left_out: int


def export_events(
    target: str,
    tenant: str,
    file: Path,
    identity: ChannelIdentity | None = None,
    *,
    for_learning: bool = False,
) -> ExportedLog:
    """Write the events of a tenant that stand, by event time, ties in log order.

    target: gRPC target of the feedback service. for_learning: also without those of users who deny
    that others learn from them. What is written to the log meanwhile is left out.

    Raises:
        LogExportError: the service is away for longer than a few tries, or refuses.
        CommandError: the name of the file says no format.
        OSError: the file cannot be written.

    """
    events = through = left_out = 0
    with table_writer(file, COLUMNS) as writer, EventOrder(file.parent) as order:
        with progress_count("events read") as progress:
            for page in exported_pages(
                target, tenant, identity=identity, for_learning=for_learning
            ):
                left_out += page.left_out
                if page.events:
                    order.add(page)
                    events += len(page.events)
                    through = page.events[-1].sequence
                    progress(events)
        with progress_bar("events written", events) as progress:
            for number, event in enumerate(order.events(), 1):
                writer.write(event_row(event))
                if number % _SHOWN_ROWS == 0 or number == events:
                    progress(number)
    return ExportedLog(events, through, left_out)
