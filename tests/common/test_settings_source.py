"""Where settings come from, and what is said about wrong ones."""

import os
from pathlib import Path

import pytest

from services.common.service_settings import RELOADS
from services.common.settings_source import SettingsError, SettingsSource
from services.feedback.config import FeedbackConfig
from services.ranker.config import RankerConfig


@pytest.fixture(autouse=True)
def no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for key in [key for key in os.environ if key.startswith("HARKEN_")]:
        monkeypatch.delenv(key)


def source(**given: str) -> SettingsSource[RankerConfig]:
    return SettingsSource(RankerConfig, given)


def use_file(monkeypatch: pytest.MonkeyPatch, path: Path, text: str) -> None:
    path.write_text(text)
    monkeypatch.setenv("HARKEN_RANKER_CONFIG_FILE", str(path))


def faults(of: SettingsSource[RankerConfig]) -> list[str]:
    with pytest.raises(SettingsError) as raised:
        of.load()
    return [str(fault) for fault in raised.value.faults]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("ranker.toml", 'replica = "file"\nslate_queue = 7\n[surface_weights.home]\nhide = -1\n'),
        (
            "ranker.json",
            '{"replica": "file", "slate_queue": 7, "surface_weights": {"home": {"hide": -1}}}',
        ),
    ],
)
def test_command_line_then_environment_then_file_then_default(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str, text: str
) -> None:
    use_file(monkeypatch, tmp_path / name, text)
    loaded = source().load()
    assert (loaded.settings.replica, loaded.settings.slate_queue) == ("file", 7)
    assert loaded.settings.surface_weights == {"home": {"hide": -1.0}}
    assert loaded.settings.max_in_flight == 512
    assert loaded.hidden == ()
    # As for all of pydantic's, the case of a variable does not matter.
    monkeypatch.setenv("harken_ranker_replica", "environment")
    loaded = source().load()
    assert (loaded.settings.replica, loaded.settings.slate_queue) == ("environment", 7)
    assert loaded.hidden == ("HARKEN_RANKER_REPLICA",)
    assert source(replica="line").load().settings.replica == "line"


def test_a_wrong_value_is_named_with_its_file_and_never_shown(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = tmp_path / "ranker.toml"
    use_file(monkeypatch, path, 'slate_queue = "secret"\nlogged_share = 2\n')
    monkeypatch.setenv("HARKEN_RANKER_MAX_READY_LAG", "-1")
    found = faults(source())
    assert [line.partition(": ")[0] for line in found] == [
        "HARKEN_RANKER_MAX_READY_LAG",
        f"HARKEN_RANKER_LOGGED_SHARE in {path}",
        f"HARKEN_RANKER_SLATE_QUEUE in {path}",
    ]
    assert "secret" not in "".join(found)


@pytest.mark.parametrize("value", ["inf", "nan", "-inf"])
def test_numbers_are_finite(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("HARKEN_RANKER_MAX_SILENCE_SECONDS", value)
    (line,) = faults(source())
    assert line.startswith("HARKEN_RANKER_MAX_SILENCE_SECONDS: ")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("away.toml", None),
        ("ranker.yaml", "replica: a"),
        ("ranker.toml", "replica = secret"),
        ("ranker.json", '{"replica": secret}'),
        ("list.json", '["secret"]'),
        ("bytes.toml", b"replica = '\xff'"),
    ],
)
def test_a_file_that_cannot_be_read_is_a_fault_of_its_key(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str, text: str | bytes | None
) -> None:
    path = tmp_path / name
    if text is not None:
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
    monkeypatch.setenv("HARKEN_RANKER_CONFIG_FILE", str(path))
    (line,) = faults(source())
    assert line.startswith("HARKEN_RANKER_CONFIG_FILE: ")
    assert name in line
    assert "secret" not in line


def test_unknown_keys_are_told_from_what_kubernetes_sets(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = tmp_path / "ranker.toml"
    use_file(monkeypatch, path, f'slate_que = 7\nconfig_file = "{path}"\n')
    links = [
        "HARKEN_RANKER_SERVICE_HOST",
        "HARKEN_RANKER_SERVICE_PORT",
        "HARKEN_RANKER_SERVICE_PORT_GRPC",
        "HARKEN_RANKER_PORT",
        "HARKEN_RANKER_PORT_7403_TCP",
        "HARKEN_RANKER_PORT_7403_TCP_ADDR",
        "HARKEN_RANKER_HEADLESS_SERVICE_HOST",
    ]
    for key in (*links, "HARKEN_RANKER_MAX_INFLIGHT", "HARKEN_RANKER_SURPRISE"):
        monkeypatch.setenv(key, "tcp://10.0.0.1:7403")
    # This one tells `harken` where the ranker is.
    monkeypatch.setenv("HARKEN_RANKER_TARGET", "ranker:7403")
    loaded = source().load()
    assert sorted(loaded.links) == sorted(links)
    assert [str(fault) for fault in loaded.unknown] == [
        "HARKEN_RANKER_MAX_INFLIGHT: is no setting; did you mean HARKEN_RANKER_MAX_IN_FLIGHT?",
        "HARKEN_RANKER_SURPRISE: is no setting",
        f"config_file in {path}: is no setting",
        f"slate_que in {path}: is no setting; did you mean slate_queue?",
    ]


def test_what_reloads_is_what_the_issue_asks_for() -> None:
    assert RankerConfig.marked(RELOADS) >= {
        "log_level", "max_in_flight", "surface_weights", "surface_seen", "logged_share",
        "max_ready_lag",
    }  # fmt: skip
    assert FeedbackConfig.marked(RELOADS) >= {"log_level", "max_in_flight", "event_types"}
    # Replay of the log must not depend on when a setting changed (truth 4).
    assert not FeedbackConfig.marked(RELOADS) & {
        "preset", "dimension", "step_events", "shown_eta", "settle_seconds", "guard_bound",
    }  # fmt: skip
