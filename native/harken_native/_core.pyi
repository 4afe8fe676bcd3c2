import numpy as np
import numpy.typing as npt

_Bools = npt.NDArray[np.bool_]
_Float32s = npt.NDArray[np.float32]
_Float64s = npt.NDArray[np.float64]
_Ordinals = npt.NDArray[np.int64]

# scan.cpp

def exact_top(
    query: _Float32s,
    table: _Float32s,
    biases: _Float32s,
    eligible: _Bools,
    count: int,
    norms: _Float32s | None = None,
    plain: bool = False,
) -> tuple[_Ordinals, _Float64s]: ...
def dots(
    query: _Float32s,
    table: _Float32s,
    biases: _Float32s,
    ordinals: _Ordinals,
    plain: bool = False,
) -> _Float64s: ...

class VectorLists:
    def __init__(self, dimension: int, lists: int = 1) -> None: ...
    def __len__(self) -> int: ...
    def put(
        self, ordinals: _Ordinals, lists: _Ordinals, vectors: _Float32s, biases: _Float32s
    ) -> int: ...
    def search(
        self,
        query: _Float32s,
        table: _Float32s,
        biases: _Float32s,
        eligible: _Bools,
        count: int,
        probes: _Float32s,
        enough: int,
        norms: _Float32s | None = None,
        plain: bool = False,
    ) -> tuple[_Ordinals, _Float64s]: ...
