"""The component that turns access on: every process has a certificate, and probes still work."""

from pathlib import Path

import pytest

from services.common.access.principal import principal_of_uri
from tests.deploy.rendered import OVERLAYS, Rendered, check_valid, render_with
from tests.deploy.test_settings import SETTINGS, service_of

SERVERS = {"harken-feedback", "harken-learner", "harken-profile", "harken-ranker"}


@pytest.fixture(scope="module", params=OVERLAYS)
def secure(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Rendered:
    folder = tmp_path_factory.mktemp("overlay")
    return render_with(request.param, ["access", "access/cert-manager"], folder)


def test_all_of_ours_are_valid(secure: Rendered, tmp_path: Path) -> None:
    ours = tuple(one for one in secure.manifests if "cert-manager" not in one["apiVersion"])
    assert len(ours) < len(secure.manifests)
    text = "\n---\n".join(
        part for part in secure.text.split("\n---\n") if "cert-manager.io/v1" not in part
    )
    check_valid(Rendered(secure.overlay, text, ours), "1.30.0", tmp_path)


def test_every_process_speaks_tls_and_its_probes_do_not(secure: Rendered) -> None:
    servers = [one for one in secure.workloads() if one.name in SERVERS]
    assert {one.name for one in servers} == SERVERS
    for one in servers:
        service = service_of(one)
        prefix = f"HARKEN_{service.upper()}_"
        found = secure.environment(one)
        values = {name: value for name, value in found.items() if name.startswith(prefix)}
        assert {name.removeprefix(prefix).lower() for name in values} <= set(
            SETTINGS[service].model_fields
        )
        assert values[f"{prefix}INSECURE"] == "false"
        folder = values[f"{prefix}TLS_CERTIFICATE_FILE"].rpartition("/")[0]
        (mount,) = (m for m in one.container["volumeMounts"] if m["mountPath"] == folder)
        (volume,) = (v for v in one.pod["volumes"] if v["name"] == mount["name"])
        assert volume["secret"]["secretName"] == f"harken-{service}-tls"
        # A file mounted by itself would never change.
        assert "subPath" not in mount
        port = int(values[f"{prefix}HEALTH_LISTEN"].rpartition(":")[2])
        assert one.ports["health"] == port
        for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
            assert one.container[probe]["grpc"]["port"] == port, "the kubelet speaks no TLS"
            assert one.container[probe]["grpc"]["service"]


def test_certificates_are_of_the_services_by_the_names_they_are_called(secure: Rendered) -> None:
    certificates = {one["spec"]["secretName"]: one["spec"] for one in secure.of("Certificate")}
    for service in ("feedback", "profile", "ranker"):
        spec = certificates[f"harken-{service}-tls"]
        principal = principal_of_uri(spec["uris"][0])
        assert principal is not None
        assert principal.kind == f"service:{service}"
        assert set(spec["usages"]) == {"server auth", "client auth"}
        dialled = {
            value.removeprefix("dns:///").partition(":")[0]
            for one in secure.workloads()
            for name, value in secure.environment(one).items()
            if name.endswith("_TARGET") and f"harken-{service}" in value
        }
        assert dialled <= set(spec["dnsNames"])
    operator = principal_of_uri(certificates["harken-operator-tls"]["uris"][0])
    assert operator is not None
    assert (operator.kind, operator.tenant) == ("operator", "*")
