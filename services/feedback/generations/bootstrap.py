"""The bootstrap generation: built by code, so that a fresh deployment serves at once.

What its models are is in services/feedback/generations/domain/bootstrap_models.py.
"""

import hashlib
from collections.abc import Sequence

from harken.feedback.v1 import generation_pb2 as pb
from harken.internal.log.v1 import entry_pb2
from services.common.candidate_features import COLUMNS
from services.common.onnx_model import SCORER, TOWER
from services.feedback.generations.domain.bootstrap_models import (
    BUCKETS,
    ENCODER,
    ENGAGE,
    item_tower,
    prior_scorer,
)
from services.feedback.generations.outcome_conversion import outcome_message
from services.feedback.learner.model.item_step import ItemStepConfig
from services.feedback.learner.model.outcome_definition import OutcomeDefinition
from services.feedback.log.log_store import NewEntry


class BootstrapBuilder:
    """Builds bootstrap generations of one dimension, for the outcomes given."""

    def __init__(self, dimension: int, outcomes: Sequence[OutcomeDefinition] = ENGAGE) -> None:
        self._dimension = dimension
        self._outcomes = tuple(outcomes)

    def __call__(self, tenant: str) -> tuple[bytes, NewEntry, dict[str, bytes]]:
        """Return the serialised manifest, the log entry that activates it, and its files."""
        files = {TOWER: item_tower(self._dimension), SCORER: prior_scorer(self._outcomes)}
        manifest = pb.GenerationManifest(
            generation_id=f"bootstrap-{self._dimension}",
            tenant=tenant,
            dimension=self._dimension,
            max_norm=ItemStepConfig().max_norm,
            encoder=pb.Encoder(
                kind=pb.ENCODER_KIND_FOLD_IN,
                length=ENCODER.length,
                decay=ENCODER.decay,
                alpha=ENCODER.alpha,
                regularization=ENCODER.regularization,
            ),
            scorer_features=COLUMNS,
            outcomes=[outcome_message(one) for one in self._outcomes],
            content_buckets=BUCKETS,
            files=[
                pb.GenerationFile(
                    name=name, size=len(content), sha256=hashlib.sha256(content).digest()
                )
                for name, content in files.items()
            ],
        )
        entry = entry_pb2.Entry(generation_activated=manifest)
        activation = NewEntry(tenant, None, entry.SerializeToString())
        return manifest.SerializeToString(), activation, files
