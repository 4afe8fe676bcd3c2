"""The component that turns access on: every process has a certificate, and probes still work."""

from pathlib import Path

import pytest

from services.common.access.principal import principal_of_uri
from services.common.access.tokens import read_jwks
from tests.deploy.rendered import OVERLAYS, Rendered, check_valid, render, render_with
from tests.deploy.test_settings import SETTINGS, service_of

SERVERS = {"harken-feedback", "harken-learner", "harken-profile", "harken-ranker"}


# prod has access.
OWN = {"dev": ["access"], "prod": []}


@pytest.fixture(scope="module", params=OVERLAYS)
def secure(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Rendered:
    components = [*OWN[request.param], "access/cert-manager", "edge", "edge/access"]
    return render_with(request.param, components, tmp_path_factory.mktemp("overlay"))


def test_prod_lets_nobody_in_unknown() -> None:
    """Certificates come by cert-manager or otherwise; without them no pod starts."""
    prod = render("prod")
    assert not prod.of("Certificate", "Issuer")
    for one in prod.workloads():
        if one.name in SERVERS:
            assert f"HARKEN_{service_of(one).upper()}_TLS_CA_FILE" in prod.environment(one)
            mounted = [volume for volume in one.pod["volumes"] if volume["name"] == "tls"]
            assert mounted == [
                {"name": "tls", "secret": {"secretName": f"harken-{service_of(one)}-tls"}}
            ]


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


def test_the_edge_shows_a_certificate_that_is_nobodys(secure: Rendered) -> None:
    """It speaks for whom a key or token is, and for nobody else."""
    certificates = {one["spec"]["secretName"]: one["spec"] for one in secure.of("Certificate")}
    spec = certificates["harken-edge-client-tls"]
    assert spec["uris"] == ["spiffe://harken/edge"]
    assert principal_of_uri(spec["uris"][0]) is None
    assert spec["usages"] == ["client auth"]
    edge = secure.workload("harken-edge")
    mounts = {one["name"]: one["mountPath"] for one in edge.container["volumeMounts"]}
    assert (mounts["client"], mounts["jwks"]) == ("/etc/edge/client", "/etc/edge/jwks")
    (client,) = (one for one in edge.pod["volumes"] if one["name"] == "client")
    assert client["secret"]["secretName"] == "harken-edge-client-tls"
    (config,) = (one for one in edge.pod["volumes"] if one["name"] == "config")
    files = secure.named("ConfigMap", config["configMap"]["name"])["data"]
    for service in ("feedback", "profile", "ranker"):
        uri = certificates[f"harken-{service}-tls"]["uris"][0]
        assert files["envoy.yaml"].count(f'exact: "{uri}"') == 1
    assert {"client_certificate.yaml", "authorities.yaml"} <= set(files)


def test_services_and_the_edge_know_the_same_keys(secure: Rendered) -> None:
    edge = secure.workload("harken-edge")
    for one in (*(one for one in secure.workloads() if one.name in SERVERS), edge):
        (jwks,) = (volume for volume in one.pod["volumes"] if volume["name"] == "jwks")
        content = secure.named("ConfigMap", jwks["configMap"]["name"])["data"]["jwks.json"]
        assert read_jwks([content.encode()]) == {}, "as it stands no token holds"
        if one is edge:
            continue
        prefix = f"HARKEN_{service_of(one).upper()}_"
        values = secure.environment(one)
        mounts = {mount["name"]: mount["mountPath"] for mount in one.container["volumeMounts"]}
        assert values[f"{prefix}JWKS_FILE"] == f"{mounts['jwks']}/jwks.json"
        assert values[f"{prefix}KEYS_FILE"] == f"{mounts['keys']}/keys.json"
        (keys,) = (volume for volume in one.pod["volumes"] if volume["name"] == "keys")
        assert keys["secret"] == {"secretName": "harken-keys"}
        assert values[f"{prefix}JWT_ISSUER"]
        assert values[f"{prefix}JWT_AUDIENCE"]
