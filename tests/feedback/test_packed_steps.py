"""Vectors in as few bits as they need."""

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from harken.internal.feed.v1 import frame_pb2
from services.feed.columns import bits_of, from_packed, to_packed
from services.feed.parameters_codec import read_vectors
from tests.packed_steps import unpacked_steps

shapes = st.tuples(st.integers(1, 9), st.integers(1, 40))
largest = st.sampled_from((0, 1, 126, 127, 128, 129, 1000, 4095, 32767))


@st.composite
def steps(draw: st.DrawFn) -> npt.NDArray[np.int16]:
    most = draw(largest)
    return draw(arrays(np.int16, shapes, elements=st.integers(-most - 1, most)))


@given(steps())
def test_what_was_packed_comes_back(values: npt.NDArray[np.int16]) -> None:
    """Truth 6: everyone holds the same bits."""
    bits = bits_of(values)
    content = to_packed(values, bits)
    assert len(content) == -(-values.size * bits // 8)
    wire = frame_pb2.ItemVectors(
        items=range(len(values)), steps=content, step_bits=bits, unit=0.5,
        biases=bytes(4 * len(values)), pinned=[False] * len(values),
    )  # fmt: skip
    assert unpacked_steps(wire) == values.reshape(-1).tolist()
    assert from_packed(content, bits, len(values)).tolist() == values.tolist()
    assert read_vectors(wire).vectors.tolist() == (values * 0.5).tolist()


@given(steps())
def test_no_more_bits_are_taken_than_needed(values: npt.NDArray[np.int16]) -> None:
    bits = bits_of(values)
    held = values.astype(np.int64)
    assert ((-(1 << (bits - 1)) <= held) & (held < 1 << (bits - 1))).all()
    half = 1 << (bits - 2)
    assert bits == 8 or ((held < -half) | (held >= half)).any()


def test_many_values_go_through_in_parts() -> None:
    values = np.random.default_rng(1).integers(-500, 500, (1001, 131)).astype(np.int16)
    packed = to_packed(values, 10)
    assert (from_packed(packed, 10, 1001) == values).all()


def test_frames_that_do_not_say_their_bits_hold_sixteen() -> None:
    values = np.array([[-32768, 1], [32767, -2]], np.int16)
    wire = frame_pb2.ItemVectors(items=[0, 1], steps=values.astype("<i2").tobytes(), unit=1.0)
    assert read_vectors(wire).vectors.tolist() == values.tolist()


@pytest.mark.parametrize(
    ("content", "bits", "rows"),
    [(bytes(10), 7, 1), (bytes(10), 17, 1), (bytes(11), 16, 1), (bytes(10), 8, 3),
     (bytes(10), 9, 1), (bytes(10), 8, 0)],
)  # fmt: skip
def test_torn_values_are_refused(content: bytes, bits: int, rows: int) -> None:
    """Truth 7."""
    with pytest.raises(ValueError, match="bits"):
        from_packed(content, bits, rows)
