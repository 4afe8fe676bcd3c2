"""All that the learner knows of one tenant."""

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from services.common.compiled_core import CompiledCore
from services.common.ranking.popularity import COUNT, LEVEL, Popularity
from services.common.ranking.scorer import Scorer
from services.feed.parameters import Document, Doubles, Flags, Floats, Ints
from services.feedback.learner.model.choices.candidates import CandidateMaker
from services.feedback.learner.model.context_popularity import ContextConfig
from services.feedback.learner.model.daily_cap import DailyCap
from services.feedback.learner.model.entries import FeaturesOf, GenerationActivated
from services.feedback.learner.model.held_events import HeldEvents
from services.feedback.learner.model.item_allowance import AllowanceConfig, ItemAllowance
from services.feedback.learner.model.item_contents import ItemContents
from services.feedback.learner.model.item_owners import ItemOwners, OwnerOf
from services.feedback.learner.model.item_step import ItemStepConfig
from services.feedback.learner.model.item_table import ItemTable
from services.feedback.learner.model.learning_consents import (
    LearningConsents,
    LearningDecision,
)
from services.feedback.learner.model.merged_events import MergedEvents
from services.feedback.learner.model.popularity import PopularityConfig
from services.feedback.learner.model.progressive_validation import ComparisonConfig
from services.feedback.learner.model.sequential_rules import RuleConfig, RuleTable
from services.feedback.learner.model.shown_step import ShownStepConfig
from services.feedback.learner.model.slate_learning import (
    SlateConfig,
    SlateLearning,
    outcomes_of,
)
from services.feedback.learner.model.space_status import Role, SpaceStatus
from services.feedback.learner.model.user_links import LinkChange, UserLinks
from services.feedback.learner.model.user_table import (
    NO_ITEM,
    Histories,
    PastEvent,
    UserTable,
)
from services.feedback.learner.model.vector_space import VectorSpace
from services.feedback.learner.model.young_items import YoungConfig, YoungItems

_SENT_AT_ONCE = 1000


@dataclass(frozen=True, slots=True)
class LearningConfig:
    """Constants of online learning that do not belong to a generation.

    core: runs the hot loops, where it is installed; NumPy does by default. features_of: what young
    items start by (young_items.py) and items are compared by (item_contents.py); None: they start
    where the tower puts them, and stay there, and are alike to none. owner_of: see item_owners.py.
    """

    item_step: ItemStepConfig = field(default_factory=ItemStepConfig)
    rules: RuleConfig = field(default_factory=RuleConfig)
    popularity: PopularityConfig = field(default_factory=PopularityConfig)
    places: ContextConfig = field(default_factory=ContextConfig)
    comparison: ComparisonConfig = field(default_factory=ComparisonConfig)
    daily_events: int = 1000
    """Events of one user and day that may move what users share."""
    allowance: AllowanceConfig = field(default_factory=AllowanceConfig)
    placed_bytes: int = 256 * 1024
    """Of vectors placed in one step: events that come meanwhile wait some milliseconds at most."""
    user_vectors_us: int = 2_000_000
    """How long a user's new vector may wait to be sent to who shows it."""
    slates: SlateConfig = field(default_factory=SlateConfig)
    shown: ShownStepConfig = field(default_factory=ShownStepConfig)
    young: YoungConfig = field(default_factory=YoungConfig)
    core: CompiledCore | None = None
    features_of: FeaturesOf | None = None
    owner_of: OwnerOf | None = None
    learns_unless_denied: bool = True
    """Whether others learn from users who decided nothing about that."""


class Recorded(NamedTuple):
    """Recent items just before each event [n]; which of those that teach are within their user's
    daily influence; which of these may move what is shared, as what goes to one item allows.
    """

    before: Histories
    within: Flags
    admitted: Flags


