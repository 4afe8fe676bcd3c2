"""What of a surface is most likely a typo. Nothing is refused for it."""

from collections.abc import Collection

from harken.feedback.v1 import surface_pb2 as pb
from services.common.errors import MissingResourceError
from services.common.reloadable import Reloadable
from services.common.seen_period import ANY_TYPE
from services.feedback.catalogue.catalog_store import CatalogStore
from services.feedback.documents.likely_typos import unknown_name
from services.feedback.generations.generation_store import GenerationStore


class SurfaceWarnings:
    """Compares what surfaces name with what there is now, and may come or go later."""

    def __init__(
        self,
        catalogue: CatalogStore,
        generations: GenerationStore,
        event_types: Reloadable[Collection[str]],
    ) -> None:
        """`event_types`: those that are configured."""
        self._catalogue = catalogue
        self._generations = generations
        self._event_types = event_types

    async def of(self, tenant: str, field: str, config: pb.SurfaceConfig) -> list[str]:
        """Return what a configuration that was checked names, at `field` of a request, and nothing
        has: outcomes, types of events, pinned items.
        """
        return [
            *await self._outcomes(tenant, f"{field}.outcome_weights", config),
            *self._seen(f"{field}.seen", config),
            *await self._pinned(tenant, f"{field}.rules", config),
        ]

    async def _outcomes(self, tenant: str, field: str, config: pb.SurfaceConfig) -> list[str]:
        if not config.outcome_weights:
            return []
        try:
            serving = await self._generations.manifest(tenant, "")
        except MissingResourceError:
            return []
        known = {outcome.name for outcome in serving.outcomes}
        return [
            unknown_name(f"{field}[{name!r}]", "outcome", name, known)
            for name in sorted(config.outcome_weights.keys() - known)
        ]

    def _seen(self, field: str, config: pb.SurfaceConfig) -> list[str]:
        known = self._event_types.value
        return [
            unknown_name(f"{field}[{name!r}]", "event type", name, known)
            for name in sorted(config.seen.keys() - {ANY_TYPE, *known})
        ]

    async def _pinned(self, tenant: str, field: str, config: pb.SurfaceConfig) -> list[str]:
        pinned = {
            index: rule.pin.item_id
            for index, rule in enumerate(config.rules)
            if rule.WhichOneof("kind") == "pin" and rule.pin.WhichOneof("what") == "item_id"
        }
        if not pinned:
            return []
        known = await self._catalogue.get(tenant, sorted(set(pinned.values())))
        return [
            unknown_name(f"{field}[{index}].pin.item_id", "item", item_id, ())
            for index, item_id in pinned.items()
            if item_id not in known
        ]
