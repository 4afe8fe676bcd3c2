"""One revision of a document."""

import hashlib
from datetime import datetime
from typing import NamedTuple


class StoredDocument(NamedTuple):
    """A revision, as stored. revision: from 1, over deletions too. body: the message of its kind,
    serialized; empty: it was deleted. time: when it was put, aware.
    """

    name: str
    revision: int
    body: bytes
    note: str
    time: datetime

    @property
    def deleted(self) -> bool:
        """Whether this revision took the document away."""
        return not self.body

    @property
    def etag(self) -> str:
        """What changes with every revision, also where a number comes again after a restore."""
        digest = hashlib.sha256(self.body)
        digest.update(f"/{self.revision}/{self.time.isoformat()}".encode())
        return digest.hexdigest()[:16]
