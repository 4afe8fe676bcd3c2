"""What every workload in Kubernetes promises: validity, probes, limits, and few privileges."""

import re
import tomllib
from pathlib import Path

import pytest

from harken.feedback.v1 import embedding_service_pb2, feedback_service_pb2
from harken.profile.v1 import profile_service_pb2
from harken.ranker.v1 import ranker_service_pb2
from services.common.server import LIVENESS
from tests.deploy.rendered import ROOT, SERVERS, Rendered, check_valid, texts

READINESS = {
    "harken-feedback": feedback_service_pb2.DESCRIPTOR.services_by_name["FeedbackService"],
    "harken-learner": embedding_service_pb2.DESCRIPTOR.services_by_name["EmbeddingService"],
    "harken-profile": profile_service_pb2.DESCRIPTOR.services_by_name["ProfileService"],
    "harken-ranker": ranker_service_pb2.DESCRIPTOR.services_by_name["RankerService"],
}
SECRET_SETTINGS = ("DSN", "PASSWORD", "TOKEN", "SECRET")


@pytest.mark.parametrize("version", ["1.30.0", "1.37.0"])
def test_all_manifests_are_valid(rendered: Rendered, version: str, tmp_path: Path) -> None:
    check_valid(rendered, version, tmp_path)


def test_the_processes_of_the_design_are_there(rendered: Rendered) -> None:
    assert {one.name for one in rendered.servers()} == set(READINESS)
    jobs = {one.name for one in rendered.workloads() if one.kind == "Job"}
    assert jobs == {"harken-feedback-migration", "harken-profile-migration"}
    nightly = {one.name for one in rendered.workloads() if one.kind == "CronJob"}
    assert nightly == ({"harken-backup"} if rendered.overlay == "prod" else set())
    has_database = any(one.name == "harken-postgres" for one in rendered.workloads())
    assert has_database == (rendered.overlay == "dev")


def test_probes_ask_for_what_they_are_about(rendered: Rendered) -> None:
    for one in rendered.servers():
        # The port without TLS, where there is TLS.
        port = one.ports.get("health", one.ports["grpc"])
        container = one.container
        # A restart heals no feed or database that is away.
        for kind in ("startupProbe", "livenessProbe"):
            assert container[kind]["grpc"] == {"port": port, "service": LIVENESS}, one.name
        ready = READINESS[one.name].full_name
        assert container["readinessProbe"]["grpc"] == {"port": port, "service": ready}
        startup = container["startupProbe"]
        assert startup["periodSeconds"] * startup["failureThreshold"] >= 60
        assert container["readinessProbe"]["periodSeconds"] <= 1
    for one in rendered.workloads():
        if one.kind in SERVERS:
            assert {"startupProbe", "livenessProbe", "readinessProbe"} <= set(one.container)


def test_every_pod_is_restricted(rendered: Rendered) -> None:
    (namespace,) = rendered.of("Namespace")
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    for one in rendered.workloads():
        pod = one.pod["securityContext"]
        assert pod["runAsNonRoot"] is True
        assert pod["runAsUser"] >= 100
        assert pod["seccompProfile"] == {"type": "RuntimeDefault"}
        assert one.container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert one.pod["automountServiceAccountToken"] is False
        assert one.pod["enableServiceLinks"] is False
        assert not {"hostNetwork", "hostPID", "hostIPC"} & set(one.pod)
        assert not any("hostPath" in volume for volume in one.pod.get("volumes", ()))


def test_every_workload_has_an_account_of_its_own(rendered: Rendered) -> None:
    accounts = {one["metadata"]["name"]: one for one in rendered.of("ServiceAccount")}
    assert all(one["automountServiceAccountToken"] is False for one in accounts.values())
    assert not rendered.of("Role", "ClusterRole", "RoleBinding", "ClusterRoleBinding")
    assert [one.pod["serviceAccountName"] for one in rendered.workloads()] == [
        one.name for one in rendered.workloads()
    ]
    assert set(accounts) == {one.name for one in rendered.workloads()}


def test_every_container_says_what_it_needs(rendered: Rendered) -> None:
    for one in rendered.workloads():
        resources = one.container["resources"]
        assert set(resources["requests"]) == {"cpu", "memory"}
        assert "memory" in resources["limits"]


def test_replicas_are_spread(rendered: Rendered) -> None:
    for one in rendered.servers():
        spread = one.pod["topologySpreadConstraints"]
        assert [s["topologyKey"] for s in spread] == [
            "kubernetes.io/hostname",
            "topology.kubernetes.io/zone",
        ]
        for constraint in spread:
            (label,) = constraint["labelSelector"]["matchLabels"].items()
            assert label in one.labels.items()


def test_secrets_are_references(rendered: Rendered) -> None:
    assert not rendered.of("Secret")
    for one in rendered.workloads():
        for name, value in rendered.environment(one).items():
            if name.endswith(SECRET_SETTINGS):
                assert value == "<secretKeyRef>", name
    for text in texts(rendered.manifests):
        assert not re.search(r"postgres(ql)?://\S*:\S+@", text)


def test_the_install_page_makes_every_secret(rendered: Rendered) -> None:
    page = (ROOT / "deploy/README.md").read_text()
    commands = page.split("create secret generic ")[1:]
    made = {
        text.split()[0]: set(re.findall(r"--from-literal=([\w-]+)=", text)) for text in commands
    }
    for one in rendered.workloads():
        for variable in one.container.get("env", ()):
            if "secretKeyRef" in variable.get("valueFrom", {}):
                reference = variable["valueFrom"]["secretKeyRef"]
                there = reference["key"] in made[reference["name"]]
                assert there or reference.get("optional")


def test_images_have_a_version_and_are_of_this_release(rendered: Rendered) -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    for one in rendered.workloads():
        image, _, tag = one.container["image"].rpartition(":")
        assert image
        if "harken/" in image:
            assert tag == version
            # The entry point is the image's.
            assert "command" not in one.container
