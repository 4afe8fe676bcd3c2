"""All peers by name: what they need, when they refuse, how they are fitted.

A peer's module is imported only when it is fitted, as its libraries are optional.
"""

import importlib
import importlib.util
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from services.evaluation.peers.train_part import TrainPart
from services.evaluation.score_arm import Scorer
from services.evaluation.timeline import Timeline


@dataclass(frozen=True, slots=True)
class PeerContext:
    """What fitting may use besides the training part.

    timeline: for peers that learn online. budget_seconds: what a peer expects to exceed, it
    refuses. progress: hears of done and total. say: hears what was chosen.
    """

    timeline: Timeline
    seed: int
    budget_seconds: float
    max_items_ease: int
    progress: Callable[[int, int], None]
    say: Callable[[str], None]


class RefusedError(Exception):
    """A peer does not take part; the message says why."""


@dataclass(frozen=True, slots=True)
class Peer:
    """module.fit(train, context, **options) returns a Scorer or raises RefusedError.

    Who needs modules of an extra names both.
    """

    module: str
    needs: tuple[str, ...] = ()
    extra: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)

    def missing(self) -> str | None:
        """Return why the peer cannot take part here, None when it can."""
        for module in self.needs:
            if importlib.util.find_spec(module) is None:
                return f"{module} is not installed (extra `{self.extra}`)"
        return None

    def fit(self, train: TrainPart, context: PeerContext) -> Scorer:
        """Fit the peer.

        Raises:
            RefusedError: it would take too long or too much memory.

        """
        fit = importlib.import_module(self.module).fit
        fitted: Scorer = fit(train, context, **self.options)
        return fitted


_HERE = "services.evaluation.peers"
PEERS: Mapping[str, Peer] = MappingProxyType(
    {
        "popularity": Peer(f"{_HERE}.popularity"),
        "decayed_popularity": Peer(f"{_HERE}.decayed_popularity"),
        "item_knn": Peer(f"{_HERE}.item_knn", ("scipy",), "eval"),
        "ease": Peer(f"{_HERE}.ease", ("scipy",), "eval"),
        "ials": Peer(f"{_HERE}.ials", ("implicit", "scipy"), "eval"),
        "v_sknn": Peer(f"{_HERE}.v_sknn"),
        "sasrec": Peer(f"{_HERE}.sasrec", ("torch",), "train"),
        "sasrec_ials": Peer(
            f"{_HERE}.sasrec", ("torch", "implicit", "scipy"), "train,eval",
            {"from_ials": True},
        ),
    }
)  # fmt: skip
