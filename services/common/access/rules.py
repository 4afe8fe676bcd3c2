"""Who may call what: the one table. What is not in it nobody may call.

docs/access.md is written from it. A test holds it against the descriptors of all that we serve.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from services.common.access.principal import Kind

_BACKEND, _MERCHANDISER, _OPERATOR = Kind.BACKEND, Kind.MERCHANDISER, Kind.OPERATOR
_PROFILE, _RANKER, _TRAINER, _USER = Kind.PROFILE, Kind.RANKER, Kind.TRAINER, Kind.END_USER


@dataclass(frozen=True, slots=True)
class Rule:
    """Who may call an RPC, and where its requests say on whose behalf.

    Where `tenant` names no field, requests belong to no tenant: only who works for all of them may.
    """

    kinds: frozenset[Kind]
    tenant: str = "tenant"
    """Path of the field; of a stream, messages without it go with those before them."""
    subjects: str = ""
    """Path of the subjects that an end user must be; a repeated field on the way is all of it."""
    subscriber: str = ""
    """Path of the name that a service follows the feed under: its own."""
    open: bool = False
    """Whether anybody may, known or not."""


def _by(*kinds: Kind, tenant: str = "tenant", subjects: str = "", subscriber: str = "") -> Rule:
    return Rule(frozenset(kinds), tenant, subjects, subscriber)


_OPEN = Rule(frozenset(), tenant="", open=True)
_FEEDBACK_V1 = "harken.feedback.v1."

_TABLE: Mapping[str, Mapping[str, Rule]] = {
    f"{_FEEDBACK_V1}FeedbackService": {
        "RecordEvents": _by(_BACKEND, _OPERATOR, _USER, subjects="events.subject"),
        "ImportEvents": _by(_BACKEND, _OPERATOR),
        "RetractEvents": _by(_BACKEND, _OPERATOR),
        # All that users did, with their ids.
        "ExportEvents": _by(_OPERATOR, _TRAINER),
        "ExportSlates": _by(_OPERATOR, _TRAINER),
    },
    f"{_FEEDBACK_V1}CatalogService": {
        "UpsertItems": _by(_BACKEND, _OPERATOR),
        "DeleteItems": _by(_BACKEND, _OPERATOR),
        "GetItems": _by(_BACKEND, _MERCHANDISER, _OPERATOR, _TRAINER),
        "ListItems": _by(_BACKEND, _MERCHANDISER, _OPERATOR, _TRAINER),
    },
    f"{_FEEDBACK_V1}EmbeddingService": {
        "PutEmbeddings": _by(_BACKEND, _OPERATOR),
    },
    f"{_FEEDBACK_V1}GenerationService": {
        "PublishGeneration": _by(_OPERATOR, _TRAINER, tenant="manifest.tenant"),
        "DownloadGeneration": _by(_OPERATOR, _RANKER, _TRAINER),
        "ListGenerations": _by(_OPERATOR, _TRAINER),
        "PromoteGeneration": _by(_OPERATOR, _TRAINER),
        "RollbackGeneration": _by(_OPERATOR),
    },
    f"{_FEEDBACK_V1}SurfaceService": {
        "PutSurface": _by(_MERCHANDISER, _OPERATOR),
        "GetSurface": _by(_BACKEND, _MERCHANDISER, _OPERATOR),
        "ListSurfaces": _by(_BACKEND, _MERCHANDISER, _OPERATOR),
        "ListSurfaceRevisions": _by(_MERCHANDISER, _OPERATOR),
        "RollbackSurface": _by(_MERCHANDISER, _OPERATOR),
        "DeleteSurface": _by(_MERCHANDISER, _OPERATOR),
        "DescribeSurface": _by(_MERCHANDISER, _OPERATOR),
    },
    f"{_FEEDBACK_V1}ExperimentService": {
        name: _by(_MERCHANDISER, _OPERATOR)
        for name in (
            "PutExperiment",
            "GetExperiment",
            "ListExperiments",
            "ListExperimentRevisions",
            "StartExperiment",
            "RampExperiment",
            "StopExperiment",
            "ConcludeExperiment",
            "DeleteExperiment",
        )
    },
    "harken.profile.v1.ProfileService": {
        "GetProfile": _by(_BACKEND, _OPERATOR, _USER, subjects="subject"),
        "BatchGetProfiles": _by(_BACKEND, _OPERATOR, _RANKER),
        # What is known of a user is for a backend to say: filters decide by it.
        "UpdateProfile": _by(_BACKEND, _OPERATOR),
        "ListProfiles": _by(_OPERATOR),
        # It names other users.
        "FindSimilarUsers": _by(_BACKEND, _OPERATOR),
        "EraseUser": _by(_BACKEND, _OPERATOR, _USER, subjects="subject"),
        "GetErasure": _by(_BACKEND, _OPERATOR),
        "ListErasures": _by(_BACKEND, _OPERATOR),
        "ExportUser": _by(_BACKEND, _OPERATOR, _USER, subjects="subject"),
    },
    "harken.ranker.v1.RankerService": {
        "Recommend": _by(_BACKEND, _MERCHANDISER, _OPERATOR, _USER, subjects="subject"),
        "Rank": _by(_BACKEND, _MERCHANDISER, _OPERATOR, _USER, subjects="subject"),
        "SimilarItems": _by(_BACKEND, _MERCHANDISER, _OPERATOR, _USER),
        "BatchRecommend": _by(_BACKEND, _OPERATOR),
        "ListTrending": _by(_BACKEND, _MERCHANDISER, _OPERATOR, _USER),
        "ListLatest": _by(_BACKEND, _MERCHANDISER, _OPERATOR, _USER),
        "ExplainSlate": _by(_MERCHANDISER, _OPERATOR),
        # It names all tenants.
        "GetServingState": _by(_OPERATOR, tenant=""),
    },
    "harken.internal.facts.v1.UserFactService": {
        "AppendUserFacts": _by(_PROFILE),
    },
    "harken.internal.slates.v1.SlateService": {
        "RecordSlates": _by(_RANKER),
        "FindSlate": _by(_RANKER),
    },
    "harken.internal.users.v1.UserLogService": {
        "AppendErasure": _by(_PROFILE),
        "GetErasure": _by(_PROFILE, tenant=""),
        "AddReceipts": _by(_PROFILE, _RANKER, tenant=""),
        "ReadUser": _by(_PROFILE),
    },
    "harken.internal.feed.v1.FeedService": {
        # Users are in it, of all tenants.
        "FollowEntries": _by(_PROFILE, _RANKER, tenant="", subscriber="subscriber"),
        # No user is in it; `harken snapshot verify` reads it.
        "Subscribe": _by(_OPERATOR, _PROFILE, _RANKER, tenant="", subscriber="start.subscriber"),
    },
    "grpc.health.v1.Health": {
        "Check": _OPEN,
        # The library has no handler of it, only a fault.
        "List": _by(tenant=""),
        "Watch": _OPEN,
    },
    "grpc.reflection.v1alpha.ServerReflection": {
        "ServerReflectionInfo": _by(_OPERATOR, tenant=""),
    },
}


def _methods() -> Iterator[tuple[str, Rule]]:
    for service, methods in _TABLE.items():
        for name, rule in methods.items():
            yield f"/{service}/{name}", rule


RULES: Mapping[str, Rule] = MappingProxyType(dict(_methods()))
"""By the path of an RPC, "/package.Service/Method"."""

SUBSCRIBERS: Mapping[Kind, str] = MappingProxyType({Kind.PROFILE: "profile", Kind.RANKER: "ranker"})
"""The name that each may follow the feed under, and others that begin with it and a dash."""
