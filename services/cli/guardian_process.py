"""Stops processes whose owner died. Runs as a process of its own; standard library only.

Reads lines from standard input: "watch PID SIGNAL" and "forget PID". At the end of the input, which
comes when the owner exits in whatever way, the process groups still watched get their signals, and
SIGKILL when they have not gone some seconds later.
"""

import contextlib
import os
import signal
import sys
import time

GRACE_SECONDS = 10.0
_POLL_SECONDS = 0.05


def read_watched(lines: list[str]) -> dict[int, int]:
    """Return what is watched after `lines`: process group -> signal."""
    watched: dict[int, int] = {}
    for line in lines:
        match line.split():
            case ["watch", pid, number]:
                watched[int(pid)] = int(number)
            case ["forget", pid]:
                watched.pop(int(pid), None)
            case _:
                pass
    return watched


def stop_groups(watched: dict[int, int], grace_seconds: float) -> None:
    """Signal the groups, wait for them, and kill those that stay."""
    left = [group for group, number in watched.items() if _signal(group, number)]
    deadline = time.monotonic() + grace_seconds
    while left and time.monotonic() < deadline:
        time.sleep(_POLL_SECONDS)
        left = [group for group in left if _signal(group, 0)]
    for group in left:
        _signal(group, signal.SIGKILL)


def _signal(group: int, number: int) -> bool:
    try:
        os.killpg(group, number)
    except ProcessLookupError:
        return False
    except PermissionError:
        # The number belongs to somebody else by now.
        return False
    return True


def main() -> None:
    """Wait for the end of the input, then stop what is watched."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    lines = sys.stdin.readlines()
    with contextlib.suppress(KeyboardInterrupt):
        stop_groups(read_watched(lines), GRACE_SECONDS)


if __name__ == "__main__":
    main()
