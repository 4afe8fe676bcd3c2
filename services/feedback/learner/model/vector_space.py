"""The vectors of one generation: what is learned anew with every generation.

Everything else that is known of a tenant (catalogue, histories, rules, popularity) is shared by all
of its generations and survives them.
"""

from dataclasses import replace

import numpy as np

from services.common.candidate_features import COLUMNS, OLDEST_COLUMNS
from services.common.compiled_loops import CompiledLoops
from services.common.ranking.scorer import Scorer, UnusableScorerError
from services.feed.parameters import Doubles, Flags, Floats, Ints
from services.feedback.learner.model.entries import GenerationActivated, StagedStart
from services.feedback.learner.model.item_step import ItemStepConfig, unit_of
from services.feedback.learner.model.item_tower import ItemTower
from services.feedback.learner.model.space_status import SpaceStatus
from services.feedback.learner.model.vector_table import VectorTable

_PUBLISHED_DRIFT = 0.05


class VectorSpace:
    """Rows by item ordinal. Changed only by `step` and `fold`.

    live: the vectors that are learned. reference: as they were, for the guard; None: there is none.
    bases: float32 [rows, dimension], where items start; biases: float32 [rows]; pinned, trained:
    [rows]. trained: the base is from a trained file, not from the tower. scorer: of the generation.
    published: the Gramian that others encode users with.
    """

    def __init__(
        self,
        generation: GenerationActivated,
        capacity: int,
        status: SpaceStatus,
        core: CompiledLoops | None = None,
    ) -> None:
        self.generation = generation
        self.status = status
        self.dimension = generation.dimension
        self.tower = ItemTower(generation.tower, generation.content_buckets, generation.dimension)
        self.scorer = _scorer_of(generation)
        self.start: StagedStart | None = None
        self.live = VectorTable(generation.encoder, self.dimension, capacity, core)
        self.reference: VectorTable | None = None
        self.bases: Floats = np.zeros((capacity, self.dimension), np.float32)
        self.biases: Floats = np.zeros(capacity, np.float32)
        self.pinned: Flags = np.zeros(capacity, np.bool_)
        self.trained: Flags = np.zeros(capacity, np.bool_)
        self.published: Doubles = np.zeros_like(self.live.gramian)

    @property
    def generation_id(self) -> str:
        """Id of the generation."""
        return self.generation.generation_id

    @property
    def vectors(self) -> Floats:
        """The vectors that are learned, float32 [rows, dimension]."""
        return self.live.vectors

    @property
    def gramian(self) -> Doubles:
        """Their Gramian, float64 [dimension, dimension]."""
        return self.live.gramian

    def grow(self, capacity: int) -> None:
        """Make room for ordinals below `capacity`."""
        more = capacity - self.pinned.shape[0]
        if more <= 0:
            return
        self.live.grow(capacity)
        if self.reference is not None:
            self.reference.grow(capacity)
        rows = np.zeros((more, self.dimension), np.float32)
        self.bases = np.concatenate([self.bases, rows])
        self.biases = np.concatenate([self.biases, np.zeros(more, np.float32)])
        self.pinned = np.concatenate([self.pinned, np.zeros(more, np.bool_)])
        self.trained = np.concatenate([self.trained, np.zeros(more, np.bool_)])

    def bounded(self, config: ItemStepConfig) -> ItemStepConfig:
        """Return a config under which no vector outgrows what the generation allows."""
        if config.max_norm <= self.generation.max_norm:
            return config
        return replace(config, max_norm=self.generation.max_norm)

    def unit(self, config: ItemStepConfig) -> float:
        """Return what the values of vectors that events moved are multiples of."""
        return float(unit_of(self.bounded(config).max_norm))

    def learn(self, ordinals: Ints, vectors: Floats) -> None:
        """Move items by events: the reference stays. Each ordinal at most once."""
        self.live.assign(ordinals, vectors)

    def place(self, ordinals: Ints, vectors: Floats, biases: Floats, pinned: Flags) -> None:
        """Put items where something else than events says: the reference follows."""
        self.live.assign(ordinals, vectors)
        if self.reference is not None:
            self.reference.assign(ordinals, vectors)
        self.biases[ordinals] = biases
        self.pinned[ordinals] = pinned

    def set_bases(self, ordinals: Ints, bases: Floats, trained: Flags) -> None:
        """Replace where items start."""
        self.bases[ordinals] = bases
        self.trained[ordinals] = trained

    def settle_factor(self) -> None:
        """Decide, before a step of events, whether its user vectors need newer Gramians."""
        self.live.settle_factor()
        if self.reference is not None:
            self.reference.settle_factor()

    def news_of_factor(self) -> Floats | None:
        """Return the factor that others are to encode users with from now on; None: no other one.

        It is sent when the Gramian has moved by more than _PUBLISHED_DRIFT of its Frobenius norm:
        only its shape counts, and that hardly changes what users look like.
        """
        moved = (self.gramian - self.published).ravel()
        reference = self.published.ravel()
        if np.dot(moved, moved) <= _PUBLISHED_DRIFT**2 * np.dot(reference, reference):
            return None
        self.published = self.gramian.copy()
        return self.generation.encoder.factor(self.published)

    def set_status(self, status: SpaceStatus) -> None:
        """Move on: a reference of another version is taken, or dropped (0), as the status says.

        Call it after the vectors of the step are set.
        """
        if status.reference_version != self.status.reference_version:
            self.reference = self.live.copy() if status.reference_version else None
        if status.built:
            self.start = None
        self.status = status


def _scorer_of(generation: GenerationActivated) -> Scorer | None:
    """Return its scorer; None without one, and where it takes other features than there are or
    cannot be used: it has been tried when it was uploaded, and who serves says what it does.
    """
    features = COLUMNS[: generation.columns]
    if not generation.scorer or not OLDEST_COLUMNS <= generation.columns <= len(COLUMNS):
        return None
    try:
        return Scorer(generation.scorer, features, [one.name for one in generation.outcomes])
    except UnusableScorerError:
        return None
