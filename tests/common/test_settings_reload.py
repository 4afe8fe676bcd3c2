"""When settings are looked at again."""

import asyncio
import os
import signal
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from services.common import settings_reload
from services.common.reloadable import Reloadable
from services.common.settings_reload import ReloadMetrics, SettingsReload
from services.common.settings_source import SettingsSource
from services.ranker.config import RankerConfig
from tests.waiting import until

_ROUNDS = 200
"""Of the event loop: many more than a look takes."""


class _Counted(SettingsReload[RankerConfig]):
    """Counts its looks at the file."""

    looks = 0

    def _stamp(self) -> None:
        self.looks += 1


@pytest.mark.parametrize("file", [None, Path("settings.toml")])
async def test_only_a_file_is_looked_at_again_and_again(
    monkeypatch: pytest.MonkeyPatch, file: Path | None
) -> None:
    """A process without one has no timer for it; SIGHUP is heard all the same."""
    monkeypatch.setattr(settings_reload, "WATCH_SECONDS", 0.0)
    metrics = ReloadMetrics(CollectorRegistry())
    live = Reloadable(RankerConfig(config_file=file))
    reload = _Counted(SettingsSource(RankerConfig, {}), live, metrics, lambda _level: None)
    task = asyncio.create_task(reload.run())
    try:
        if file is not None:
            await until(lambda: reload.looks > 3, "further looks")
            return
        for _ in range(_ROUNDS):
            await asyncio.sleep(0)
        assert reload.looks == 1
        os.kill(os.getpid(), signal.SIGHUP)
        await until(lambda: reload.looks == 2, "the look that was asked for")
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        asyncio.get_running_loop().remove_signal_handler(signal.SIGHUP)
