"""Experiments that run, as far as making slates is concerned."""

from collections.abc import Mapping
from dataclasses import dataclass

from services.common.experiments.assignment import Layer, assigned
from services.ranker.domain.selection.plan import Exploration


@dataclass(frozen=True, slots=True)
class OtherSurface:
    """Slates are made by the configuration of another surface."""

    name: str


@dataclass(frozen=True, slots=True)
class OtherExploration:
    """Slates explore otherwise than is configured; new_item_events: see configured.Surface."""

    exploration: Exploration
    new_item_events: int


Treatment = OtherSurface | OtherExploration


@dataclass(frozen=True, slots=True)
class Experiment:
    """An experiment that assigns users. layer: with this experiment alone. treatments: of variants
    that have one, by name.
    """

    name: str
    revision: int
    layer_name: str
    layer: Layer
    treatments: Mapping[str, Treatment]

    def variant_of(self, user_id: str) -> str | None:
        """Return the name of a user's variant; None: the user is not in."""
        found = assigned(self.layer, user_id)
        return None if found is None else found.variant
