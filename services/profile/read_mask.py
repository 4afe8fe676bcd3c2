"""Which parts of a profile a read wants."""

from collections.abc import Sequence

from harken.profile.v1 import profile_service_pb2 as pb
from services.common.request_limits import MAX_PATHS
from services.common.validation import Checks

_DEFAULT = frozenset({"attributes", "state", "counters"})
_PARTS = _DEFAULT | {"seen_item_ids", "seen", "behaviour", "interests"}


def masked_parts(checks: Checks, paths: Sequence[str]) -> frozenset[str]:
    """Return the parts that a read mask names; what is wrong with it goes to `checks`."""
    if checks.size("read_mask.paths", len(paths), 0, MAX_PATHS):
        for index, path in enumerate(paths):
            if path not in _PARTS:
                allowed = ", ".join(sorted(_PARTS))
                checks.fail(f"read_mask.paths[{index}]", f"must be one of {allowed}")
    return frozenset(paths)


def usual_parts(request: pb.GetProfileRequest | pb.BatchGetProfilesRequest) -> frozenset[str]:
    """Return the parts that a read without a mask wants."""
    if not request.include_seen:
        return _DEFAULT
    return _DEFAULT | {"seen" if request.seen_by_type else "seen_item_ids"}
