"""A PostgreSQL for one benchmark."""

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

from services.cli.embedded_postgres import EmbeddedPostgres
from services.cli.guardian import Guardian


@contextlib.contextmanager
def fresh_postgres() -> Iterator[tuple[Path, EmbeddedPostgres, Guardian]]:
    """Run an embedded one, durable as in production, in a folder that goes with it.

    The folder may hold more; the guardian may stop more processes.
    """
    guardian = Guardian()
    with tempfile.TemporaryDirectory(prefix="harken-bench-") as name:
        folder = Path(name)
        try:
            with EmbeddedPostgres(folder / "postgres", guardian) as postgres:
                yield folder, postgres, guardian
        finally:
            guardian.close()
