"""Recent events of a user, as ranking reads them."""

import numpy as np

RECENT = np.dtype([("item", np.int64), ("weight", np.float32), ("time", np.float64)])
"""One recent event: item ordinal, learning weight, event time in unix seconds."""
RECENT_LENGTH = 100
"""Events of a user that are read, at most: the latest."""
