"""Every RPC by every caller, against what this page says must come of it."""

import contextlib
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import grpc
from google.protobuf import descriptor

from services.common.access.certificates import Pem
from services.common.channel_identity import ChannelIdentity
from services.common.reloadable import Reloadable
from tests.access.authority import Authority, Leaf
from tests.access.served import Served, methods, request_type
from tests.faults import reason_of
from tests.waiting import until

B, M, OP, P, R, F, T, U = (
    "backend", "merchandiser", "operator", "profile", "ranker", "feedback", "trainer", "user"
)  # fmt: skip
MAY: Mapping[str, Sequence[str]] = {
    "harken.feedback.v1.FeedbackService/RecordEvents": (B, OP, U),
    "harken.feedback.v1.FeedbackService/ImportEvents": (B, OP),
    "harken.feedback.v1.FeedbackService/RetractEvents": (B, OP),
    "harken.feedback.v1.FeedbackService/ExportEvents": (OP, T),
    "harken.feedback.v1.FeedbackService/ExportSlates": (OP, T),
    "harken.feedback.v1.CatalogService/UpsertItems": (B, OP),
    "harken.feedback.v1.CatalogService/DeleteItems": (B, OP),
    "harken.feedback.v1.CatalogService/GetItems": (B, M, OP, P, T),
    "harken.feedback.v1.CatalogService/ListItems": (B, M, OP, T),
    "harken.feedback.v1.EmbeddingService/PutEmbeddings": (B, OP),
    "harken.feedback.v1.GenerationService/PublishGeneration": (OP, T),
    "harken.feedback.v1.GenerationService/DownloadGeneration": (OP, R, T),
    "harken.feedback.v1.GenerationService/ListGenerations": (OP, T),
    "harken.feedback.v1.GenerationService/PromoteGeneration": (OP, T),
    "harken.feedback.v1.GenerationService/RollbackGeneration": (OP,),
    "harken.feedback.v1.SurfaceService/PutSurface": (M, OP),
    "harken.feedback.v1.SurfaceService/GetSurface": (B, M, OP),
    "harken.feedback.v1.SurfaceService/ListSurfaces": (B, M, OP),
    "harken.feedback.v1.SurfaceService/ListSurfaceRevisions": (M, OP),
    "harken.feedback.v1.SurfaceService/RollbackSurface": (M, OP),
    "harken.feedback.v1.SurfaceService/DeleteSurface": (M, OP),
    "harken.feedback.v1.SurfaceService/DescribeSurface": (M, OP),
    "harken.feedback.v1.ExperimentService/PutExperiment": (M, OP),
    "harken.feedback.v1.ExperimentService/GetExperiment": (M, OP),
    "harken.feedback.v1.ExperimentService/ListExperiments": (M, OP),
    "harken.feedback.v1.ExperimentService/ListExperimentRevisions": (M, OP),
    "harken.feedback.v1.ExperimentService/StartExperiment": (M, OP),
    "harken.feedback.v1.ExperimentService/RampExperiment": (M, OP),
    "harken.feedback.v1.ExperimentService/StopExperiment": (M, OP),
    "harken.feedback.v1.ExperimentService/ConcludeExperiment": (M, OP),
    "harken.feedback.v1.ExperimentService/DeleteExperiment": (M, OP),
    "harken.profile.v1.ProfileService/GetProfile": (B, OP, U),
    "harken.profile.v1.ProfileService/BatchGetProfiles": (B, OP, R),
    "harken.profile.v1.ProfileService/UpdateProfile": (B, OP),
    "harken.profile.v1.ProfileService/ListProfiles": (OP,),
    "harken.profile.v1.ProfileService/FindSimilarUsers": (B, OP),
    "harken.profile.v1.ProfileService/EraseUser": (B, OP, U),
    "harken.profile.v1.ProfileService/GetErasure": (B, OP),
    "harken.profile.v1.ProfileService/ListErasures": (B, OP),
    "harken.profile.v1.ProfileService/ExportUser": (B, OP, U),
    "harken.profile.v1.ProfileService/MergeProfiles": (B, OP),
    "harken.profile.v1.ProfileService/UnmergeProfiles": (B, OP),
    "harken.profile.v1.ProfileService/ListMerges": (B, OP),
    "harken.profile.v1.ProfileService/PutAttributeSchema": (OP,),
    "harken.profile.v1.ProfileService/GetAttributeSchema": (B, M, OP),
    "harken.ranker.v1.RankerService/Recommend": (B, M, OP, U),
    "harken.ranker.v1.RankerService/Rank": (B, M, OP, U),
    "harken.ranker.v1.RankerService/SimilarItems": (B, M, OP, U),
    "harken.ranker.v1.RankerService/BatchRecommend": (B, OP),
    "harken.ranker.v1.RankerService/ListTrending": (B, M, OP, U),
    "harken.ranker.v1.RankerService/ListLatest": (B, M, OP, U),
    "harken.ranker.v1.RankerService/ExplainSlate": (M, OP),
    "harken.ranker.v1.RankerService/GetServingState": (OP,),
    "harken.internal.facts.v1.UserFactService/AppendUserFacts": (P,),
    "harken.internal.users.v1.UserLogService/AppendErasure": (P,),
    "harken.internal.users.v1.UserLogService/GetErasureProgress": (P,),
    "harken.internal.users.v1.UserLogService/AddReceipts": (P, R),
    "harken.internal.users.v1.UserLogService/ReadUser": (P,),
    "harken.internal.slates.v1.SlateService/RecordSlates": (R,),
    "harken.internal.slates.v1.SlateService/FindSlate": (R,),
    "harken.internal.feed.v1.FeedService/FollowEntries": (P, R),
    "harken.internal.feed.v1.FeedService/Subscribe": (OP, P, R),
    "grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo": (OP,),
    "grpc.health.v1.Health/List": (),
}
OPEN = {f"grpc.health.v1.Health/{name}" for name in ("Check", "Watch")}
OF_ALL_TENANTS = {
    "harken.ranker.v1.RankerService/GetServingState",
    "harken.internal.feed.v1.FeedService/FollowEntries",
    "harken.internal.feed.v1.FeedService/Subscribe",
    "grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
}
OF_A_SUBJECT = {
    "harken.feedback.v1.FeedbackService/RecordEvents",
    "harken.profile.v1.ProfileService/GetProfile",
    "harken.profile.v1.ProfileService/EraseUser",
    "harken.profile.v1.ProfileService/ExportUser",
    "harken.ranker.v1.RankerService/Recommend",
    "harken.ranker.v1.RankerService/Rank",
}
OK, NOBODY, NO, AWAY = "OK", "UNAUTHENTICATED", "PERMISSION_DENIED", "UNAVAILABLE"
_SECONDS = 10.0


