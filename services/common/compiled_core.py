"""The compiled core (native/), where it is installed: loops that NumPy does, too, slower.

A process looks for it once, at its start, and hands it to those that can use it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from prometheus_client import CollectorRegistry, Gauge

from services.common.compiled_loops import CompiledLoops
from services.common.logs import logger
from services.common.ranking.plain_scan import ExactScans

_missing = ""
try:
    from harken_native import _core as _installed
except ModuleNotFoundError:
    _installed, _missing = None, "it is not installed"  # type: ignore[assignment]
except ImportError as error:
    _installed, _missing = None, f"it cannot be loaded: {error}"  # type: ignore[assignment]

if TYPE_CHECKING:
    from harken_native import _core

_log = logger("compiled_core")


class CompiledCore(CompiledLoops, ExactScans, Protocol):
    """What the core holds. Every argument that does not fit is an exception, never memory."""

    @property
    def SlateDraft(self) -> type[_core.SlateDraft]:  # noqa: N802
        """Slates of the ranker: see services/ranker/domain/compiled_slates.py."""

    @property
    def VectorLists(self) -> type[_core.VectorLists]:  # noqa: N802
        """Codes of vectors in lists: see services/ranker/domain/scans.py."""

    @property
    def PlaceSelector(self) -> type[_core.PlaceSelector]:  # noqa: N802
        """Selection of slates: see services/ranker/domain/selection/compiled_select.py."""


INTERFACE = 9
"""Grows whenever what the core offers changes. A core of another number is left alone."""


def find_core() -> CompiledCore | None:
    """Return the core, None where there is none of our interface: then NumPy does all."""
    return None if _why_not() else _installed


def _why_not() -> str:
    """Return why there is no core to use; empty: there is one."""
    if _missing:
        return _missing
    found = getattr(_installed, "INTERFACE", 0)
    if found != INTERFACE:
        return f"its interface is {found}, not {INTERFACE}: run `make setup`"
    return ""


def say_core(core: CompiledCore | None, registry: CollectorRegistry) -> None:
    """Say in the log and as a metric whether a process has a compiled core."""
    gauge = Gauge(
        "harken_compiled_core", "1 where the compiled core is used, 0 where NumPy does its work.",
        registry=registry,
    )  # fmt: skip
    gauge.set(core is not None)
    if core is None:
        _log.warning("no compiled core is used: NumPy does its work, slower", reason=_why_not())
    else:
        _log.info("the compiled core is used")
