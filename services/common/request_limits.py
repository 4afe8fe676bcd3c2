"""How many elements the lists of a request may have, and which of its fields may be large.

This is what is refused unseen, before the message is made. Servicers check the exact limits of
their envelopes again; what is wrong with one of many elements they say for that one alone.
"""

from collections.abc import Mapping
from types import MappingProxyType

MAX_PATHS = 1000
"""Of an update mask."""
MAX_SECTIONS = 100
MAX_TEXT_BYTES = 64 * 1024
"""Of any text, and of bytes that are not in LARGE_BYTES."""
MAX_STRUCT_BYTES = 64 * 1024
"""Of a google.protobuf.Struct: the attributes of a user."""
MAX_BYTES = 1024 * 1024
"""Of a request that is not in LARGE_REQUESTS."""

_V1 = "harken.feedback.v1."
_FEED = "harken.internal.feed.v1."
_SLATES = "harken.internal.slates.v1."
_FACTS = "harken.internal.facts.v1."
_PROFILE = "harken.profile.v1."

MOST: Mapping[str, int] = MappingProxyType(
    {
        "google.protobuf.FieldMask.paths": MAX_PATHS,
        f"{_V1}UpsertItemsRequest.items": 1000,
        f"{_V1}Item.categories": 32,
        f"{_V1}Item.tags": 64,
        f"{_V1}Item.numbers": 32,
        f"{_V1}DeleteItemsRequest.item_ids": 1000,
        f"{_V1}GetItemsRequest.item_ids": 1000,
        f"{_FEED}SubscribeStart.sections": MAX_SECTIONS,
        f"{_V1}SurfaceConfig.outcome_weights": 100,
        f"{_V1}SurfaceConfig.gates": 20,
        f"{_V1}SurfaceConfig.seen": 100,
        f"{_V1}SurfaceConfig.sources": 100,
        f"{_V1}SurfaceConfig.rules": 50,
        f"{_V1}PutEmbeddingsRequest.embeddings": 1000,
        f"{_V1}Embedding.values": 1024,
        f"{_V1}RecordEventsRequest.events": 1000,
        f"{_V1}Event.context": 16,
        f"{_V1}ImportEventsRequest.events": 5000,
        **{
            f"{_V1}EventColumns.{name}": 20_000
            for name in (
                "event_ids", "user_ids", "session_ids", "subjects", "item_ids", "items", "types",
                "type_indices", "values", "has_value", "event_times_us", "has_event_time",
                "slate_ids", "contexts",
            )
        },
        f"{_V1}EventContext.entries": 16,
        f"{_SLATES}RecordSlatesRequest.slates": 500,
        f"{_SLATES}ServedSlate.item_ids": 1000,
        f"{_SLATES}SlateDecision.candidate_ids": 5000,
        f"{_SLATES}SlateDecision.barred": 1000,
        f"{_SLATES}SlateDecision.lowered": 1000,
        f"{_SLATES}SlateDecision.decided_places": 1000,
        f"{_SLATES}SlateDecision.slots": 1000,
        f"{_V1}RetractEventsRequest.event_ids": 1000,
        f"{_V1}DownloadGenerationRequest.file_names": 10,
        f"{_V1}GenerationManifest.scorer_features": 1000,
        f"{_V1}GenerationManifest.files": 10,
        f"{_V1}GenerationManifest.metrics": 10_000,
        f"{_V1}GenerationManifest.outcomes": 100,
        f"{_V1}Outcome.event_types": 100,
        f"{_FACTS}AppendUserFactsRequest.facts": 1000,
        "harken.internal.users.v1.AddReceiptsRequest.receipts": 1000,
        "harken.ranker.v1.RecommendRequest.excluded_item_ids": 5000,
        "harken.ranker.v1.RecommendRequest.candidates": 1000,
        "harken.ranker.v1.RankRequest.item_ids": 1000,
        "harken.ranker.v1.BatchRecommendRequest.subjects": 10_000,
        "harken.ranker.v1.ListTrendingRequest.excluded_item_ids": 5000,
        "harken.ranker.v1.ListLatestRequest.excluded_item_ids": 5000,
        "harken.ranker.v1.Filter.categories": 100,
        "harken.ranker.v1.Filter.excluded_categories": 100,
        f"{_PROFILE}BatchGetProfilesRequest.subjects": 500,
        f"{_PROFILE}AttributeSchema.attributes": 200,
        f"{_PROFILE}AttributeDefinition.allowed_values": 1000,
        # Not read: who changes a profile may send back what it was given.
        f"{_PROFILE}Profile.seen_item_ids": 5000,
        f"{_PROFILE}Counters.events_by_type": 1000,
        f"{_PROFILE}SeenItems.item_ids": 10_000,
        f"{_PROFILE}SeenItems.kinds": 1000,
        f"{_PROFILE}SeenItems.pair_items": 10_000,
        f"{_PROFILE}SeenItems.pair_kinds": 10_000,
        f"{_PROFILE}SeenItems.pair_times_us": 10_000,
    }
)  # fmt: skip
"""Elements of a list, by the full name of its field; of a list that is not here none are read,
and it may have as few as DEFAULT_MOST."""
DEFAULT_MOST = 100

LARGE_BYTES: Mapping[str, int] = MappingProxyType(
    {
        f"{_V1}FileChunk.data": 2 * 1024 * 1024,
        f"{_SLATES}ServedSlate.probabilities": 1024 * 1024,
        f"{_SLATES}ServedSlate.logits": 1024 * 1024,
        f"{_SLATES}ServedSlate.features": 2 * 1024 * 1024,
        f"{_SLATES}SlateDecision.probabilities": 2 * 1024 * 1024,
    }
)
"""Bytes of a field, by its full name, where more than MAX_TEXT_BYTES are right."""

SMALL_MESSAGE_BYTES, LARGE_MESSAGE_BYTES = 4 * 1024 * 1024, 16 * 1024 * 1024
"""Of a request to profile and rankers, what gRPC takes by default; and to feedback, which takes
bulk. Receiving 16 MiB holds everybody up for 12 to 40 ms, in gRPC itself."""
LARGE_REQUESTS: Mapping[str, int] = MappingProxyType(
    {
        f"{_V1}UpsertItemsRequest": LARGE_MESSAGE_BYTES,
        "harken.ranker.v1.RankRequest": SMALL_MESSAGE_BYTES,
        "harken.ranker.v1.RecommendRequest": SMALL_MESSAGE_BYTES,
        "harken.ranker.v1.BatchRecommendRequest": SMALL_MESSAGE_BYTES,
        f"{_V1}PutEmbeddingsRequest": LARGE_MESSAGE_BYTES,
        f"{_V1}RecordEventsRequest": LARGE_MESSAGE_BYTES,
        f"{_V1}ImportEventsRequest": LARGE_MESSAGE_BYTES,
        f"{_SLATES}RecordSlatesRequest": LARGE_MESSAGE_BYTES,
        f"{_FACTS}AppendUserFactsRequest": LARGE_MESSAGE_BYTES,
        f"{_V1}PublishGenerationRequest": 3 * 1024 * 1024,
        f"{_PROFILE}UpdateProfileRequest": SMALL_MESSAGE_BYTES,
    }
)
"""Bytes of a request, by its full name."""
