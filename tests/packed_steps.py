"""Steps of vectors off the wire, bit by bit: the plain way, to compare with."""

from harken.internal.feed.v1 import frame_pb2


def unpacked_steps(vectors: frame_pb2.ItemVectors) -> list[int]:
    """Return the values, row after row."""
    bits = vectors.step_bits or 16
    whole = int.from_bytes(vectors.steps, "little")
    count = len(vectors.steps) * 8 // bits
    steps = [whole >> (bits * place) & (1 << bits) - 1 for place in range(count)]
    return [step - (1 << bits) if step >> (bits - 1) else step for step in steps]