class Who(NamedTuple):
    """Whom a caller is to be taken for: a kind and a tenant, of a user also whether it is ann."""

    kind: str
    tenant: str
    is_ann: bool = True


@dataclass(frozen=True)
class Caller:
    """What somebody shows, where, and whom they are to be taken for. Who None: nobody; and not
    `comes_in`: the connection is refused.
    """

    name: str
    target: str
    identity: ChannelIdentity | None
    who: Who | None = None
    comes_in: bool = True
    metadata: Sequence[tuple[str, str]] = ()


class Surprise(NamedTuple):
    """A call that did not end as it must."""

    caller: str
    rpc: str
    expected: str
    found: str


def request_of(method: descriptor.MethodDescriptor, caller: Who | None) -> Any:
    """Return a request for ann of the tenant a; of a follower of the feed, by its own name."""
    made = request_type(method)()
    fields = method.input_type.fields_by_name
    if "tenant" in fields:
        made.tenant = "a"
    if "manifest" in fields:
        made.manifest.tenant = "a"
    if "subject" in fields:
        made.subject.user_id = "ann"
    if "subjects" in fields:
        made.subjects.add(user_id="ann")
    if method.name == "RecordEvents":
        made.events.add().subject.user_id = "ann"
        made.events.add().subject.user_id = "ann"
    name = {P: "profile", R: "ranker-7"}.get(caller.kind if caller else "", "snapshot-verify")
    if "subscriber" in fields:
        made.subscriber = name
    if method.name == "Subscribe":
        made.start.subscriber = name
    return made


def expected(rpc: str, caller: Caller) -> str:
    """Return how a call must end."""
    if not caller.comes_in:
        return AWAY
    if rpc in OPEN:
        return OK
    if caller.who is None:
        return NOBODY
    who = caller.who
    may = who.kind in MAY[rpc]
    in_tenant = who.tenant == "*" or (who.tenant == "a" and rpc not in OF_ALL_TENANTS)
    is_subject = who.kind != U or rpc not in OF_A_SUBJECT or who.is_ann
    return OK if may and in_tenant and is_subject else NO


