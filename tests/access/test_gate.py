"""What the matrix does not say: requests that change their mind, rates, and what is told."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, cast

import grpc
import pytest
import pytest_asyncio
from google.rpc import error_details_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_status import rpc_status

from harken.common.v1 import subject_pb2
from harken.feedback.v1 import (
    event_pb2,
    feedback_service_pb2,
    feedback_service_pb2_grpc,
    generation_service_pb2,
    generation_service_pb2_grpc,
)
from harken.internal.feed.v1 import feed_service_pb2, feed_service_pb2_grpc
from harken.ranker.v1 import ranker_service_pb2, ranker_service_pb2_grpc
from services.common.access import watched_files
from services.common.access.api_keys import revoked, write_keys
from services.common.access.call_rate import CallRate
from services.common.channel_identity import ChannelIdentity
from services.common.errors import RateLimitedError
from services.common.reloadable import Reloadable
from tests.access.matrix import all_keys_known
from tests.access.served import Served, serving
from tests.faults import fault_of, reason_of
from tests.waiting import until


@pytest_asyncio.fixture(scope="module")
async def served(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Served]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(watched_files, "WATCH_SECONDS", 0.01)
        async with serving(tmp_path_factory.mktemp("served")) as made:
            yield made


@contextlib.asynccontextmanager
async def channel(served: Served, uri: str) -> AsyncIterator[Any]:
    identity = served.authority.identity(f"spiffe://harken/{uri}")
    credentials = identity.credentials()
    async with grpc.aio.secure_channel(served.certificates, credentials) as made:
        yield made


async def ended(call: Any) -> grpc.aio.AioRpcError:
    """Return the error that a stream ends with."""

    async def read() -> None:
        async for _ in call:
            pass

    return await fault_of(read())


async def test_each_chunk_of_an_import_is_held_to_the_tenant(served: Served) -> None:
    async def chunks() -> AsyncIterator[Any]:
        yield feedback_service_pb2.ImportEventsRequest(tenant="a")
        yield feedback_service_pb2.ImportEventsRequest(tenant="b")

    async with channel(served, "backend/a") as made:
        stub: Any = feedback_service_pb2_grpc.FeedbackServiceStub(made)
        error = await ended(stub.ImportEvents(chunks()))
    assert (error.code().name, reason_of(error)) == ("PERMISSION_DENIED", "OTHER_TENANT")


async def test_a_generation_is_published_for_ones_own_tenant(served: Served) -> None:
    async def upload(tenant: str) -> AsyncIterator[Any]:
        request = generation_service_pb2.PublishGenerationRequest()
        request.manifest.tenant = tenant
        yield request
        yield generation_service_pb2.PublishGenerationRequest(
            chunk=generation_service_pb2.FileChunk(data=b"1")
        )

    async with channel(served, "operator/a") as made:
        stub: Any = generation_service_pb2_grpc.GenerationServiceStub(made)
        await stub.PublishGeneration(upload("a"))
        error = await fault_of(stub.PublishGeneration(upload("b")))
    assert (error.code().name, reason_of(error)) == ("PERMISSION_DENIED", "OTHER_TENANT")


async def test_a_tenant_that_is_not_named_is_the_default_one(served: Served) -> None:
    request = ranker_service_pb2.SimilarItemsRequest()
    for tenant, status in (("default", "OK"), ("a", "PERMISSION_DENIED")):
        async with channel(served, f"backend/{tenant}") as made:
            stub: Any = ranker_service_pb2_grpc.RankerServiceStub(made)
            call = stub.SimilarItems(request)
            with contextlib.suppress(grpc.aio.AioRpcError):
                await call
            assert (await call.code()).name == status


async def test_the_tenant_is_the_last_one_written_as_for_the_parser(served: Served) -> None:
    """A field given twice is the last of them, wherever it stands."""
    twice = b"\x0a\x01a" + b"\x12\x02\x0a\x00" + b"\x0a\x01b"
    async with channel(served, "backend/a") as made:
        call: Any = made.unary_unary("/harken.ranker.v1.RankerService/Recommend")
        error = await fault_of(call(twice))
    assert (error.code().name, reason_of(error)) == ("PERMISSION_DENIED", "OTHER_TENANT")


async def test_one_event_of_another_user_refuses_all_of_an_end_user(served: Served) -> None:
    def by(name: str) -> event_pb2.Event:
        return event_pb2.Event(subject=subject_pb2.Subject(user_id=name))

    token = served.issuer.token(harken_session="s-1")
    identity = ChannelIdentity(served.authority.identity("spiffe://x/").pem, token)
    target = served.tokens
    async with grpc.aio.secure_channel(target, identity.credentials()) as made:
        stub: Any = feedback_service_pb2_grpc.FeedbackServiceStub(made)
        own = [by("ann"), event_pb2.Event(subject=subject_pb2.Subject(session_id="s-1"))]
        request = feedback_service_pb2.RecordEventsRequest(tenant="a", events=own)
        await stub.RecordEvents(request)
        for other in (
            by("bob"),
            event_pb2.Event(),
            # Users and sessions are apart.
            event_pb2.Event(subject=subject_pb2.Subject(session_id="ann")),
            by("s-1"),
        ):
            request.events.append(other)
            error = await fault_of(stub.RecordEvents(request))
            assert (error.code().name, reason_of(error)) == ("PERMISSION_DENIED", "OTHER_SUBJECT")
            del request.events[-1]


@pytest.mark.parametrize(
    ("uri", "name", "may"),
    [
        ("service/profile", "profile", True),
        ("service/profile", "ranker-1", False),
        ("service/profile", "profiles", False),
        ("service/ranker", "ranker-1", True),
        ("service/ranker", "profile", False),
    ],
)
async def test_the_feed_is_followed_under_ones_own_name(
    served: Served, uri: str, name: str, may: bool
) -> None:
    async with channel(served, uri) as made:
        stub: Any = feed_service_pb2_grpc.FeedServiceStub(made)
        call = stub.FollowEntries(feed_service_pb2.FollowEntriesRequest(subscriber=name))
        if may:
            await call.read()
            call.cancel()
        else:
            assert reason_of(await ended(call)) == "OTHER_SUBSCRIBER"


async def test_what_is_said_to_strangers_is_always_the_same(served: Served) -> None:
    stranger = served.authority.identity("spiffe://harken/nobody")
    said = set()
    async with grpc.aio.secure_channel(served.certificates, stranger.credentials()) as made:
        for method in ("RankerService/Recommend", "RankerService/GetServingState"):
            call: Any = made.unary_unary(f"/harken.ranker.v1.{method}")
            error = await fault_of(call(b""))
            said.add((error.code().name, error.details()))
    assert said == {("UNAUTHENTICATED", "the call has no credentials that hold")}


async def test_health_without_tls_serves_nothing_else(served: Served) -> None:
    async with grpc.aio.insecure_channel(served.health) as made:
        stub: Any = health_pb2_grpc.HealthStub(made)
        answer = await stub.Check(health_pb2.HealthCheckRequest(service="liveness"))
        assert answer.status == health_pb2.HealthCheckResponse.SERVING
        for path in ("/harken.ranker.v1.RankerService/Recommend",
                     "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"):  # fmt: skip
            call: Any = made.unary_unary(path)
            error = await fault_of(call(b""))
            assert error.code() is grpc.StatusCode.UNIMPLEMENTED


async def test_a_revoked_key_is_refused_as_soon_as_the_file_is_read(served: Served) -> None:
    key = served.key("operator/*")
    await all_keys_known(served)
    identity = ChannelIdentity(served.authority.identity("spiffe://x/").pem, key)
    async with grpc.aio.secure_channel(served.tokens, identity.credentials()) as made:
        stub: Any = ranker_service_pb2_grpc.RankerServiceStub(made)
        request = ranker_service_pb2.SimilarItemsRequest()
        await stub.SimilarItems(request)
        served.keys[:] = revoked(served.keys, key.split("_")[1], 1.0)
        write_keys(served.folder / "keys.json", served.keys)

        async def is_refused() -> bool:
            call = stub.SimilarItems(request)
            with contextlib.suppress(grpc.aio.AioRpcError):
                await call
            return await call.code() is grpc.StatusCode.UNAUTHENTICATED

        await until(is_refused, "the key to be refused")


async def test_who_calls_too_often_is_told_when_to_come_back(tmp_path: Path) -> None:
    """Truth 13: a noisy caller does not slow the others."""
    async with serving(tmp_path, caller_calls_per_second=5.0) as served:
        request = ranker_service_pb2.SimilarItemsRequest()
        async with (
            channel(served, "backend/default") as noisy,
            channel(served, "operator/%2A") as other,
        ):
            stub: Any = ranker_service_pb2_grpc.RankerServiceStub(noisy)
            calls = [asyncio.ensure_future(fault_or_none(stub.SimilarItems(request)))
                     for _ in range(40)]  # fmt: skip
            faults = [one for one in await asyncio.gather(*calls) if one is not None]
            assert 10 <= len(faults) <= 30
            for error in faults:
                assert reason_of(error) == "RATE_LIMITED"
                assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
                assert any(one.Unpack(error_details_pb2.RetryInfo()) for one in _details(error))
            own: Any = ranker_service_pb2_grpc.RankerServiceStub(other)
            await own.SimilarItems(request)


def _details(error: grpc.aio.AioRpcError) -> Any:
    return rpc_status.from_call(cast("grpc.Call", error)).details


async def fault_or_none(call: Any) -> Any:
    try:
        await call
    except grpc.aio.AioRpcError as error:
        return error
    return None


def test_a_bucket_fills_again() -> None:
    now = 0.0
    rate = CallRate(Reloadable(2.0), lambda: now)
    for _ in range(4):
        rate.take("one")
    with pytest.raises(RateLimitedError) as caught:
        rate.take("one")
    assert caught.value.retry_after_seconds == pytest.approx(0.5)
    rate.take("two")
    now = 0.5
    rate.take("one")
    with pytest.raises(RateLimitedError):
        rate.take("one")
