"""Backups of a PostgreSQL that takes encrypted connections only.

The programs of the extra `local` have no TLS; what is in front of PostgreSQL here is the oracle: it
lets nothing through that is not encrypted, and its certificate is for 127.0.0.1 and localhost.
"""

import ssl
from collections.abc import Callable
from pathlib import Path

import asyncpg
import pytest

from services.cli.backup.postgres_clients import find_clients
from services.cli.backup.tls_relay import tls_relay, wants_tls
from services.cli.failures import CommandError
from services.cli.suite import Suite, SuiteConfig
from tests.cli.harken_process import harken
from tests.conftest import FreshDatabase
from tests.deploy.edge.binaries import needs
from tests.deploy.edge.running_edge import make_certificate
from tests.postgres_over_tcp import over_tcp

CHECKED = "sslmode=verify-full&sslrootcert="


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("certificate")
    make_certificate(folder)
    return folder / "tls.crt"


@pytest.fixture(scope="module")
def tls(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, certificate.with_name("tls.key"))
    return context


async def one_over(dsn: str) -> int:
    """Return 1, asked through the relay of a DSN."""
    async with tls_relay(dsn) as relayed:
        connection = await asyncpg.connect(relayed)
        try:
            return int(await connection.fetchval("SELECT 1"))
        finally:
            await connection.close()


@needs("openssl", "Debian package")
async def test_backup_and_restore_are_encrypted(
    database: FreshDatabase,
    new_database: Callable[[], FreshDatabase],
    tls: ssl.SSLContext,
    certificate: Path,
    guardian: object,
    tmp_path: Path,
) -> None:
    config = SuiteConfig(tmp_path / "suite", database.feedback_dsn, database.profile_dsn)
    Suite(config, guardian).migrate()  # type: ignore[arg-type]
    fresh = new_database()
    checked = CHECKED + str(certificate)
    for command, where in (("backup", database), ("restore", fresh)):
        async with (
            over_tcp(where.feedback_dsn, tls) as feedback,
            over_tcp(where.profile_dsn, tls) as profile,
        ):
            plain = await harken(
                command, str(tmp_path / "backup"), "--feedback-dsn", f"{feedback}?sslmode=disable",
                "--profile-dsn", f"{profile}?sslmode=disable", folder=tmp_path,
            )  # fmt: skip
            assert plain.code == 1
            done = await harken(
                command, str(tmp_path / "backup"), "--feedback-dsn", f"{feedback}?{checked}",
                "--profile-dsn", f"{profile}?{checked}", folder=tmp_path,
            )  # fmt: skip
            assert done.code == 0, done.errors
    admin = await asyncpg.connect(fresh.admin_dsn)
    assert await admin.fetchval("SELECT count(*) FROM feedback.shards") == 1
    assert await admin.fetchval("SELECT count(*) FROM profile.entries_cursor") == 1
    await admin.close()


@needs("openssl", "Debian package")
async def test_the_certificate_is_checked_as_the_dsn_asks(
    database: FreshDatabase, tls: ssl.SSLContext, certificate: Path, tmp_path: Path
) -> None:
    make_certificate(tmp_path)
    other = tmp_path / "tls.crt"
    async with over_tcp(database.feedback_dsn, tls) as dsn:
        for query in ("", "?sslmode=require", f"?{CHECKED}{certificate}"):
            assert await one_over(dsn + query) == 1
        for mode in ("verify-full", "verify-ca", "require"):
            with pytest.raises((OSError, asyncpg.PostgresError)):
                await one_over(f"{dsn}?sslmode={mode}&sslrootcert={other}")
    async with over_tcp(database.feedback_dsn, tls, "127.0.0.2") as elsewhere:
        assert await one_over(f"{elsewhere}?sslmode=verify-ca&sslrootcert={certificate}") == 1
        with pytest.raises((OSError, asyncpg.PostgresError)):
            await one_over(f"{elsewhere}?{CHECKED}{certificate}")


async def test_a_server_without_tls_gets_only_who_does_not_insist(database: FreshDatabase) -> None:
    async with over_tcp(database.feedback_dsn) as plain:
        dsn = plain.partition("?")[0]
        assert await one_over(f"{dsn}?sslmode=prefer") == 1
        with pytest.raises((OSError, asyncpg.PostgresError)):
            await one_over(f"{dsn}?sslmode=require")


async def test_what_cannot_be_done_is_refused_by_name() -> None:
    for query, said in (
        ("sslmode=require&sslcrl=/tmp/crl", "sslcrl"),
        ("sslmode=sometimes", "sometimes"),
        ("host=a,b&port=1,2", "several servers"),
    ):
        with pytest.raises(CommandError, match=said):
            async with tls_relay(f"postgresql://u@/db?{query}"):
                pass


def test_only_dsns_that_may_lead_to_tls_are_relayed() -> None:
    assert wants_tls("postgresql://u@db.example/h")
    assert wants_tls("postgresql://u@/h?host=db.example&sslmode=verify-full")
    assert not wants_tls("postgresql://u@db.example/h?sslmode=disable")
    assert not wants_tls("postgresql://u@/h?host=/run/postgresql")


def test_the_programs_of_the_extra_have_no_tls() -> None:
    """When this fails, the relay can go."""
    assert not find_clients(18).have_tls()
