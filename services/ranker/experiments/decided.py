"""Which configuration makes a slate: that of its surface, and what experiments say."""

from dataclasses import replace
from typing import NamedTuple

from harken.ranker.v1 import ranker_service_pb2 as pb
from harken.ranker.v1 import slate_pb2
from services.common.logs import logger
from services.ranker.domain.experiment import Experiment, OtherExploration, OtherSurface
from services.ranker.domain.surface.configured import NOT_CONFIGURED, Surface
from services.ranker.domain.tenant_replica import TenantReplica
from services.ranker.experiments.experiment_reader import ExperimentReader
from services.ranker.surfaces.surface_reader import SurfaceReader

_log = logger("experiments")


class Decided(NamedTuple):
    """surface: None: nothing is configured, and no experiment says otherwise. exposures: of the
    experiments that the user is in.
    """

    surface: Surface | None
    exposures: tuple[slate_pb2.Exposure, ...]

    @property
    def remembers(self) -> bool:
        """Return whether the slate goes by what the user was shown lately."""
        return self.surface is not None and self.surface.remembers > 0


class Decisions:
    """Knows what surfaces are configured to, and which experiments act on them."""

    def __init__(self, surfaces: SurfaceReader) -> None:
        self._surfaces = surfaces
        self._experiments = ExperimentReader()
        self._said: set[tuple[str, str, int]] = set()

    def of(self, replica: TenantReplica, request: pb.RecommendRequest, user_id: str) -> Decided:
        """Return what makes the slate of a request for a user, whatever subject the request has.

        user_id: empty: it is a session, or nothing of the user may be used.
        """
        if not replica.documents:
            return NOTHING
        surface = self._surfaces.of(replica, request.surface)
        experiments = self._experiments.of(replica, request.surface)
        # Assignment is profiling, and who a session belongs to may change.
        if not experiments or not user_id:
            return Decided(surface, ())
        exposures = []
        exploration: OtherExploration | None = None
        for experiment in experiments:
            variant = experiment.variant_of(user_id)
            if variant is None:
                continue
            treatment = experiment.treatments.get(variant)
            not_served = False
            if isinstance(treatment, OtherSurface):
                other = self._surfaces.of(replica, treatment.name)
                not_served = other is None
                surface = surface if other is None else other
                if not_served:
                    self._say(replica.tenant, experiment, treatment)
            elif treatment is not None:
                exploration = treatment
            exposures.append(
                slate_pb2.Exposure(
                    experiment=experiment.name, variant=variant, revision=experiment.revision,
                    layer=experiment.layer_name, not_served=not_served,
                )
            )  # fmt: skip
        if exploration is not None:
            surface = replace(
                surface or NOT_CONFIGURED,
                exploration=exploration.exploration,
                new_item_events=exploration.new_item_events,
            )
        return Decided(surface, tuple(exposures))

    def _say(self, tenant: str, experiment: Experiment, treatment: OtherSurface) -> None:
        """Say once of a revision that a variant cannot be served."""
        key = tenant, experiment.name, experiment.revision
        if key not in self._said:
            self._said.add(key)
            _log.error(
                "a variant names a surface that is gone: its slates are as without the experiment",
                experiment=experiment.name, revision=experiment.revision, surface=treatment.name,
            )  # fmt: skip


NOTHING = Decided(None, ())
