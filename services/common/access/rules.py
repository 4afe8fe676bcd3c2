"""Who may call what: the one table. What is not in it nobody may call.

docs/access.md is written from it. A test holds it against the descriptors of all that we serve.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
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
    operators_only: str = ""
    """Path of a field that only operators may set; a repeated field on the way is all of it."""
    open: bool = False
    """Whether anybody may, known or not."""
    audited: frozenset[Kind] = frozenset()
    """Whose calls are in the audit log, let in or refused; where it is ANYBODY, also calls of
    nobody known."""
    resources: tuple[str, ...] = ()
    """Paths of what the audit log names of a request: ids, names, and subjects."""

    def audits(self, kind: Kind | None) -> bool:
        """Return whether calls of a kind, None for nobody known, are in the audit log."""
        return self.audited == ANYBODY if kind is None else kind in self.audited


ANYBODY = frozenset(Kind)
_BY_OPERATORS = frozenset({Kind.OPERATOR})


def _by(
    *kinds: Kind,
    tenant: str = "tenant",
    subjects: str = "",
    subscriber: str = "",
    operators_only: str = "",
) -> Rule:
    return Rule(frozenset(kinds), tenant, subjects, subscriber, operators_only)


def _audited(rule: Rule, *resources: str, audited: frozenset[Kind] = ANYBODY) -> Rule:
    """Return a rule of an administrative RPC: it changes what others see, or shows what users
    did to those whose users they are not.
    """
    return replace(rule, audited=audited, resources=resources)


_OPEN = Rule(frozenset(), tenant="", open=True)
_FEEDBACK_V1 = "harken.feedback.v1."

_TABLE: Mapping[str, Mapping[str, Rule]] = {
    f"{_FEEDBACK_V1}FeedbackService": {
        "RecordEvents": _by(_BACKEND, _OPERATOR, _USER, subjects="events.subject"),
        "ImportEvents": _audited(_by(_BACKEND, _OPERATOR), audited=_BY_OPERATORS),
        "RetractEvents": _audited(_by(_BACKEND, _OPERATOR), "event_ids"),
        # All that users did, with their ids.
        "ExportEvents": _audited(_by(_OPERATOR, _TRAINER)),
        "ExportSlates": _audited(_by(_OPERATOR, _TRAINER), "surface"),
    },
    f"{_FEEDBACK_V1}CatalogService": {
        "UpsertItems": _by(_BACKEND, _OPERATOR),
        "DeleteItems": _audited(_by(_BACKEND, _OPERATOR), "item_ids"),
        # Profile reads what items are about, to tell what users like.
        "GetItems": _by(_BACKEND, _MERCHANDISER, _OPERATOR, _PROFILE, _TRAINER),
        "ListItems": _by(_BACKEND, _MERCHANDISER, _OPERATOR, _TRAINER),
    },
    f"{_FEEDBACK_V1}EmbeddingService": {
        # A pinned vector is out of reach of all that users do.
        "PutEmbeddings": _audited(
            _by(_BACKEND, _OPERATOR, operators_only="embeddings.pinned"),
            "generation_id",
            "embeddings.item_id",
            "embeddings.subject",
        ),
    },
    f"{_FEEDBACK_V1}GenerationService": {
        "PublishGeneration": _audited(
            _by(_OPERATOR, _TRAINER, tenant="manifest.tenant"), "manifest.generation_id"
        ),
        "DownloadGeneration": _by(_OPERATOR, _RANKER, _TRAINER),
        "ListGenerations": _by(_OPERATOR, _TRAINER),
        "PromoteGeneration": _audited(_by(_OPERATOR, _TRAINER), "generation_id"),
        "RollbackGeneration": _audited(_by(_OPERATOR)),
    },
    f"{_FEEDBACK_V1}SurfaceService": {
        "PutSurface": _audited(_by(_MERCHANDISER, _OPERATOR), "surface.name"),
        "GetSurface": _by(_BACKEND, _MERCHANDISER, _OPERATOR),
        "ListSurfaces": _by(_BACKEND, _MERCHANDISER, _OPERATOR),
        "ListSurfaceRevisions": _by(_MERCHANDISER, _OPERATOR),
        "RollbackSurface": _audited(_by(_MERCHANDISER, _OPERATOR), "name"),
        "DeleteSurface": _audited(_by(_MERCHANDISER, _OPERATOR), "name"),
        "DescribeSurface": _by(_MERCHANDISER, _OPERATOR),
    },
    f"{_FEEDBACK_V1}ExperimentService": {
        "PutExperiment": _audited(_by(_MERCHANDISER, _OPERATOR), "experiment.name"),
        **{
            name: _by(_MERCHANDISER, _OPERATOR)
            for name in ("GetExperiment", "ListExperiments", "ListExperimentRevisions")
        },
        **{
            name: _audited(_by(_MERCHANDISER, _OPERATOR), "name")
            for name in (
                "StartExperiment",
                "RampExperiment",
                "StopExperiment",
                "ConcludeExperiment",
                "DeleteExperiment",
            )
        },
    },
    "harken.profile.v1.ProfileService": {
        "GetProfile": _audited(
            _by(_BACKEND, _OPERATOR, _USER, subjects="subject"), "subject", audited=_BY_OPERATORS
        ),
        "BatchGetProfiles": _audited(
            _by(_BACKEND, _OPERATOR, _RANKER), "subjects", audited=_BY_OPERATORS
        ),
        # What is known of a user is for a backend to say: filters decide by it.
        "UpdateProfile": _audited(
            _by(_BACKEND, _OPERATOR), "profile.subject", audited=_BY_OPERATORS
        ),
        "ListProfiles": _audited(_by(_OPERATOR)),
        # Who somebody is, a backend knows, and says at every login: ListMerges has all of them.
        "MergeProfiles": _audited(_by(_BACKEND, _OPERATOR), "into", audited=_BY_OPERATORS),
        "UnmergeProfiles": _audited(
            _by(_BACKEND, _OPERATOR), "from_subjects", audited=_BY_OPERATORS
        ),
        "ListMerges": _by(_BACKEND, _OPERATOR),
        # It names other users.
        "FindSimilarUsers": _audited(_by(_BACKEND, _OPERATOR), "subject", audited=_BY_OPERATORS),
        # Nobody is named: the audit log is never scrubbed.
        "EraseUser": _audited(_by(_BACKEND, _OPERATOR, _USER, subjects="subject")),
        "GetErasure": _by(_BACKEND, _OPERATOR),
        "ListErasures": _by(_BACKEND, _OPERATOR),
        "ExportUser": _audited(_by(_BACKEND, _OPERATOR, _USER, subjects="subject")),
        "PutAttributeSchema": _audited(_by(_OPERATOR)),
        "GetAttributeSchema": _by(_BACKEND, _MERCHANDISER, _OPERATOR),
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
        "GetErasureProgress": _by(_PROFILE, tenant=""),
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
