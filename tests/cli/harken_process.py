"""The command line as users run it: a process of its own."""

import asyncio
import os
import sys
from dataclasses import dataclass
from pathlib import Path

from services.cli.endpoints import Endpoints

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Finished:
    """What a command did."""

    code: int
    output: str
    errors: str


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "services.cli", *arguments]


def environment(endpoints: Endpoints | None = None) -> dict[str, str]:
    own = {"PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "protos" / "gen")])}
    if endpoints is not None:
        own |= {
            "HARKEN_FEEDBACK_TARGET": endpoints.feedback,
            "HARKEN_PROFILE_TARGET": endpoints.profile,
            "HARKEN_RANKER_TARGET": ",".join(endpoints.rankers),
        }
    return {**os.environ, "COLUMNS": "120", **own}


async def harken(
    *arguments: str, folder: Path, endpoints: Endpoints | None = None, seconds: float = 60.0
) -> Finished:
    """Run a command in `folder`, against services found at `endpoints`."""
    process = await asyncio.create_subprocess_exec(
        *command(*arguments),
        cwd=folder,
        env=environment(endpoints),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(seconds):
            output, errors = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode is not None
    return Finished(process.returncode, output.decode(), errors.decode())