def _of(authority: Authority, leaf: Leaf | None, trusted: Authority | None = None) -> Any:
    """Return what a caller has with a certificate, or without."""
    pem = (trusted or authority).pem
    made = Pem(pem) if leaf is None else Pem(pem, leaf.chain, leaf.key)
    return ChannelIdentity(Reloadable(made))


def callers(served: Served) -> Iterator[Caller]:
    """Yield all callers there are."""
    yield from _with_certificates(served)
    yield from _with_keys(served)
    yield from _with_tokens(served)


def _with_certificates(served: Served) -> Iterator[Caller]:
    own, stranger = served.authority, Authority("stranger")
    certificates, uri = served.certificates, "spiffe://harken/"
    for kind in (B, M, OP):
        for tenant, text in (("a", "a"), ("b", "b"), ("*", "%2A")):
            leaf = own.leaf(f"{uri}{kind}/{text}")
            yield Caller(
                f"certificate of {kind}/{tenant}", certificates, _of(own, leaf), Who(kind, tenant)
            )
    for kind in (P, R, F, T):
        leaf = own.leaf(f"{uri}service/{kind}")
        yield Caller(f"certificate of {kind}", certificates, _of(own, leaf), Who(kind, "*"))
    named = own.leaf(dns=["shop.example"])
    yield Caller("certificate named in settings", certificates, _of(own, named), Who(B, "a"))
    # What they send beside a certificate makes nobody somebody else.
    operator = served.key("operator/*")
    yield Caller(
        "certificate of backend/a and key of operator/*", certificates,
        _of(own, own.leaf(f"{uri}backend/a")), Who(B, "a"),
        metadata=(("authorization", f"Bearer {operator}"),),
    )  # fmt: skip
    edge = _of(own, own.leaf("spiffe://harken/edge", dns=["edge"]))
    yield Caller("certificate of an edge", certificates, edge)
    yield Caller(
        "certificate of an edge and token of ann", certificates, edge, Who(U, "a"),
        metadata=(("authorization", f"Bearer {served.issuer.token()}"),),
    )  # fmt: skip
    for name, leaf in (
        ("wrong SAN", own.leaf("spiffe://other/backend/a")),
        ("SAN of a kind that is none", own.leaf(f"{uri}root/%2A")),
        ("SAN of an end user", own.leaf(f"{uri}end_user/a")),
        ("SAN with more behind it", own.leaf(f"{uri}backend/a/b")),
        ("no SAN but a common name", own.leaf(common_name=f"{uri}operator/%2A")),
    ):
        yield Caller(f"certificate with {name}", certificates, _of(own, leaf))
    claim = f"{uri}operator/%2A"
    for name, identity in (
        ("expired certificate", _of(own, own.leaf(claim, hours=(-5, -1)))),
        ("certificate not valid yet", _of(own, own.leaf(claim, hours=(1, 5)))),
        ("certificate of another authority", _of(stranger, stranger.leaf(claim), own)),
        ("no certificate", _of(own, None)),
        ("no TLS", None),
        ("trust in another authority", _of(stranger, own.leaf(claim))),
    ):
        yield Caller(name, certificates, identity, comes_in=False)


def _bearer(served: Served, name: str, token: str, who: Who | None = None) -> Caller:
    return Caller(
        name, served.tokens, _of(served.authority, None), who,
        metadata=(("authorization", f"Bearer {token}"),),
    )  # fmt: skip


def _with_keys(served: Served) -> Iterator[Caller]:
    for kind in (B, M, OP):
        for tenant in ("a", "b", "*"):
            key = served.key(f"{kind}/{tenant}")
            yield _bearer(served, f"key of {kind}/{tenant}", key, Who(kind, tenant))
    good, now = served.key("operator/*"), int(time.time())
    for name, key in (
        ("revoked key", served.key("operator/*", revoked_at=now - 1)),
        ("expired key", served.key("operator/*", expires_at=now - 1)),
        ("key with another secret", good[:-4] + ("0000" if good[-4:] != "0000" else "1111")),
        ("key with no secret", good[: good.index("_", 3) + 1]),
        ("key of another id", "hk_000000000000_" + good.rsplit("_", 1)[1]),
        ("key without id", "hk_"),
        ("hash of a key", f"hk_{served.keys[-1].key_id}_{served.keys[-1].sha256}"),
        ("key that is too long", good + "0" * 500),
    ):
        yield _bearer(served, name, key)
    nothing = _of(served.authority, None)
    yield Caller("nothing, on the port for tokens", served.tokens, nothing)
    yield Caller("no TLS, on the port for tokens", served.tokens, None, comes_in=False)
    for name, values in (
        ("two headers", (f"Bearer {good}", f"Bearer {good}")),
        ("another scheme", (f"Basic {good}",)),
        ("no scheme", (good,)),
    ):
        pairs = [("authorization", value) for value in values]
        yield Caller(f"key in {name}", served.tokens, nothing, metadata=pairs)
    # Nothing that is written says who calls.
    claims = (("x-harken-principal", "operator/*"), ("x-forwarded-client-cert", "URI=operator"))
    yield Caller("claims in other headers", served.tokens, nothing, metadata=claims)


