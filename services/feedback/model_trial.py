"""Tries a model in a process of its own: whatever it does there, this process serves on."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence

from services.common.logs import logger

_MEMORY_BYTES = 384 * 1024 * 1024
_MEMORY_PER_BYTE = 4
"""A model is read, parsed, and made ready: so many copies of it."""
_CPU_SECONDS = 20
_SECONDS = 60.0
_PRIVATE = ("HARKEN_", "PG")
_log = logger("models")


async def trial_fault(
    file: str,
    model: bytes,
    columns_in: int,
    columns_out: int,
    contents: Sequence[Mapping[str, float]] = (),
) -> str | None:
    """Return what `model_fault` says, or that the model exceeded a limit of memory or time."""
    job = {
        "file": file,
        "columns_in": columns_in,
        "columns_out": columns_out,
        "contents": len(contents),
        "cpu_seconds": _CPU_SECONDS,
        "memory_bytes": _MEMORY_BYTES + _MEMORY_PER_BYTE * len(model),
    }
    process = _begun()
    try:
        # In a thread, not by the event loop: that gives up on a process that ends before it read.
        said, error = await asyncio.to_thread(_tried, process, (job, *contents), model)
    except subprocess.TimeoutExpired:
        process.kill()
        await asyncio.to_thread(process.communicate)
        return f"is not tried within {_SECONDS:.0f} s"
    finally:
        # Whoever uploaded may have gone away: then nobody waits for the verdict.
        process.kill()
    if process.returncode == 0:
        verdict: str | None = json.loads(said)["fault"]
        return verdict
    _log.warning(
        "a model ended its trial", kind=file, code=process.returncode,
        error=error.decode(errors="replace")[-500:],
    )  # fmt: skip
    return "ended its trial: it needs too much memory or time"


def _begun() -> "subprocess.Popen[bytes]":
    """Start the process, in a millisecond or two; in a thread, cancelling would lose it."""
    return subprocess.Popen(
        [sys.executable, "-m", "services.feedback.model_trial_process"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=_environment(),
    )


def _tried(
    process: "subprocess.Popen[bytes]", lines: Iterable[Mapping[str, object]], model: bytes
) -> tuple[bytes, bytes]:
    """Return what the process said, and its errors."""
    # Line by line: one call for all of them would hold the interpreter for a tenth of a second.
    told = "".join(json.dumps(line) + "\n" for line in lines)
    return process.communicate(told.encode() + model, _SECONDS)


def _environment() -> dict[str, str]:
    """Return what the process needs; no setting of ours, some of which are secret."""
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith(_PRIVATE)},
        "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
        "OPENBLAS_NUM_THREADS": "1",
        "OMP_NUM_THREADS": "1",
    }
