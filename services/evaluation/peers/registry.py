"""All peers by name: what they need, when they refuse, how they are fitted.

A peer's module is imported only when it is fitted, as its libraries are optional.
"""

import importlib.util
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from services.evaluation.peers.train_part import TrainPart
from services.evaluation.score_arm import Scorer
from services.system.timeline import Timeline


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


Fit = Callable[[TrainPart, PeerContext], Scorer]


@dataclass(frozen=True, slots=True)
class Peer:
    """`fit` imports what it needs, fits, and returns a Scorer or raises RefusedError.

    Who needs modules of an extra names both.
    """

    fit: Fit
    needs: tuple[str, ...] = ()
    extra: str = ""

    def missing(self) -> str | None:
        """Return why the peer cannot take part here, None when it can."""
        for module in self.needs:
            if importlib.util.find_spec(module) is None:
                return f"{module} is not installed (extra `{self.extra}`)"
        return None


def _popularity(train: TrainPart, context: PeerContext) -> Scorer:
    from services.evaluation.peers.popularity import fit

    return fit(train, context)


def _decayed_popularity(train: TrainPart, context: PeerContext) -> Scorer:
    from services.evaluation.peers.decayed_popularity import fit

    return fit(train, context)


def _item_knn(train: TrainPart, context: PeerContext) -> Scorer:
    from services.evaluation.peers.item_knn import fit

    return fit(train, context)


def _ease(train: TrainPart, context: PeerContext) -> Scorer:
    from services.evaluation.peers.ease import fit

    return fit(train, context)


def _ials(train: TrainPart, context: PeerContext) -> Scorer:
    from services.evaluation.peers.ials import fit

    return fit(train, context)


def _v_sknn(train: TrainPart, context: PeerContext) -> Scorer:
    from services.evaluation.peers.v_sknn import fit

    return fit(train, context)


def _sasrec(train: TrainPart, context: PeerContext) -> Scorer:
    from services.evaluation.peers.sasrec import fit

    return fit(train, context)


def _sasrec_ials(train: TrainPart, context: PeerContext) -> Scorer:
    from services.evaluation.peers.sasrec import fit

    return fit(train, context, from_ials=True)


PEERS: Mapping[str, Peer] = MappingProxyType(
    {
        "popularity": Peer(_popularity),
        "decayed_popularity": Peer(_decayed_popularity),
        "item_knn": Peer(_item_knn, ("scipy",), "eval"),
        "ease": Peer(_ease, ("scipy",), "eval"),
        "ials": Peer(_ials, ("implicit", "scipy"), "eval"),
        "v_sknn": Peer(_v_sknn),
        "sasrec": Peer(_sasrec, ("torch",), "train"),
        "sasrec_ials": Peer(_sasrec_ials, ("torch", "implicit", "scipy"), "train,eval"),
    }
)
