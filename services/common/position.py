"""Position: the opaque token that clients hold to read their own feedback."""

import struct
from dataclasses import dataclass

_LAYOUT = struct.Struct(">BHIQ")
_LAYOUT_VERSION = 1


@dataclass(frozen=True, slots=True, order=True)
class Position:
    """A point of the log: after entry `sequence` of `shard`, written in `epoch`."""

    shard: int
    epoch: int
    sequence: int

    def encode(self) -> bytes:
        """Return the token: 15 bytes, beginning with the version of the layout."""
        return encode_position(self.shard, self.epoch, self.sequence)


def encode_position(shard: int, epoch: int, sequence: int) -> bytes:
    """Return the token of a position; tokens are in order as positions are."""
    return _LAYOUT.pack(_LAYOUT_VERSION, shard, epoch, sequence)


def token_of(position: Position | None) -> bytes:
    """Return the token of a position; empty when there is none."""
    return position.encode() if position is not None else b""


def decode_position(token: bytes) -> Position:
    """Return the position that a token names.

    Raises:
        ValueError: the token is not one of ours.

    """
    if len(token) != _LAYOUT.size or token[0] != _LAYOUT_VERSION:
        raise ValueError("not a position that this version of Harken issued")
    _, shard, epoch, sequence = _LAYOUT.unpack(token)
    return Position(shard, epoch, sequence)
