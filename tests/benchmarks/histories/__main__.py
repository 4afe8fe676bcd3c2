"""Writes a made history as CSV, for `harken evaluate`: user or session, item, timestamp, event.

python -m tests.benchmarks.histories NAME [SEED] > events.csv
"""

import csv
import sys

from services.dataset.history.event_file import SESSION_PREFIX
from tests.benchmarks.histories.known import HISTORIES


def main(arguments: list[str]) -> int:
    """Write the history that is named; return the exit code."""
    if not arguments or arguments[0] not in HISTORIES:
        print(f"say what: {', '.join(HISTORIES)}", file=sys.stderr)
        return 2
    history = HISTORIES[arguments[0]](int(arguments[1]) if len(arguments) > 1 else 1)
    events = history.events
    written = csv.writer(sys.stdout)
    written.writerow(["session" if history.sessions else "user", "item", "timestamp", "event"])
    for user, item, kind, time_us in zip(
        events.users.tolist(), events.items.tolist(), events.kinds.tolist(),
        events.times_us.tolist(), strict=True,
    ):  # fmt: skip
        who = events.user_ids[user].removeprefix(SESSION_PREFIX)
        written.writerow([who, events.item_ids[item], f"{time_us / 1e6:.3f}", events.types[kind]])
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
