"""All made histories by name."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from services.evaluation.protocol import Repeats
from tests.benchmarks.histories.groceries import groceries
from tests.benchmarks.histories.history import History
from tests.benchmarks.histories.music import music
from tests.benchmarks.histories.news import news
from tests.benchmarks.histories.places import places
from tests.benchmarks.histories.shop import shop

HISTORIES: Mapping[str, Callable[[int], History]] = MappingProxyType(
    {
        "shop": shop,
        "wide": lambda seed: shop(seed, "wide"),
        "flash": lambda seed: shop(seed, "flash"),
        "groceries": groceries,
        "news": news,
        "music": music,
        "check-ins": places,
        "new-places": lambda seed: places(seed, Repeats.EXCLUDE),
    }
)
"""What makes each, given a seed."""
