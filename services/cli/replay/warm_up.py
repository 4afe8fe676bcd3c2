"""Makes sure that a suite knows the history before the split, and nothing is left to catch up."""

from pathlib import Path

from services.cli.catch_up import wait_for_rankers
from services.cli.clients import Clients
from services.cli.imports.event_import import EventImport, ImportSummary
from services.cli.imports.rejects import RejectsFile
from services.cli.progress_bar import progress_bar
from services.cli.replay.source import ReplaySource


async def warm_up(
    clients: Clients, tenant: str, source: ReplaySource, rejects: Path, create_items: bool
) -> ImportSummary:
    """Import what comes before the split; what is known already is recognised. `rejects` gets the
    rows that are not taken.

    Raises:
        CommandError: the rankers do not catch up.
        grpc.aio.AioRpcError: the suite refuses or is away.

    """
    job = EventImport(
        clients, tenant, lambda keep: RejectsFile(rejects, rejects, keep), None, create_items
    )
    history = source.before()
    with progress_bar("history before the split", history.rows) as progress:
        summary = await job.run(history, progress)
    await wait_for_rankers(clients, tenant, summary.position)
    return summary
