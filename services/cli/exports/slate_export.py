"""The logged slates of a tenant into a file, with what came of them."""

from pathlib import Path

from services.cli.exports.slate_table import COLUMNS, slate_row
from services.cli.exports.table_writer import table_writer
from services.cli.progress_bar import progress_count
from services.common.channel_identity import ChannelIdentity
from services.dataset.log_export import exported_slates


def export_slates(
    target: str,
    tenant: str,
    file: Path,
    window_seconds: float | None = None,
    identity: ChannelIdentity | None = None,
) -> tuple[int, int]:
    """Write the slates of a tenant, in log order, and return how many there are, and how many were
    left out, as their users deny that they are exported.

    target: gRPC target of the feedback service. window_seconds: how long events count for a slate;
    None: as the service is configured.

    Raises:
        LogExportError: the service is away for longer than a few tries, or refuses.
        CommandError: the name of the file says no format.
        OSError: the file cannot be written.

    """
    count = left_out = 0
    with table_writer(file, COLUMNS) as writer, progress_count("slates written") as progress:
        for page in exported_slates(target, tenant, window_seconds, identity=identity):
            for slate in page.slates:
                writer.write(slate_row(slate, page.window.ToMicroseconds() / 1e6))
            count += len(page.slates)
            left_out += page.left_out
            progress(count)
    return count, left_out