class TenantState:
    """State of one tenant. Changed only by `step` and `fold`.

    `spaces` holds the vectors of each generation that follows the events: the one that serves
    (`active`), and at most one that is staged or on standby. `events`: of positive weight
    so far, also those that were taken back, or time by events would go back.
    `documents`: what is configured, by kind and name.
    `touched`: rows of users whose vector has become another one since it was sent, the first of
    them at `touched_since_us`.
    """

    def __init__(
        self, tenant: str, generation: GenerationActivated, config: LearningConfig
    ) -> None:
        self.tenant = tenant
        self.config = config
        self.items = ItemTable()
        self.documents: dict[tuple[str, str], Document] = {}
        self.users = UserTable(generation.length, config.core)
        self.influence = DailyCap(config.daily_events, config.core)
        self.consents = LearningConsents(config.learns_unless_denied)
        self.links = UserLinks()
        self.merged_events = MergedEvents()
        self.allowance = ItemAllowance(config.allowance)
        self.held = HeldEvents()
        self.touched: set[int] = set()
        self.touched_since_us = 0
        self.rules = RuleTable(self.items.capacity, config.rules, config.core)
        self.events = 0.0
        self.popular = Popularity(config.popularity.half_life_s)
        self.popular.grow(self.items.capacity)
        self.candidates = CandidateMaker(config.core)
        self.contents = ItemContents(self.items, config.features_of)
        self.owners = ItemOwners(tenant, self.items, config.owner_of)
        self.young = YoungItems(config.young, config.features_of)
        self.active = generation.generation_id
        self.spaces: dict[str, VectorSpace] = {}
        self.add_space(generation, SpaceStatus(Role.ACTIVE))
        self.slates = SlateLearning(outcomes_of(generation), generation.columns, config.slates)

    @property
    def space(self) -> VectorSpace:
        """The vectors that serve."""
        return self.spaces[self.active]

    @property
    def levels(self) -> Doubles:
        """Popularity of items by ordinal, see popularity.py: a view."""
        levels: Doubles = self.popular.table[:, LEVEL]
        return levels

    @property
    def counts(self) -> Doubles:
        """Events of positive weight of items by ordinal: a view."""
        counts: Doubles = self.popular.table[:, COUNT]
        return counts

    @property
    def scorer(self) -> Scorer | None:
        """The scorer of the generation that serves; None where there is none to learn with."""
        return self.space.scorer

    @property
    def generation(self) -> GenerationActivated:
        """The generation that serves."""
        return self.space.generation

    def set_document(self, document: Document) -> None:
        """Keep a document as it is now; one without a body is forgotten."""
        if document.body:
            self.documents[document.key] = document
        else:
            self.documents.pop(document.key, None)

    def add_space(self, generation: GenerationActivated, status: SpaceStatus) -> VectorSpace:
        """Begin to keep vectors of a generation."""
        space = VectorSpace(generation, self.items.capacity, status, self.config.core)
        self.spaces[generation.generation_id] = space
        self._fit_histories()
        return space

    def drop_space(self, generation_id: str) -> None:
        """Forget the vectors of a generation that does not serve."""
        del self.spaces[generation_id]
        self._fit_histories()

    def _fit_histories(self) -> None:
        """Remember as much of users as generations need: the length follows from them."""
        length = max(space.generation.length for space in self.spaces.values())
        if length != self.users.length:
            self.users.resize(length)

    def record(
        self, users: Ints, items: Ints, weights: Floats, times_us: Ints, sequences: Ints
    ) -> Recorded:
        """Add events [n] to their users, in order; return what was before each, and what it may."""
        before = self.users.record(users, items, weights, times_us, sequences)
        teach = (items != NO_ITEM) & (weights != 0)
        within = self.influence.admit(users, times_us, sequences, teach)
        admitted = self.allowance.admit(items, weights, before, within)
        if admitted is not within:
            for index in (within & ~admitted).nonzero()[0].tolist():
                self.held.add(int(users[index]), int(sequences[index]), int(items[index]))
        return Recorded(before, within, admitted)

    def moved_shared(self, user: int, sequence: int) -> bool:
        """Return whether an event moved what is shared, as far as it is known."""
        return self.influence.admitted(user, sequence) and not self.held.holds(user, sequence)

    def note_consent(self, user_key: bytes, decision: LearningDecision) -> None:
        """Take the next decision of a user about learning."""
        if self.consents.note(user_key, decision):
            # Who decided anything has a row: what checkpoints hold is by row.
            self.users.row(user_key)

    def link(self, user_key: bytes, change: LinkChange) -> None:
        """Take note of who a session or user is from now on. What it did lately is then remembered
        of that user, too; nothing is learned again.
        """
        self.links.note(user_key, change)
        # Who was ever linked has a row: what checkpoints hold is by row.
        source = self.users.row(user_key)
        if change.into:
            target = self.users.row(change.into)
            self.merged_events.join(self.users, source, target, change.sequence)
            self.touch(np.array([target]), self.touched_since_us)

    def forget_event(self, row: int, sequence: int) -> tuple[list[PastEvent], list[PastEvent]]:
        """Make what is remembered of a user as if an event had never been; see UserTable.forget."""
        found = self.users.forget(row, sequence)
        self.merged_events.forget(row, sequence)
        return found

    def touch(self, users: Ints, at_us: int) -> None:
        """Take note that vectors of users have become others."""
        if not self.touched:
            self.touched_since_us = at_us
        self.touched.update(users.tolist())

    def take_touched(self, now_us: int) -> Ints:
        """Return rows of users whose vectors are due to be sent, ascending, and forget them.

        What comes after the first _SENT_AT_ONCE is due with the next step.
        """
        if not self.touched or now_us - self.touched_since_us < self.config.user_vectors_us:
            return np.zeros(0, np.int64)
        rows = np.array(sorted(self.touched)[:_SENT_AT_ONCE], np.int64)
        self.touched.difference_update(rows.tolist())
        return rows

    def set_popular(self, rows: Ints, levels: Doubles, counts: Doubles) -> None:
        """Replace levels and counts [n] of distinct items, and keep up the number of events: exact,
        counts are whole.
        """
        self.events += float(np.maximum(counts - self.counts[rows], 0.0).sum())
        self.popular.assign(rows, levels, counts)

    def built_spaces(self) -> list[VectorSpace]:
        """Return the spaces that events are folded into, the one that serves first."""
        others = [self.spaces[name] for name in sorted(self.spaces) if name != self.active]
        return [space for space in (self.space, *others) if space.status.built]

    def fit_items(self) -> None:
        """Give rules, popularity and vectors as many rows as there are item rows."""
        capacity = self.items.capacity
        self.rules.grow(capacity)
        for space in self.spaces.values():
            space.grow(capacity)
        if capacity > self.popular.size:
            self.popular.grow(capacity)
