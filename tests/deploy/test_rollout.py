"""Restarts, upgrades and scaling lose nothing: times, budgets and autoscalers fit each other."""

from services.common.server import DRAIN_SECONDS
from services.ranker.config import RankerConfig
from tests.deploy.rendered import Rendered, selects

# What a process may take after its drain: pools, the flusher, slates that wait to be logged.
CLOSING_SECONDS = 10.0


def test_a_pod_has_time_to_drain(rendered: Rendered) -> None:
    for one in rendered.servers():
        grace = one.pod["terminationGracePeriodSeconds"]
        sleep = 0
        if one.name != "harken-learner":
            sleep = one.container["lifecycle"]["preStop"]["sleep"]["seconds"]
            # Clients that balance by themselves hear of readiness lost within two probes.
            probe = one.container["readinessProbe"]
            assert sleep > probe["periodSeconds"] * probe["failureThreshold"]
        assert sleep + DRAIN_SECONDS + CLOSING_SECONDS < grace


def test_a_rollout_takes_nothing_away_before_its_replacement_is_ready(rendered: Rendered) -> None:
    for one in rendered.servers():
        if one.kind == "Deployment":
            assert one.manifest["spec"]["strategy"]["rollingUpdate"]["maxUnavailable"] == 0
        assert one.manifest["spec"]["minReadySeconds"] >= 5


def test_the_learner_has_one_standby_and_both_are_never_updated_at_once(
    rendered: Rendered,
) -> None:
    learner = rendered.workload("harken-learner")
    assert learner.kind == "StatefulSet"
    assert learner.manifest["spec"]["replicas"] == 2
    assert learner.container["args"] == ["--role", "learner"]
    assert learner.manifest["spec"].get("updateStrategy", {}).get("type") in (None, "RollingUpdate")
    assert rendered.workload("harken-feedback").container["args"] == ["--role", "ingest"]


def test_every_server_has_a_budget_that_lets_nodes_be_drained(rendered: Rendered) -> None:
    budgets = rendered.of("PodDisruptionBudget")
    for one in rendered.servers():
        (budget,) = (b for b in budgets if selects(b["spec"]["selector"], one.labels))
        assert budget["spec"]["maxUnavailable"] == 1
    assert len(budgets) == len(rendered.servers())


def test_autoscalers_scale_what_exists_and_own_its_replicas(prod: Rendered) -> None:
    scalers = {s["spec"]["scaleTargetRef"]["name"]: s["spec"] for s in
               prod.of("HorizontalPodAutoscaler")}  # fmt: skip
    assert set(scalers) == {"harken-feedback", "harken-ranker"}
    for name, scaler in scalers.items():
        target = prod.named(scaler["scaleTargetRef"]["kind"], name)
        assert "replicas" not in target["spec"]
        assert scaler["minReplicas"] >= 2
    lag = scalers["harken-ranker"]["metrics"][1]["pods"]
    bound = RankerConfig.model_fields["max_ready_lag"].default
    # More replicas must come before those there are stop being ready.
    assert 0 < int(lag["target"]["averageValue"]) < bound


def test_services_select_what_they_name(rendered: Rendered) -> None:
    for service in rendered.of("Service"):
        assert service["spec"]["clusterIP"] == "None"
        wanted = service["spec"]["selector"].items()
        (workload,) = (one for one in rendered.workloads() if wanted <= one.labels.items())
        assert service["metadata"]["name"] in (workload.name, f"{workload.name}-all")
        for port in service["spec"]["ports"]:
            assert workload.ports[port["targetPort"]] == port["port"]


def test_only_clients_that_check_health_see_pods_that_are_not_ready(rendered: Rendered) -> None:
    """Truth 14: without the feed all rankers are not ready, and still answer, stale."""
    hidden = {
        service["metadata"]["name"]
        for service in rendered.of("Service")
        if service["spec"].get("publishNotReadyAddresses")
    }
    assert hidden == {"harken-ranker-all", "harken-learner"}
