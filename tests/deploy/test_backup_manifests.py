"""The nightly backup in Kubernetes: when it runs, what it keeps, and how the same pod restores."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import typer.main

from services.cli.app import create_app
from tests.deploy.image_parts import command_of
from tests.deploy.rendered import ROOT, Rendered, Workload, check_valid, kubectl

PATCHES = re.findall(
    r"--from=cronjob/harken-backup --dry-run=client --output=json \|\n"
    r"  kubectl patch --local --filename=- --type=json --output=json --patch='(.+?)'",
    (ROOT / "deploy" / "operations.md").read_text(),
    re.DOTALL,
)


@pytest.fixture(scope="module")
def backup(prod: Rendered) -> Workload:
    return prod.workload("harken-backup")


def parsed(arguments: list[str]) -> tuple[str, dict[str, Any]]:
    """Return what the command line makes of arguments; fails on what it does not know."""
    name, *rest = arguments
    group = typer.main.get_command(create_app())
    command = group.commands[name]  # type: ignore[attr-defined]
    context = command.make_context(name, list(rest))
    return name, context.params


def test_one_backup_runs_at_a_time_and_ends(backup: Workload) -> None:
    spec = backup.manifest["spec"]
    assert re.fullmatch(r"\d+ \d+ \* \* \*", spec["schedule"]), "once a day"
    assert spec["timeZone"] == "Etc/UTC"
    assert spec["concurrencyPolicy"] == "Forbid"
    assert 0 < spec["startingDeadlineSeconds"] < 24 * 3600
    assert spec["successfulJobsHistoryLimit"] >= 1
    assert spec["failedJobsHistoryLimit"] >= 1
    job = spec["jobTemplate"]["spec"]
    # The next night finds nobody in its way, also after all tries.
    assert 3600 <= job["activeDeadlineSeconds"] < 24 * 3600
    assert job["backoffLimit"] >= 1
    assert backup.pod["restartPolicy"] == "Never"


def test_its_arguments_keep_some_and_remove_the_rest(backup: Workload) -> None:
    assert command_of("cli")[-1] == "services.cli"
    name, parameters = parsed(backup.container["args"])
    assert name == "backup"
    assert parameters["keep"] >= 7
    assert not parameters["check"]
    mounts = {mount["name"]: mount["mountPath"] for mount in backup.container["volumeMounts"]}
    # Beside them nothing can be written to; PostgreSQL's programs need somewhere for their words.
    assert mounts == {"backups": str(parameters["target"]), "tmp": "/tmp"}
    volumes = {volume["name"]: volume for volume in backup.pod["volumes"]}
    assert volumes["backups"]["persistentVolumeClaim"]["claimName"] == "harken-backup"
    assert "sizeLimit" in volumes["tmp"]["emptyDir"]


def test_its_volume_outlives_the_pods_and_they_may_write_to_it(
    prod: Rendered, backup: Workload
) -> None:
    claim = prod.named("PersistentVolumeClaim", "harken-backup")["spec"]
    assert claim["resources"]["requests"]["storage"]
    assert backup.pod["securityContext"]["fsGroup"] == backup.pod["securityContext"]["runAsGroup"]


def test_it_gets_both_databases_and_nothing_else(prod: Rendered, backup: Workload) -> None:
    assert prod.environment(backup) == {
        "HARKEN_FEEDBACK_DSN": "<secretKeyRef>",
        "HARKEN_PROFILE_DSN": "<secretKeyRef>",
    }
    assert not backup.ports


def test_the_documented_command_makes_the_same_pod_restore(
    prod: Rendered, backup: Workload, tmp_path: Path
) -> None:
    """`kubectl create job --from` needs a cluster: what it writes is made here, then patched."""
    (patch,) = (one for one in PATCHES if '"restore"' in one)
    job = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": "harken-restore",
            "namespace": "harken",
            "ownerReferences": [
                {"apiVersion": "batch/v1", "kind": "CronJob", "name": "harken-backup", "uid": "u"}
            ],
        },
        "spec": backup.manifest["spec"]["jobTemplate"]["spec"],
    }
    program = kubectl()
    assert program is not None
    done = subprocess.run(
        [program, "patch", "--local", "--filename=-", "--type=json", "--output=json",
         f"--patch={patch}"],
        input=json.dumps(job), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    restore = Workload(json.loads(done.stdout))
    name, parameters = parsed(restore.container["args"])
    assert name == "restore"
    assert parameters["force"]
    assert re.fullmatch(r"/backups/\d{8}T\d{6}Z", str(parameters["source"]))
    # What was half restored is not tried again by itself.
    assert restore.manifest["spec"]["backoffLimit"] == 0
    # Otherwise its success would be taken for that of a backup.
    assert "ownerReferences" not in restore.manifest["metadata"]
    assert restore.labels == backup.labels, "it may go where the backup may go"
    changed = ("args", "env")
    same = {key: value for key, value in restore.container.items() if key not in changed}
    assert same == {key: value for key, value in backup.container.items() if key not in changed}
    # It makes the schemas anew, so it connects as their owners.
    for before, after in zip(backup.container["env"], restore.container["env"], strict=True):
        source = before["valueFrom"]["secretKeyRef"]
        assert source["key"] == "dsn"
        owner = {"valueFrom": {"secretKeyRef": {**source, "key": "owner-dsn"}}}
        assert after == {**before, **owner}
    text = json.dumps(restore.manifest)
    check_valid(Rendered("restore", text, (restore.manifest,)), "1.37.0", tmp_path)
