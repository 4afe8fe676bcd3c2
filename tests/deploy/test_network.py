"""Policies open exactly the ways that the configuration needs, and nothing else."""

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.deploy.rendered import Rendered, Workload, selects

POSTGRES = 5432
MONITORING = {"kubernetes.io/metadata.name": "monitoring"}
HARKEN = {"kubernetes.io/metadata.name": "harken"}
CLIENT = {"harken-client": "true"}


@dataclass(frozen=True)
class Peer:
    """A pod somewhere."""

    labels: Mapping[str, str]
    namespace: Mapping[str, str] = field(default_factory=lambda: HARKEN)


def matches(rule: Mapping[str, Any], side: str, peer: Peer, port: int, protocol: str) -> bool:
    """Return whether a rule of a policy in the namespace `harken` lets `peer` through."""
    ports = rule["ports"]
    if not any(one["port"] == port and one["protocol"] == protocol for one in ports):
        return False
    if side not in rule:
        return True
    for other in rule[side]:
        if "ipBlock" in other:
            continue
        if "namespaceSelector" in other:
            near = selects(other["namespaceSelector"], peer.namespace)
        else:
            near = peer.namespace == HARKEN
        if near and selects(other.get("podSelector", {}), peer.labels):
            return True
    return False


def allows(
    rendered: Rendered, pod: Mapping[str, str], way: str, peer: Peer, port: int, protocol: str
) -> bool:
    """Return whether a pod may hear (`way` "ingress") or reach ("egress") a peer."""
    side = {"ingress": "from", "egress": "to"}[way]
    policies = [
        one["spec"]
        for one in rendered.of("NetworkPolicy")
        if selects(one["spec"]["podSelector"], pod)
        and way.capitalize() in one["spec"]["policyTypes"]
    ]
    assert policies, "default-deny selects every pod"
    return any(
        matches(rule, side, peer, port, protocol)
        for policy in policies
        for rule in policy.get(way, ())
    )


def wanted(rendered: Rendered) -> set[tuple[str, str, int]]:
    """Return who calls whom at which port, as the configuration of the pods says."""
    found = set()
    for one in rendered.workloads():
        for name, value in rendered.environment(one).items():
            if name.endswith("_TARGET"):
                assert value.startswith("dns:///"), "all addresses, balanced by the client"
                host, _, port = value.removeprefix("dns:///").partition(":")
                found.add((one.name, host, int(port)))
            if name.endswith("_DSN"):
                found.add((one.name, "harken-postgres", POSTGRES))
    return found


def open_ways(rendered: Rendered, end: str) -> set[tuple[str, str, int]]:
    """Return what one end lets through between our pods, at any port that the other listens on.

    `end` is "egress" (what the caller may reach) or "ingress" (what the called may hear).
    """
    return {
        (source.name, target.name, port)
        for source, target in itertools.product(rendered.workloads(), repeat=2)
        for port in target.ports.values()
        if (
            allows(rendered, source.labels, end, Peer(target.labels), port, "TCP")
            if end == "egress"
            else allows(rendered, target.labels, end, Peer(source.labels), port, "TCP")
        )
    }


@pytest.mark.parametrize("end", ["ingress", "egress"])
def test_pods_reach_what_they_are_configured_to_call_and_nothing_else(
    rendered: Rendered, end: str
) -> None:
    expected = wanted(rendered)
    assert ("harken-ranker", "harken-feedback", 7401) in expected
    if rendered.overlay == "prod":
        expected = {way for way in expected if way[1] != "harken-postgres"}
    assert open_ways(rendered, end) == expected


def test_an_external_database_is_open_to_those_who_have_its_address(prod: Rendered) -> None:
    users = {source for source, target, _ in wanted(prod) if target == "harken-postgres"}
    (policy,) = (
        one["spec"]
        for one in prod.of("NetworkPolicy")
        if any("ipBlock" in to for rule in one["spec"].get("egress", ()) for to in rule["to"])
    )
    assert {one.name for one in prod.workloads() if selects(policy["podSelector"], one.labels)} == (
        users
    )
    (rule,) = policy["egress"]
    ((address,), (port,)) = rule["to"], rule["ports"]
    assert address["ipBlock"]["cidr"].endswith("/32")
    assert port == {"protocol": "TCP", "port": POSTGRES}


def test_clients_reach_the_apis_and_monitoring_reaches_metrics(rendered: Rendered) -> None:
    client_here = Peer(CLIENT)
    client_elsewhere = Peer({}, CLIENT)
    monitoring = Peer({"app": "prometheus"}, MONITORING)
    stranger = Peer({"app": "other"}, {"kubernetes.io/metadata.name": "other"})
    for one in rendered.servers():
        grpc, metrics = one.ports["grpc"], one.ports["metrics"]
        serves_clients = one.name != "harken-learner"
        for client in (client_here, client_elsewhere):
            assert _hears(rendered, one, client, grpc) == serves_clients
            assert not _hears(rendered, one, client, metrics)
        assert _hears(rendered, one, monitoring, metrics)
        assert not _hears(rendered, one, monitoring, grpc)
        assert not _hears(rendered, one, stranger, grpc)
        assert not _hears(rendered, one, stranger, metrics)


def test_every_pod_may_ask_for_names_and_goes_nowhere_else(rendered: Rendered) -> None:
    dns = Peer({"k8s-app": "kube-dns"}, {"kubernetes.io/metadata.name": "kube-system"})
    outside = Peer({"app": "other"}, {"kubernetes.io/metadata.name": "other"})
    for one in rendered.workloads():
        for protocol in ("UDP", "TCP"):
            assert allows(rendered, one.labels, "egress", dns, 53, protocol)
        for port in (53, 80, 443, POSTGRES):
            assert not allows(rendered, one.labels, "egress", outside, port, "TCP")


def _hears(rendered: Rendered, workload: Workload, peer: Peer, port: int) -> bool:
    return allows(rendered, workload.labels, "ingress", peer, port, "TCP")