def _with_tokens(served: Served) -> Iterator[Caller]:
    issuer = served.issuer
    for name, token, who in (
        ("ann of a", issuer.token(), Who(U, "a")),
        ("ann of a by the other key", issuer.token("elliptic"), Who(U, "a")),
        ("ann of b", issuer.token(harken_tenant="b"), Who(U, "b")),
        ("bob of a", issuer.token(sub="bob"), Who(U, "a", is_ann=False)),
        ("a session called ann", issuer.token(sub="bob", harken_session="ann"),
         Who(U, "a", is_ann=False)),
        ("backend/a", issuer.token(harken_kind="backend"), Who(B, "a")),
        ("backend/b", issuer.token(harken_kind="backend", harken_tenant="b"), Who(B, "b")),
        ("operator/*", issuer.token(harken_kind="operator", harken_tenant="*"), Who(OP, "*")),
    ):  # fmt: skip
        yield _bearer(served, f"token of {name}", token, who)
    for name, token in issuer.forged().items():
        yield _bearer(served, f"token: {name}", token)


async def call(
    channel: Any, path: str, method: Any, request: Any, metadata: Sequence[tuple[str, str]] = ()
) -> tuple[str, str]:
    """Return the status and reason of a call; of a stream, of its first answer."""
    kind = {
        (False, False): "unary_unary", (False, True): "unary_stream",
        (True, False): "stream_unary", (True, True): "stream_stream",
    }[method.client_streaming, method.server_streaming]  # fmt: skip
    start = getattr(channel, kind)(path, request_serializer=lambda one: one.SerializeToString())
    options = {"timeout": _SECONDS, "metadata": tuple(metadata)}
    made = start(_requests(request) if method.client_streaming else request, **options)
    try:
        if method.server_streaming:
            await made.read()
        else:
            await made
        if made.done() and (code := await made.code()) is not grpc.StatusCode.OK:
            return code.name, ""
    except grpc.aio.AioRpcError as error:
        return error.code().name, reason_of(error)
    finally:
        made.cancel()
    return OK, ""


async def _requests(request: Any) -> AsyncIterator[Any]:
    yield request


@contextlib.asynccontextmanager
async def channel_of(caller: Caller) -> AsyncIterator[Any]:
    """Lend a channel of a caller, with connections of its own, that repeats nothing."""
    options = (("grpc.use_local_subchannel_pool", 1), ("grpc.enable_retries", 0))
    made = (
        grpc.aio.insecure_channel(caller.target, options=options)
        if caller.identity is None
        else grpc.aio.secure_channel(caller.target, caller.identity.credentials(), options=options)
    )
    async with made as channel:
        yield channel


async def all_keys_known(served: Served) -> None:
    """Wait until the server has read the keys that were made."""
    (path, method), *_ = ((path, one) for path, one in methods().items() if one.name == "GetItems")
    last = _bearer(served, "last", served.key("operator/*"))
    async with channel_of(last) as channel:

        async def comes_in() -> bool:
            found = await call(channel, path, method, request_type(method)(), last.metadata)
            return found[0] == OK

        await until(comes_in, "the keys")


async def surprises(served: Served, who: Sequence[Caller]) -> tuple[int, list[Surprise]]:
    """Call every RPC as every caller; return how many calls that were, and what is not as it
    must be.
    """
    known, count, found = methods(), 0, []
    await all_keys_known(served)
    for caller in who:
        async with channel_of(caller) as channel:
            for path, method in known.items():
                request = request_of(method, caller.who)
                status, reason = await call(channel, path, method, request, caller.metadata)
                wanted = expected(path[1:], caller)
                count += 1
                if status != wanted or (status == NO and not reason):
                    found.append(Surprise(caller.name, path[1:], wanted, f"{status} {reason}"))
    return count, found
