"""What pods are configured with is what the services read, and is right."""

import json
import tomllib
from collections.abc import Callable, Mapping

import pytest

from services.common.service_settings import ServiceSettings
from services.feedback.config import FeedbackConfig
from services.profile.config import ProfileConfig
from services.ranker.config import RankerConfig
from tests.deploy.rendered import Rendered, Workload

SETTINGS: Mapping[str, type[ServiceSettings]] = {
    "feedback": FeedbackConfig,
    "profile": ProfileConfig,
    "ranker": RankerConfig,
}
INSTEAD = {
    "<secretKeyRef>": "postgresql://somebody@somewhere/harken",
    "<fieldRef>": "harken-ranker-7d9c5b6f4-x2v8k",
}


def service_of(workload: Workload) -> str:
    return str(workload.container["image"].rpartition(":")[0].rpartition("/")[2])


def ours(rendered: Rendered) -> list[Workload]:
    """Return the pods of the services; a backup is a command, which has options and no settings."""
    others = ("harken-postgres", "harken-backup")
    return [one for one in rendered.workloads() if one.name not in others]


def test_every_variable_is_a_setting(rendered: Rendered) -> None:
    for one in ours(rendered):
        service = service_of(one)
        prefix = f"HARKEN_{service.upper()}_"
        known = {f"{prefix}{name.upper()}" for name in SETTINGS[service].model_fields}
        assert set(rendered.environment(one)) <= known, one.name


def test_a_service_starts_with_them(
    rendered: Rendered, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    for one in ours(rendered):
        service = service_of(one)
        prefix = f"HARKEN_{service.upper()}_"
        values: dict[str, object] = {
            name.removeprefix(prefix).lower(): INSTEAD.get(value, value)
            for name, value in rendered.environment(one).items()
        }
        values |= _reloaded(rendered, one)
        for name, value in values.items():
            text = value if isinstance(value, str) else json.dumps(value)
            monkeypatch.setenv(f"{prefix}{name.upper()}", text)
        monkeypatch.delenv(f"{prefix}CONFIG_FILE", raising=False)
        settings: ServiceSettings = _from_environment(SETTINGS[service])
        if one.kind != "Job":
            # Probes and neighbours come from outside the pod.
            assert settings.listen == f"0.0.0.0:{one.ports['grpc']}"
            assert settings.metrics_listen == f"0.0.0.0:{one.ports['metrics']}"


def test_the_settings_file_is_where_the_variable_says(rendered: Rendered) -> None:
    for one in rendered.servers():
        service = service_of(one)
        path = rendered.environment(one)[f"HARKEN_{service.upper()}_CONFIG_FILE"]
        mounts = one.container["volumeMounts"]
        (mount,) = (one for one in mounts if one["name"] == "settings")
        assert path == f"{mount['mountPath']}/{service}.toml"
        # A file mounted by itself would never change.
        assert "subPath" not in mount
        assert not set(_reloaded(rendered, one)) & {
            name.removeprefix(f"HARKEN_{service.upper()}_").lower()
            for name in rendered.environment(one)
        }, "the environment would hide the file"


def test_a_change_of_wiring_rolls_pods_and_a_change_of_settings_does_not(
    rendered: Rendered,
) -> None:
    names = {one["metadata"]["name"] for one in rendered.of("ConfigMap")}
    assert "harken-settings" in names
    for one in rendered.servers():
        (source,) = one.container["envFrom"]
        name = source["configMapRef"]["name"]
        assert name in names
        assert name.startswith(f"harken-{service_of(one)}-"), "no hash at the end"


def _from_environment(settings: Callable[[], ServiceSettings]) -> ServiceSettings:
    return settings()


def _reloaded(rendered: Rendered, workload: Workload) -> dict[str, object]:
    if workload.kind == "Job":
        return {}
    data = rendered.named("ConfigMap", "harken-settings")["data"]
    return tomllib.loads(data[f"{service_of(workload)}.toml"])
