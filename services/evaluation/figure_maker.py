"""What draws plots: matplotlib, which is there with the extra `eval` only."""

from typing import Any


class PlotsMissingError(Exception):
    """matplotlib is not installed."""


def figure_maker() -> Any:
    """Return what makes figures.

    Raises:
        PlotsMissingError: matplotlib is not installed.

    """
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise PlotsMissingError("plots need matplotlib: pip install -e '.[eval]'") from None
    return Figure
