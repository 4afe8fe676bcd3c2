"""The chain of hashes over an audit log: what was written cannot change without its head changing.

hash_0 = SHA-256("harken audit " + schema), and hash_n = SHA-256(hash_{n-1} | n | time | entry) with
n and the time (unix microseconds) as 8 bytes, big-endian, and the entry as UTF-8 bytes. PostgreSQL
computes it as it appends (`append_audit_entry`), this file when somebody checks.

Whoever owns the table can write it all anew, hashes included. That shows only against a head that
was kept elsewhere before.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Link:
    """A row as it is stored."""

    sequence: int
    at_us: int
    entry: str
    hash: bytes


@dataclass(frozen=True, slots=True)
class Head:
    """How far a log reached, and the hash there. Sequence 0: it was empty."""

    sequence: int
    hash: bytes


@dataclass(frozen=True, slots=True)
class Fault:
    """The first row that is not as it was written, and what is wrong with it."""

    sequence: int
    what: str


def origin(schema: str) -> Head:
    """Return the head of the empty log of a schema."""
    return Head(0, hashlib.sha256(f"harken audit {schema}".encode()).digest())


def hash_after(before: bytes, sequence: int, at_us: int, entry: str) -> bytes:
    """Return the hash of a row, given that of the row before it."""
    numbers = sequence.to_bytes(8, "big") + at_us.to_bytes(8, "big", signed=True)
    return hashlib.sha256(before + numbers + entry.encode(errors="surrogatepass")).digest()


class ChainCheck:
    """Checks rows as they are read, in order of their sequence."""

    def __init__(self, schema: str, known: Iterable[Head] = ()) -> None:
        """`known` are heads that were kept elsewhere."""
        self.head = origin(schema)
        self._known: Mapping[int, list[bytes]] = _by_sequence(known)

    def faults(self, rows: Iterable[Link]) -> Iterator[Fault]:
        """Yield the first fault of further rows, if they have one: after it nothing is known."""
        for row in rows:
            fault = self._fault(row)
            if fault is not None:
                yield fault
                return
            self.head = Head(row.sequence, row.hash)

    def fault_at_end(self) -> Fault | None:
        """Return what is missing behind the last row, if something is."""
        beyond = [one for one in self._known if one > self.head.sequence]
        if beyond:
            return Fault(
                self.head.sequence + 1,
                f"is missing, as all up to {max(beyond)}, which was there: the log was cut,"
                " or is that of an older backup",
            )
        return self._against_known(self.head)

    def _fault(self, row: Link) -> Fault | None:
        expected = self.head.sequence + 1
        if row.sequence > expected:
            return Fault(expected, f"is missing: {row.sequence} comes after {expected - 1}")
        if row.sequence < expected:
            return Fault(row.sequence, f"comes after {expected - 1}")
        wanted = hash_after(self.head.hash, row.sequence, row.at_us, row.entry)
        if row.hash != wanted:
            return Fault(row.sequence, "was changed: its hash does not follow from its content")
        return self._against_known(Head(row.sequence, row.hash))

    def _against_known(self, head: Head) -> Fault | None:
        if any(one != head.hash for one in self._known.get(head.sequence, ())):
            return Fault(
                head.sequence,
                "or a row before it was written anew: its hash is not that of the known head",
            )
        return None


def _by_sequence(known: Iterable[Head]) -> dict[int, list[bytes]]:
    found: dict[int, list[bytes]] = {}
    for one in known:
        found.setdefault(one.sequence, []).append(one.hash)
    return found
