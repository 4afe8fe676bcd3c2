"""The compiled core, for tests that need it."""

import pytest

from services.common.compiled_core import CompiledCore, find_core


def core_or_skip() -> CompiledCore:
    core = find_core()
    if core is None:
        pytest.skip("the compiled core is not installed", allow_module_level=True)
    return core
