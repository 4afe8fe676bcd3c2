"""All that the learner knows of one tenant."""

import hashlib
from dataclasses import dataclass, field

import numpy as np

from services.feedback.domain.changes import Doubles
from services.feedback.domain.entries import GenerationActivated
from services.feedback.domain.item_step import ItemStepConfig
from services.feedback.domain.item_table import ItemTable
from services.feedback.domain.item_tower import ItemTower
from services.feedback.domain.popularity import PopularityConfig, empty_levels
from services.feedback.domain.sequential_rules import RuleConfig, RuleTable
from services.feedback.domain.user_table import UserTable


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
        self.tower = ItemTower(generation.tower)
        self.items = ItemTable(generation.dimension)
        self.users = UserTable(generation.length)
        self.rules = RuleTable(self.items.capacity, config.rules)
        self.levels: Doubles = empty_levels(self.items.capacity)
        self.counts: Doubles = np.zeros(self.items.capacity, np.float64)

    def fit_items(self) -> None:
        """Give rules and popularity as many rows as there are item rows."""
        capacity = self.items.capacity
        self.rules.grow(capacity)
        more = capacity - self.levels.shape[0]
        if more > 0:
            self.levels = np.concatenate([self.levels, empty_levels(more)])
            self.counts = np.concatenate([self.counts, np.zeros(more, np.float64)])

    def digest(self) -> bytes:
        """Return SHA-256 over the sorted ids of existing items, each followed by the bytes of its
        vector and its bias (little-endian float32): what replicas serve.
        """
        digest = hashlib.sha256()
        live = np.flatnonzero(self.items.exists[: len(self.items)])
        for item_id, ordinal in sorted(zip(self.items.names(live), live.tolist(), strict=True)):
            digest.update(item_id.encode())
            digest.update(self.items.vectors[ordinal].astype("<f4").tobytes())
            digest.update(self.items.biases[ordinal].astype("<f4").tobytes())
        return digest.digest()
