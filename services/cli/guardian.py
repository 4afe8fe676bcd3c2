"""Sees to it that no process we started outlives us, even when we are killed."""

import contextlib
import signal
import subprocess
import sys
from pathlib import Path

_PROGRAM = Path(__file__).with_name("guardian_process.py")


class Guardian:
    """Names process groups to a small process beside us, which stops them when we are gone."""

    def __init__(self) -> None:
        # A session of its own: Ctrl-C must not reach it. The pipe closes when we end, however.
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", str(_PROGRAM)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            start_new_session=True,
            text=True,
        )

    def watch(self, pid: int, number: int = signal.SIGKILL) -> None:
        """Send signal `number` to the process group `pid` when we end."""
        self._tell(f"watch {pid} {int(number)}")

    def forget(self, pid: int) -> None:
        """Leave the group alone: it has ended, and its number may be somebody else's soon."""
        self._tell(f"forget {pid}")

    def close(self) -> None:
        """Stop what is still watched, and end."""
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        self._process.wait()

    def _tell(self, line: str) -> None:
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.write(line + "\n")
            self._process.stdin.flush()
