"""`harken config`: the reference page and the check of settings."""

import asyncio
from pathlib import Path

import pytest

from tests.cli.harken_process import command, environment

ROOT = Path(__file__).parents[2]
DSNS = {
    "HARKEN_FEEDBACK_DSN": "postgresql://me:secret@db/harken",
    "HARKEN_PROFILE_DSN": "postgresql://db/harken?password=secret",
}


async def config(*arguments: str, **variables: str) -> tuple[int | None, list[str], list[str]]:
    """Run `harken config`; return its code and the lines of its output and standard error."""
    clean = {key: value for key, value in environment().items() if not key.startswith("HARKEN_")}
    process = await asyncio.create_subprocess_exec(
        *command("config", *arguments),
        cwd=ROOT,
        env={**clean, **variables},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    output, errors = await process.communicate()
    return process.returncode, output.decode().splitlines(), errors.decode().splitlines()


async def test_the_committed_page_is_what_the_services_say() -> None:
    code, lines, errors = await config("reference")
    assert (code, errors) == (0, [])
    page = (ROOT / "deploy/configuration.md").read_text().splitlines()
    assert page == lines, "run: harken config reference > deploy/configuration.md"
    assert sum(line.startswith("| `HARKEN_") for line in page) > 50


async def test_values_in_force_are_printed_without_passwords() -> None:
    code, lines, errors = await config("check", **DSNS, HARKEN_RANKER_LOGGED_SHARE="0.25")
    assert (code, errors) == (0, [])
    assert [line for line in lines if line.startswith("#")] == [
        "# feedback: ok", "# profile: ok", "# ranker: ok",
    ]  # fmt: skip
    assert "HARKEN_RANKER_LOGGED_SHARE=0.25" in lines
    assert "HARKEN_FEEDBACK_DSN=postgresql://me:***@db/harken" in lines
    assert "HARKEN_PROFILE_DSN=postgresql://db/harken?password=***" in lines
    assert "secret" not in "".join(lines)


async def test_each_fault_is_a_line(tmp_path: Path) -> None:
    path = tmp_path / "ranker.toml"
    path.write_text("slate_que = 5\n")
    code, lines, errors = await config(
        "check",
        HARKEN_FEEDBACK_DSN="mysql://me:secret@db",
        HARKEN_RANKER_CONFIG_FILE=str(path),
        HARKEN_RANKER_MAX_INFLIGHT="3",
        HARKEN_RANKER_PORT="tcp://10.0.0.1:7403",
        HARKEN_RNAKER_LISTEN="127.0.0.1:1",
        HARKEN_RANKER_TARGET="ranker:7403",
    )
    assert (code, lines) == (2, [])
    assert errors == [
        "HARKEN_FEEDBACK_DSN: must begin with postgresql://",
        "HARKEN_PROFILE_DSN: Field required",
        "note: HARKEN_RANKER_PORT is of Kubernetes, ignored; set enableServiceLinks: false",
        "HARKEN_RANKER_MAX_INFLIGHT: is no setting; did you mean HARKEN_RANKER_MAX_IN_FLIGHT?",
        f"slate_que in {path}: is no setting; did you mean slate_queue?",
        "HARKEN_RNAKER_LISTEN: is no setting; did you mean HARKEN_RANKER_LISTEN?",
    ]


@pytest.mark.parametrize(("service", "code"), [("ranker", 0), ("profile", 2), ("nonsense", 2)])
async def test_one_service_is_checked_alone(service: str, code: int) -> None:
    found, lines, errors = await config("check", service)
    assert found == code
    assert bool(lines) == (code == 0)
    assert bool(errors) == (code != 0)
