"""All services read their settings alike, and fail alike (section "one clear line per key")."""

import asyncio
import os
import socket
import sys
from pathlib import Path

import pytest

from services.common.service_settings import ServiceSettings
from services.feedback.config import FeedbackConfig
from services.profile.config import ProfileConfig
from services.ranker.config import RankerConfig

ROOT = Path(__file__).parents[2]
DSN = "postgresql:///nowhere?host=/nonexistent"
SETTINGS: dict[str, type[ServiceSettings]] = {
    "feedback": FeedbackConfig,
    "profile": ProfileConfig,
    "ranker": RankerConfig,
}


JUDGED = {"insecure", "open_metrics"}
"""They only say that others are meant as they are."""


async def run(service: str, *arguments: str, **settings: str) -> tuple[int | None, str]:
    """Run a service that ends by itself; return its exit code and standard error."""
    prefix = f"HARKEN_{service.upper()}_"
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", f"services.{service}", *arguments,
        cwd=ROOT,
        env={
            **{key: value for key, value in os.environ.items() if not key.startswith("HARKEN_")},
            "PYTHONPATH": os.pathsep.join((str(ROOT), str(ROOT / "protos/gen"))),
            **{f"{prefix}{key.upper()}": value for key, value in settings.items()},
        },
        stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    _, stderr = await process.communicate()
    return process.returncode, stderr.decode()


@pytest.mark.parametrize("service", SETTINGS)
async def test_wrong_settings_are_one_line_each(service: str) -> None:
    code, stderr = await run(
        service, dsn="mysql://root:secret@there", listen="7401", metrics_listen="host:70000",
        max_in_flight="0", log_level="loud", event_types='{"like": {"weight": "big"}}',
        preset="nonsense", queue_events="few", replica="",
        surface_seen='{"home": {"purchase": "soon"}}',
    )  # fmt: skip
    wrong = {"LISTEN", "METRICS_LISTEN", "MAX_IN_FLIGHT", "LOG_LEVEL"}
    match service:
        case "feedback":
            wrong |= {"DSN", "PRESET", "EVENT_TYPES at like.weight", "QUEUE_EVENTS"}
        case "profile":
            wrong |= {"DSN"}
        case "ranker":
            wrong |= {"REPLICA", "PRESET", "SURFACE_SEEN"}
    assert code == 2
    keys = {line.partition(": ")[0] for line in stderr.splitlines()}
    assert keys == {f"HARKEN_{service.upper()}_{key}" for key in wrong}
    assert "secret" not in stderr


@pytest.mark.parametrize("service", ["feedback", "profile"])
@pytest.mark.parametrize("arguments", [(), ("--migrate",)])
async def test_without_a_store_the_log_says_so_in_one_line(
    service: str, arguments: tuple[str, ...]
) -> None:
    # dbmate waits for a server that is away, but not for an address that cannot be.
    dsn = "postgresql://there:no-port/harken" if arguments else DSN
    code, stderr = await run(service, *arguments, dsn=dsn, listen="127.0.0.1:0")
    assert code == 1
    (line,) = stderr.splitlines()
    assert '"error"' in line


async def test_a_role_on_the_command_line_goes_before_the_environment() -> None:
    code, stderr = await run(
        "feedback", "--role", "ingest", role="nonsense", listen="wrong", dsn=DSN
    )
    assert code == 2
    assert "ROLE" not in stderr


@pytest.mark.parametrize("settings", SETTINGS.values())
def test_every_setting_is_described_and_fixed(settings: type[ServiceSettings]) -> None:
    for name, field in settings.model_fields.items():
        assert field.description, name
    assert settings.model_config.get("frozen")


@pytest.mark.parametrize("service", SETTINGS)
def test_every_setting_is_read_somewhere(service: str) -> None:
    own = (ROOT / "services" / service).rglob("*.py")
    readers = (
        "access/process_access", "service_main", "service_settings", "settings_reload",
        "vault/opening",
    )  # fmt: skip
    common = [ROOT / f"services/common/{name}.py" for name in readers]
    text = "".join(path.read_text() for path in (*own, *common))
    for name in SETTINGS[service].model_fields.keys() - JUDGED:
        read = (f"config.{name}", f"settings.{name}", f"self.{name}", f"value.{name}")
        assert any(one in text for one in read), name


@pytest.mark.parametrize("key", ["listen", "metrics_listen"])
async def test_a_taken_port_is_one_line_that_names_it(key: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        free = {"listen": "127.0.0.1:0", "metrics_listen": "127.0.0.1:0"}
        code, stderr = await run("ranker", **{**free, key: address})
    assert code == 1
    (line,) = stderr.splitlines()
    assert f"cannot listen on {address}: Address already in use" in line
