"""Tries the files of a generation in a process of its own: whatever they do there, this process
serves on.
"""

import asyncio
import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence

from services.common.errors import OverloadedError
from services.common.logs import logger
from services.common.onnx_model import ITEM_VECTORS

_MEMORY_BYTES = 384 * 1024 * 1024
_MEMORY_PER_BYTE = 4
"""A model is read, parsed, and made ready: so many copies of it."""
_CPU_SECONDS = 20
_SECONDS = 120.0
"""What it has not taken of the processor by then others took: it gives way to all that serves."""
_RETRY_SECONDS = 30.0
_PRIVATE = ("HARKEN_", "PG")
_log = logger("models")


async def trial_fault(
    file: str,
    model: bytes,
    columns_in: int,
    columns_out: int,
    contents: Sequence[Mapping[str, float]] = (),
) -> str | None:
    """Return what `model_fault` says, or that the model exceeded a limit of memory or time.

    Raises:
        OverloadedError: the machine is too busy to try it.

    """
    job = {"columns_in": columns_in, "columns_out": columns_out, "contents": len(contents)}
    return await _verdict(file, job, contents, model)


async def vectors_trial_fault(content: bytes, dimension: int, max_norm: float) -> str | None:
    """Return what is wrong with a serialised ItemVectorFile, as `trial_fault` does for models.

    Two bytes of it may be an element that takes a hundred in memory.
    """
    return await _verdict(ITEM_VECTORS, {"dimension": dimension, "max_norm": max_norm}, (), content)


async def _verdict(
    file: str, job: Mapping[str, object], contents: Iterable[Mapping[str, float]], content: bytes
) -> str | None:
    limits = {
        "file": file,
        "cpu_seconds": _CPU_SECONDS,
        "memory_bytes": _MEMORY_BYTES + _MEMORY_PER_BYTE * len(content),
    }
    process = _begun()
    try:
        # In a thread, not by the event loop: that gives up on a process that ends before it read.
        said, error = await asyncio.to_thread(
            _tried, process, ({**job, **limits}, *contents), content
        )
    except subprocess.TimeoutExpired as late:
        await asyncio.to_thread(_ended, process)
        message = f"a file was not tried within {_SECONDS:.0f} s"
        raise OverloadedError(message, _RETRY_SECONDS) from late
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
        [sys.executable, "-m", "services.feedback.generations.model_trial_process"],
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


def _ended(process: "subprocess.Popen[bytes]") -> None:
    """End the process, with what it was not told yet."""
    process.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout, process.stderr):
        if pipe is not None:
            with contextlib.suppress(BrokenPipeError):
                pipe.close()


def _environment() -> dict[str, str]:
    """Return what the process needs; no setting of ours, some of which are secret."""
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith(_PRIVATE)},
        "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
        "OPENBLAS_NUM_THREADS": "1",
        "OMP_NUM_THREADS": "1",
    }
