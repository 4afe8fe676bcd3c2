"""What is held for subscribers is bounded in bytes (truth 13), and has no gap (truth 5)."""

import gc
import tracemalloc
from typing import Any, cast

from prometheus_client import CollectorRegistry

from services.feedback.feed_server.frame_hub import WINDOW_BYTES, FrameHub
from services.feedback.feed_server.frame_store import CommittedFrame

FRAME_BYTES = 4_000
FRAMES = 3 * WINDOW_BYTES // FRAME_BYTES


def test_frames_held_take_no_more_than_the_window() -> None:
    # Nothing is read: frames are handed over, as by a learner of the same process.
    nothing = cast("Any", None)
    hub = FrameHub(nothing, nothing, "", CollectorRegistry())
    gc.collect()
    tracemalloc.start()
    try:
        for version in range(1, FRAMES + 1):
            hub.offer(CommittedFrame(1, version, version, bytes(FRAME_BYTES)))
        taken = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert taken < 1.1 * WINDOW_BYTES
    assert hub.after(1) is None
    assert hub.after(FRAMES) == ()
    oldest = next(version for version in range(FRAMES) if hub.after(version) is not None)
    assert (FRAMES - oldest) * FRAME_BYTES > 0.99 * WINDOW_BYTES
    found, version = [], oldest
    while page := hub.after(version):
        found += [frame.version for frame in page]
        version = found[-1]
    assert found == list(range(oldest + 1, FRAMES + 1))
