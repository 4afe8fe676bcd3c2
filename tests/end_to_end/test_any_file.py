"""Made files of all formats into real processes and out again: import = evaluate = export.

Truths 1 and 2: what was accepted is there, once, however often a file is imported.
"""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.conftest import StartSuite
from tests.dataset.any_file import any_file
from tests.dataset.round_trip import Checker, round_trips
from tests.dataset.test_any_file import check


@pytest.fixture(scope="module")
def checker(module_suite: StartSuite) -> Iterator[Checker]:
    with round_trips(module_suite(preset="shopping", rankers=1).endpoints, "made") as found:
        yield found


@settings(
    max_examples=600,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(data=st.data())
def test_what_a_file_says_is_in_the_log_once(checker: Checker, data: st.DataObject) -> None:
    made = data.draw(any_file(checker.prefix()))
    with tempfile.TemporaryDirectory() as folder:
        check(made, Path(folder))
    checker.check(made)
