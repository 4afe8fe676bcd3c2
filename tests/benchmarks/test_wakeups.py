"""Counts of the kernel and of perf become wake-ups and system calls of a call."""

import os
import threading

import pytest

from tests.benchmarks import wakeups
from tests.benchmarks.wakeups import Counted

PERF = """\
1404;;raw_syscalls:sys_enter;3000511912;100.00;;
"""
REFUSED = """\
Error:
No permission to enable raw_syscalls:sys_enter event.
<not supported>;;raw_syscalls:sys_enter;0;100.00;;
"""


@pytest.mark.parametrize(("said", "found"), [(PERF, [1404]), (REFUSED, []), ("", [])])
def test_system_calls_are_those_that_perf_says(said: str, found: list[int]) -> None:
    assert wakeups.system_calls_of(said) == found


def test_what_idles_is_no_part_of_a_call() -> None:
    idle = Counted(2.0, {"main": 10, "other": 10}, 60)
    busy = Counted(4.0, {"main": 140}, 320)
    call = wakeups.per_call(idle, busy, 50)
    # 140 - 2 x 20 and 320 - 2 x 60, of 50 calls.
    assert (call.woken, call.system_calls) == (2.0, 4.0)
    assert wakeups.per_call(idle, Counted(4.0, {}, None), 50).system_calls is None
    assert idle.rate() == 10.0


def test_a_thread_that_waits_is_woken() -> None:
    there, back = threading.Event(), threading.Event()

    def wait_and_answer() -> None:
        while not ended:
            there.wait()
            there.clear()
            back.set()

    ended = False
    thread = threading.Thread(target=wait_and_answer)
    thread.start()

    def wake() -> None:
        for _ in range(20):
            there.set()
            back.wait()
            back.clear()

    try:
        counted = wakeups.counted(os.getpid(), wake)
    finally:
        ended = True
        there.set()
        thread.join()
    assert wakeups.MAIN in counted.woken
    assert sum(counted.woken.values()) > 0
