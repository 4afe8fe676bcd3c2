"""Peaks of phases, by what Linux says of this process; and of one that says nothing."""

import sys
from pathlib import Path

import numpy as np
import pytest

from services.evaluation.memory import MemoryWatch

MEBIBYTE = 2**20


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux says it")
def test_a_phase_bears_what_it_held_at_its_peak_and_not_what_others_held() -> None:
    watch = MemoryWatch()
    with watch.phase("large", "as large"):
        np.ones(200 * MEBIBYTE, np.uint8)
    with watch.phase("small"):
        # Beyond 32 MiB memory always comes from the system anew, whatever was freed before.
        np.ones(64 * MEBIBYTE, np.uint8)
    assert watch.grown["large"] == watch.grown["as large"]
    assert 190 * MEBIBYTE < watch.grown["large"] < 300 * MEBIBYTE
    assert 50 * MEBIBYTE < watch.grown["small"] < 150 * MEBIBYTE
    # Beginning a phase sets the process's own peak back; the largest of all is kept.
    assert watch.peak_bytes() > watch.grown["large"]


def test_where_the_system_does_not_say_it_there_is_no_figure(tmp_path: Path) -> None:
    watch = MemoryWatch(tmp_path / "nowhere")
    with watch.phase("unknown"):
        pass
    assert watch.grown == {}
    assert watch.peak_bytes() > 0


def test_what_fails_has_no_figure() -> None:
    watch = MemoryWatch()
    with pytest.raises(ArithmeticError), watch.phase("failed"):
        raise ArithmeticError
    assert watch.grown == {}
