"""What requests of several RPCs have in common, checked."""

from harken.ranker.v1 import ranker_service_pb2 as pb
from services.common.validation import Checks
from services.ranker.config import SURFACE
from services.ranker.request_context import WHATEVER, Freshness
from services.ranker.surfaces.item_lists import ListRequest

DEFAULT_COUNT = 10
MAX_COUNT = 1000
MAX_EXCLUDED = 5000
_MAX_CATEGORIES = 100


def freshness_of(
    checks: Checks,
    request: pb.RecommendRequest | pb.RankRequest | pb.SimilarItemsRequest | ListRequest,
) -> Freshness:
    """Return how fresh an answer is to be; faults are noted."""
    # Nothing of a user is in any other answer.
    events = b""
    if isinstance(request, pb.RecommendRequest | pb.RankRequest):
        events = request.min_position
    learned = request.min_learned_position
    budget = request.wait_budget if request.HasField("wait_budget") else None
    if not events and not learned and budget is None and not request.strict:
        return WHATEVER
    return Freshness(
        checks.position("min_position", events),
        checks.position("min_learned_position", learned),
        checks.wait("wait_budget", budget),
        request.strict,
    )


def check_surface(checks: Checks, surface: str) -> None:
    """Check a surface; none is fine."""
    if surface and not SURFACE.fullmatch(surface):
        checks.fail("surface", "must be at most 64 of [a-z0-9_-]")


def check_filter(
    checks: Checks,
    request: pb.RecommendRequest | pb.RankRequest | pb.SimilarItemsRequest | ListRequest,
) -> None:
    """Check a filter, its expression apart."""
    if not request.HasField("filter"):
        return
    wanted = request.filter
    checks.size("filter.categories", len(wanted.categories), 0, _MAX_CATEGORIES)
    checks.size("filter.excluded_categories", len(wanted.excluded_categories), 0, _MAX_CATEGORIES)
