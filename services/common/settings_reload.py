"""Reads the settings file again, on SIGHUP and when it changed, while the process runs."""

import asyncio
import contextlib
import signal
from collections.abc import Callable
from typing import Generic

from prometheus_client import CollectorRegistry, Counter, Gauge

from services.common.logs import logger
from services.common.reloadable import Reloadable
from services.common.service_settings import RELOADS
from services.common.settings_file import Stamp, stamp_of
from services.common.settings_source import Loaded, Settings, SettingsError, SettingsSource

WATCH_SECONDS = 2.0
"""Between two looks at the file, where there is one: Kubernetes replaces mounted files and sends no
signal."""
_log = logger("settings")


class ReloadMetrics:
    """What became of reloads."""

    def __init__(self, registry: CollectorRegistry) -> None:
        reloads = Counter(
            "harken_config_reloads", "Readings of the settings after the first, by what they did.",
            ["result"], registry=registry,
        )  # fmt: skip
        self.applied = reloads.labels("applied")
        self.unchanged = reloads.labels("unchanged")
        self.refused = reloads.labels("refused")
        self.valid = Gauge(
            "harken_config_valid", "0 while the settings last read are wrong.", registry=registry
        )
        self.valid.set(1)


class SettingsReload(Generic[Settings]):
    """Sets the settings marked RELOADS; names those that need a restart."""

    def __init__(
        self,
        source: SettingsSource[Settings],
        live: Reloadable[Settings],
        metrics: ReloadMetrics,
        on_log_level: Callable[[str], None],
    ) -> None:
        self._source = source
        self._live = live
        self._metrics = metrics
        self._on_log_level = on_log_level
        self._asked = asyncio.Event()
        self._seen = self._stamp()

    async def run(self) -> None:
        """Reload on SIGHUP and after changes of the file, until cancelled."""
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, self._asked.set)
        pause = None if self._live.value.config_file is None else WATCH_SECONDS
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._asked.wait()
            asked = self._asked.is_set()
            self._asked.clear()
            # Before reading: a change meanwhile is found by the next look.
            now = await asyncio.to_thread(self._stamp)
            if asked or now != self._seen:
                self._seen = now
                await self.reload()

    async def reload(self) -> None:
        """Read everything anew; a fault changes nothing."""
        try:
            loaded = await asyncio.to_thread(self._source.load)
        except SettingsError as error:
            self._metrics.refused.inc()
            self._metrics.valid.set(0)
            for fault in error.faults:
                _log.error(
                    "settings are wrong, kept as they were", key=fault.key, fault=fault.message
                )
            return
        self._metrics.valid.set(1)
        log_doubts(loaded)
        changed = self._apply(loaded.settings)
        (self._metrics.applied if changed else self._metrics.unchanged).inc()
        _log.info("settings reloaded", keys=changed)

    def _apply(self, new: Settings) -> list[str]:
        """Set what may change while we run; return the keys of what did."""
        before = self._live.value
        names = [
            name for name in type(new).model_fields if getattr(new, name) != getattr(before, name)
        ]
        reloading = new.marked(RELOADS)
        later = [new.key_of(name) for name in names if name not in reloading]
        if later:
            _log.warning("changed settings need a restart", keys=later)
        values = {name: getattr(new, name) for name in names if name in reloading}
        if "log_level" in values:
            self._on_log_level(new.log_level)
        if values:
            self._live.set(before.model_copy(update=values))
        return [new.key_of(name) for name in values]

    def _stamp(self) -> Stamp | None:
        path = self._live.value.config_file
        return None if path is None else stamp_of(path)


def log_doubts(loaded: Loaded[Settings]) -> None:
    """Log what is probably not meant, though we can run with it.

    Unknown keys do not stop a process: in a rolling upgrade old and new ones share a ConfigMap.
    """
    for fault in loaded.unknown:
        _log.warning("unknown setting ignored", key=fault.key, fault=fault.message)
    if loaded.hidden:
        _log.warning(
            "set in the file in vain, the environment goes first", keys=list(loaded.hidden)
        )
    if loaded.links:
        _log.warning(
            "variables of Kubernetes ignored, set enableServiceLinks: false",
            keys=list(loaded.links),
        )
