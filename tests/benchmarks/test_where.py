"""Samples and counts become microseconds by part."""

import os
import time

import pytest

from tests.benchmarks import where

REPORT = """\
   12    7f380b2f8e62 (/usr/lib/x86_64-linux-gnu/libpython3.11.so.1.0)
   12  ffffffff815fd38b ([kernel.kallsyms])
   12/14    7f380b2f8e62 (/site-packages/grpc/_cython/cygrpc.cpython-311-x86_64-linux-gnu.so)
   12    7f380b2f8e62 (/usr/bin/python3.11)
  300  ffffffff815fd38b ([kernel.kallsyms])

"""


@pytest.mark.parametrize(
    ("library", "part"),
    [
        ("libpython3.11.so.1.0", "CPython"),
        ("_asyncio.cpython-311-x86_64-linux-gnu.so", "CPython"),
        ("", "CPython"),
        ("[kernel.kallsyms]", "kernel"),
        ("cygrpc.cpython-311-x86_64-linux-gnu.so", "gRPC"),
        ("_message.abi3.so", "protobuf"),
        ("loop.cpython-311-x86_64-linux-gnu.so", "uvloop"),
        ("_core.cpython-311-x86_64-linux-gnu.so", "compiled core"),
        ("_multiarray_umath.cpython-311-x86_64-linux-gnu.so", "NumPy and BLAS"),
        ("libscipy_openblas64_-32a4b2a6.so", "NumPy and BLAS"),
        ("libfaiss.so", "FAISS"),
        ("onnxruntime_pybind11_state.cpython-311-x86_64-linux-gnu.so", "ONNX"),
        ("protocol.cpython-311-x86_64-linux-gnu.so", "PostgreSQL"),
        ("libc.so.6", "libc"),
    ],
)
def test_a_library_belongs_to_a_part(library: str, part: str) -> None:
    assert where.part_of(library) == part


def test_samples_are_shares_by_process() -> None:
    assert where.shares(REPORT) == {
        12: {"CPython": 0.5, "kernel": 0.25, "gRPC": 0.25}, 300: {"kernel": 1.0},
    }  # fmt: skip
    assert where.shares("") == {}


def test_time_is_split_by_samples() -> None:
    threads = {("ranker", "main"): 3.0, ("ranker", "grpc"): 1.0, ("profile", "main"): 9.0}
    spent = where.Taken(threads, {"ranker": 1.0, "profile": 9.0})
    found = {7: {"CPython": 0.75, "kernel": 0.25}}
    assert where.split(spent, "ranker", found, [7], 1000) == {"CPython": 3000.0, "kernel": 1000.0}
    # Nobody may look: what is the kernel's is known all the same.
    told = where.split(spent, "ranker", {}, [7], 1000)
    assert told == {"kernel": 1000.0, "all else": 3000.0}


def test_a_server_of_many_processes_is_one_part() -> None:
    spent = where.Taken({("PostgreSQL", "main"): 2.0}, {"PostgreSQL": 1.0})
    told = where.split(spent, "PostgreSQL", {1: {"libc": 1.0}}, [1, 2], 1000)
    assert told == {"PostgreSQL": 2000.0}


def test_a_table_has_the_largest_part_first_and_sums() -> None:
    found = where.Cost(
        {"ranker": {"kernel": 100.0, "CPython": 300.0}, "echo": {"kernel": 250.0}},
        {("ranker", "main"): 390.0, ("ranker", "timer"): 1.0}, {"ranker": 50.0, "echo": 0.0},
    )  # fmt: skip
    assert where.table(found) == [
        "| us | ranker | echo | all |", "|---|---|---|---|",
        "| kernel | 100 | 250 | 350 |", "| CPython | 300 | 0 | 300 |",
        "| **all** | 400 | 250 | 650 |", "| of it idling | 50 | 0 | 50 |",
        "", "By thread: ranker's main 390 us.",
    ]  # fmt: skip


def test_time_of_this_process_is_counted() -> None:
    pids = {"us": [os.getpid()], "gone": [2**22 + 1]}
    before = where.taken(pids)
    began = time.thread_time()
    while time.thread_time() - began < 0.05:
        pass
    found = where.less(where.taken(pids), before)
    assert found.of("us") >= 0.05
    assert found.threads["us", "main"] >= 0.05
    assert found.of("gone") == 0


def test_what_is_made_is_put_between_the_marks() -> None:
    text = f"# Page\n\n{where.BEGIN}\nold\n{where.END}\nmore\n"
    made = where.replaced(text, "new")
    assert made == f"# Page\n\n{where.BEGIN}\nnew\n{where.END}\nmore\n"
    assert where.replaced(made, "new") == made


@pytest.mark.parametrize("text", ["", where.BEGIN, f"{where.END}{where.BEGIN}"])
def test_a_page_without_its_marks_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="the page must have"):
        where.replaced(text, "new")


def test_the_page_has_its_marks() -> None:
    where.replaced(where.PAGE.read_text(), "new")
