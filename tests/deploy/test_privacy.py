"""The component that turns keys on: who stores has both files, and a ranker only what it needs."""

from pathlib import Path

import pytest

from tests.deploy.rendered import OVERLAYS, Rendered, check_valid, render_with
from tests.deploy.test_settings import SETTINGS, service_of

STORING = {
    "harken-feedback",
    "harken-learner",
    "harken-profile",
    "harken-feedback-migration",
}


@pytest.fixture(scope="module", params=OVERLAYS)
def private(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Rendered:
    folder = tmp_path_factory.mktemp("overlay")
    return render_with(request.param, ["access", "privacy"], folder)


def test_files_are_mounted_where_settings_name_them(private: Rendered, tmp_path: Path) -> None:
    check_valid(private, "1.30.0", tmp_path)
    having = set()
    for one in private.workloads():
        if one.name in ("harken-postgres", "harken-backup"):
            continue
        service = service_of(one)
        prefix = f"HARKEN_{service.upper()}_"
        found = private.environment(one)
        names = {name.removeprefix(prefix).lower() for name in found if name.startswith(prefix)}
        assert names <= set(SETTINGS[service].model_fields), one.name
        mounts = {m["mountPath"]: m["name"] for m in one.container.get("volumeMounts", ())}
        secrets = {
            volume["name"]: volume["secret"]["secretName"]
            for volume in one.pod.get("volumes", ())
            if "secret" in volume
        }
        for setting, secret in (
            ("PSEUDONYM_KEY_FILE", "harken-pseudonyms"),
            ("VAULT_KEY_FILE", "harken-vault"),
        ):
            path = found.get(f"{prefix}{setting}")
            if path is not None:
                assert secrets[mounts[path.rpartition("/")[0]]] == secret
                having.add((one.name, secret))
        together = f"{prefix}VAULT_KEY_FILE" in found
        assert (found.get(f"{prefix}VAULT_DSN") == "<secretKeyRef>") == together
    assert {name for name, secret in having if secret == "harken-vault"} == STORING
    assert {name for name, secret in having if secret == "harken-pseudonyms"} == {
        *STORING, "harken-ranker",
    }  # fmt: skip
