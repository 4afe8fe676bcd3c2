"""What overlays may add: components fit together, and open no more than they say."""

from pathlib import Path

import pytest

from tests.deploy.rendered import OVERLAYS, Rendered, check_valid, render, render_with, selects
from tests.deploy.test_network import open_ways, wanted

CACHE = "169.254.20.10/32"


@pytest.fixture(scope="module", params=OVERLAYS)
def complete(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Rendered:
    """Each overlay with all components that it does not have yet."""
    components = ["edge", "node-local-dns", *(["backup"] if request.param == "dev" else [])]
    return render_with(request.param, components, tmp_path_factory.mktemp("overlay"))


@pytest.mark.parametrize("kubernetes", ["1.30.0", "1.37.0"])
def test_all_manifests_are_valid(complete: Rendered, kubernetes: str, tmp_path: Path) -> None:
    check_valid(complete, kubernetes, tmp_path)
    assert {"harken-edge", "harken-backup"} <= {one.name for one in complete.workloads()}


def test_the_cache_of_the_node_is_asked_for_names_and_nothing_else(complete: Rendered) -> None:
    (policy,) = (
        one["spec"]
        for one in complete.of("NetworkPolicy")
        if one["metadata"]["name"] == "node-local-dns"
    )
    for one in complete.workloads():
        assert selects(policy["podSelector"], one.labels), one.name
    assert policy["policyTypes"] == ["Egress"]
    (rule,) = policy["egress"]
    assert rule["to"] == [{"ipBlock": {"cidr": CACHE}}]
    assert {(port["protocol"], port["port"]) for port in rule["ports"]} == {
        ("UDP", 53), ("TCP", 53),
    }  # fmt: skip


def test_without_the_component_no_address_is_open_but_the_database() -> None:
    for overlay in OVERLAYS:
        blocks = {
            block["cidr"]
            for policy in render(overlay).of("NetworkPolicy")
            for rule in policy["spec"].get("egress", ())
            for to in rule["to"]
            if (block := to.get("ipBlock"))
        }
        assert blocks == ({"192.0.2.10/32"} if overlay == "prod" else set())


def test_a_backup_reaches_postgresql_and_nobody_reaches_it(complete: Rendered) -> None:
    backup = complete.workload("harken-backup")
    there = ("harken-backup", "harken-postgres", 5432)
    assert there in wanted(complete)
    out = {way for way in open_ways(complete, "egress") if way[0] == backup.name}
    assert out == ({there} if complete.overlay == "dev-more" else set())
    let_in = {way for way in open_ways(complete, "ingress") if way[0] == backup.name}
    # The edge is the way in, for anybody.
    assert {way for way in let_in if way[1] != "harken-edge"} == out
    policies = [
        policy["spec"]
        for policy in complete.of("NetworkPolicy")
        if selects(policy["spec"]["podSelector"], backup.labels)
    ]
    assert any("Ingress" in policy["policyTypes"] for policy in policies)
    assert not any(policy.get("ingress") for policy in policies)
