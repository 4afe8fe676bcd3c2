"""What goes first when there is too much: slates, then events, then reads, then bulk."""

from enum import Enum
from types import MappingProxyType


class CallClass(Enum):
    """A class of RPCs: its weight when it takes turns, and the share of the limits it may use."""

    SLATES = (8.0, 1.0)
    EVENTS = (4.0, 0.9)
    READS = (2.0, 0.7)
    BULK = (1.0, 0.5)

    def __init__(self, weight: float, share: float) -> None:
        self.weight = weight
        self.share = share


_CLASSES = MappingProxyType(
    {
        "Recommend": CallClass.SLATES,
        "Rank": CallClass.SLATES,
        "SimilarItems": CallClass.SLATES,
        "ListTrending": CallClass.SLATES,
        "ListLatest": CallClass.SLATES,
        # What slates are made from, and written to the log afterwards.
        "GetProfile": CallClass.SLATES,
        "BatchGetProfiles": CallClass.SLATES,
        "RecordEvents": CallClass.EVENTS,
        "RetractEvents": CallClass.EVENTS,
        "RecordSlates": CallClass.EVENTS,
        "UpdateProfile": CallClass.EVENTS,
        "MergeProfiles": CallClass.EVENTS,
        "UnmergeProfiles": CallClass.EVENTS,
        "UpsertItems": CallClass.BULK,
        "DeleteItems": CallClass.BULK,
        "PutEmbeddings": CallClass.BULK,
        "FindSimilarUsers": CallClass.BULK,
        "BatchRecommend": CallClass.BULK,
        "FindSlate": CallClass.BULK,
        "ExplainSlate": CallClass.BULK,
        "AppendUserFacts": CallClass.BULK,
        "ExportUser": CallClass.BULK,
        "ReadUser": CallClass.BULK,
    }
)


def class_of(name: str) -> CallClass:
    """Return the class of an RPC by its name without the service; what is not named reads."""
    return _CLASSES.get(name, CallClass.READS)
