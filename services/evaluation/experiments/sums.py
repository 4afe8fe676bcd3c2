"""What a report needs to know of one variant's values: six sums, which add up over parts and days.

A value belongs to a unit, and units must be independent of each other: a user where users come
back (the sum or mean of all that the user did in a window of fixed length after the first exposure,
counted once the window is over), an exposure only where each is of another user.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Sums:
    """Sums over the units of a variant; every field has the same shape: () for one state, or any
    other for many at once (simulated runs, looks).

    count: units. value, squared_value: of the metric. covariate, squared_covariate: of what was
    known of the unit before its first exposure, 0 where there is none. product: of both.
    Sums of float64 are precise while a mean is below about 1e6 standard deviations.
    """

    count: Floats
    value: Floats
    squared_value: Floats
    covariate: Floats
    squared_covariate: Floats
    product: Floats

    def __add__(self, other: "Sums") -> "Sums":
        return Sums(
            self.count + other.count,
            self.value + other.value,
            self.squared_value + other.squared_value,
            self.covariate + other.covariate,
            self.squared_covariate + other.squared_covariate,
            self.product + other.product,
        )


def sums_of(values: Floats, covariates: Floats | None = None) -> Sums:
    """Return the sums of values [n], one a unit, and of as many covariates, in the same order.

    Raises ValueError where the lengths differ or a number is not finite.
    """
    known = np.zeros_like(values) if covariates is None else covariates
    if known.shape != values.shape:
        raise ValueError(f"{values.size} values, but {known.size} covariates")
    if not (np.isfinite(values).all() and np.isfinite(known).all()):
        raise ValueError("values and covariates must be finite")
    return Sums(
        np.asarray(float(values.size)),
        np.asarray(values.sum()),
        np.asarray(values @ values),
        np.asarray(known.sum()),
        np.asarray(known @ known),
        np.asarray(values @ known),
    )
