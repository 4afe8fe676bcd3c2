"""All that the learner knows of one tenant."""

from dataclasses import dataclass, field

import numpy as np

from services.feedback.domain.changes import Doubles, Floats
from services.feedback.domain.entries import GenerationActivated
from services.feedback.domain.fold_in import base_factor
from services.feedback.domain.item_step import ItemStepConfig
from services.feedback.domain.item_table import ItemTable
from services.feedback.domain.item_tower import ItemTower
from services.feedback.domain.popularity import PopularityConfig, empty_levels
from services.feedback.domain.sequential_rules import RuleConfig, RuleTable
from services.feedback.domain.user_table import UserTable

FACTOR_DRIFT = 0.005


@dataclass(frozen=True, slots=True)
class LearningConfig:
    """Constants of online learning that do not belong to a generation."""

    item_step: ItemStepConfig = field(default_factory=ItemStepConfig)
    rules: RuleConfig = field(default_factory=RuleConfig)
    popularity: PopularityConfig = field(default_factory=PopularityConfig)


class TenantState:
    """State of one tenant under one generation. Changed only by `step` and `fold`."""

    def __init__(
        self, tenant: str, generation: GenerationActivated, config: LearningConfig
    ) -> None:
        self.tenant = tenant
        self.generation = generation
        self.config = config
        self.tower = ItemTower(generation.tower, generation.content_buckets)
        self.items = ItemTable(generation.dimension)
        self.users = UserTable(generation.length)
        self.rules = RuleTable(self.items.capacity, config.rules)
        self.levels: Doubles = empty_levels(self.items.capacity)
        self.counts: Doubles = np.zeros(self.items.capacity, np.float64)
        self.factor_gramian: Doubles = np.zeros_like(self.items.gramian)
        self._factor: Floats | None = None

    def settle_factor(self) -> None:
        """Decide, before a step of events, whether its user vectors need a newer Gramian.

        A factor costs as much as all the rest of a step of one event, and the Gramian hardly moves
        by one: it is taken anew when the Gramian has moved by more than FACTOR_DRIFT of its
        Frobenius norm. Live learning and folding decide alike, having the same bits.
        """
        moved = (self.items.gramian - self.factor_gramian).ravel()
        reference = self.factor_gramian.ravel()
        if np.dot(moved, moved) > FACTOR_DRIFT**2 * np.dot(reference, reference):
            self.restore_factor(self.items.gramian.copy())

    def restore_factor(self, gramian: Doubles) -> None:
        """Make user vectors with this Gramian."""
        self.factor_gramian = gramian
        self._factor = None

    def factor(self) -> Floats:
        """Return what `fold_in` needs of the Gramian."""
        if self._factor is None:
            self._factor = base_factor(
                self.factor_gramian, self.generation.alpha, self.generation.regularization
            )
        return self._factor

    def fit_items(self) -> None:
        """Give rules and popularity as many rows as there are item rows."""
        capacity = self.items.capacity
        self.rules.grow(capacity)
        more = capacity - self.levels.shape[0]
        if more > 0:
            self.levels = np.concatenate([self.levels, empty_levels(more)])
            self.counts = np.concatenate([self.counts, np.zeros(more, np.float64)])
