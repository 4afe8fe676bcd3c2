"""Where the services of a suite listen."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from services.common.channel_identity import ChannelIdentity

FILE_NAME = "endpoints.json"


@dataclass(frozen=True, slots=True)
class Endpoints:
    """gRPC targets, as host:port. There is at least one ranker."""

    feedback: str
    profile: str
    rankers: tuple[str, ...]
    identity: ChannelIdentity | None = None
    """What callers show there; in no file."""

    def write(self, folder: Path) -> None:
        """Write them to `folder`/endpoints.json, in one step."""
        targets = {name: getattr(self, name) for name in ("feedback", "profile", "rankers")}
        partial = folder / f"{FILE_NAME}.partial"
        partial.write_text(json.dumps(targets, indent=2) + "\n")
        partial.replace(folder / FILE_NAME)

    @classmethod
    def read(cls, folder: Path) -> Self | None:
        """Return what `write` wrote, or None when no suite runs from `folder`."""
        try:
            found = json.loads((folder / FILE_NAME).read_text())
        except FileNotFoundError:
            return None
        return cls(found["feedback"], found["profile"], tuple(found["rankers"]))
