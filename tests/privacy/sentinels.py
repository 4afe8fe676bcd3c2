"""Looks for bytes wherever a suite leaves any: tables, files of PostgreSQL, logs, metrics."""

import mmap
import re
import urllib.request
from collections.abc import AsyncIterator, Mapping, Sequence
from io import BytesIO
from pathlib import Path

import asyncpg

from services.cli.suite import Suite

SCHEMAS = ("feedback", "profile", "keys")


def forms(sentinel: str) -> tuple[bytes, ...]:
    """Return what a text looks like as it is, as hexadecimals, and in UTF-16."""
    plain = sentinel.encode()
    return plain, plain.hex().encode(), sentinel.encode("utf-16-le")


class Finds:
    """Which sentinels were found, and where; how much was looked through."""

    def __init__(self, sentinels: Sequence[str]) -> None:
        every = {form: name for name in sentinels for form in forms(name)}
        self._names = every
        self._pattern = re.compile(b"|".join(map(re.escape, every)))
        self.found: dict[str, set[str]] = {}
        self.bytes = 0

    def look(self, where: str, content: bytes | mmap.mmap) -> None:
        """Look through some bytes."""
        self.bytes += len(content)
        for match in self._pattern.finditer(content):
            self.found.setdefault(self._names[match[0]], set()).add(where)

    def file(self, path: Path, where: str) -> None:
        """Look through a file, where there is any."""
        try:
            with path.open("rb") as opened:
                if path.stat().st_size:
                    with mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) as content:
                        self.look(where, content)
        except FileNotFoundError:
            # PostgreSQL takes its files away while we look.
            return


async def look_everywhere(
    finds: Finds, suite: Suite, admin: asyncpg.Connection, data: Path
) -> None:
    """Look through tables, as they are and as files, the write-ahead log, logs and metrics.

    `admin`: of the suite's database, on a server with its data in `data`.
    """
    await admin.execute("CHECKPOINT")
    async for where, content in dumped(admin):
        finds.look(where, content)
    number = await admin.fetchval("SELECT oid FROM pg_database WHERE datname = current_database()")
    for folder in (data / "base" / str(number), data / "pg_wal"):
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                finds.file(path, f"{folder.name}")
    finds.file(data.parent / "postgres.log", "postgres.log")
    for path in sorted(suite.folder.glob("*.log")):
        finds.file(path, path.name)
    for name, content in pages(suite.metrics_endpoints).items():
        finds.look(f"/metrics of {name}", content)


async def dumped(admin: asyncpg.Connection) -> AsyncIterator[tuple[str, bytes]]:
    """Yield each table of ours by name, as COPY has it."""
    rows = await admin.fetch(
        "SELECT schemaname, tablename FROM pg_tables WHERE schemaname = ANY ($1::text[])",
        list(SCHEMAS),
    )
    for schema, table in rows:
        content = BytesIO()
        await admin.copy_from_table(table, schema_name=schema, output=content, format="binary")
        yield f"{schema}.{table}", content.getvalue()


def pages(endpoints: Mapping[str, str]) -> Mapping[str, bytes]:
    """Return the metrics of each process."""
    found = {}
    for name, address in endpoints.items():
        with urllib.request.urlopen(f"http://{address}/metrics", timeout=10) as answer:
            found[name] = answer.read()
    return found
