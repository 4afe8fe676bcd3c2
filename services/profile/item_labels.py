"""Categories and tags of items, asked of the catalogue and remembered for a while."""

import time
from collections import OrderedDict
from collections.abc import Sequence

import grpc

from harken.feedback.v1 import catalog_service_pb2 as pb
from harken.feedback.v1 import catalog_service_pb2_grpc
from services.common.errors import StoreUnavailableError
from services.profile.domain.interests import Labels

_REMEMBERED = 50_000
"""Items, about 500 bytes each."""
_SECONDS = 60.0
"""How long an item is remembered: so late an interest may know of a change of the catalogue."""
_PER_CALL = 200
"""As many of the largest items fit into one answer."""


class ItemLabels:
    """What items are about."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        """`channel`: of the feedback service."""
        self._stub: catalog_service_pb2_grpc.CatalogServiceAsyncStub
        self._stub = catalog_service_pb2_grpc.CatalogServiceStub(channel)  # type: ignore[assignment]
        self._known: OrderedDict[tuple[str, str], tuple[float, Labels | None]] = OrderedDict()

    async def of(self, tenant: str, item_ids: Sequence[str], seconds: float) -> dict[str, Labels]:
        """Return the labels of those items that the catalogue has.

        Raises:
            StoreUnavailableError: it did not answer within so many seconds.

        """
        now = time.monotonic()
        found: dict[str, Labels] = {}
        missing: list[str] = []
        for item_id in item_ids:
            until, labels = self._known.get((tenant, item_id), (0.0, None))
            if until < now:
                missing.append(item_id)
            elif labels is not None:
                found[item_id] = labels
        for begin in range(0, len(missing), _PER_CALL):
            some = missing[begin : begin + _PER_CALL]
            request = pb.GetItemsRequest(tenant=tenant, item_ids=some)
            try:
                answer = await self._stub.GetItems(request, timeout=max(seconds, 0.001))
            except grpc.aio.AioRpcError as error:
                if error.code() is grpc.StatusCode.NOT_FOUND:
                    # A tenant without a catalogue.
                    return {}
                raise StoreUnavailableError(
                    f"the catalogue does not answer: {error.code().name}"
                ) from error
            own = {
                item.item_id: Labels(tuple(item.categories), tuple(item.tags))
                for item in answer.items
            }
            found |= own
            for item_id in some:
                self._known[tenant, item_id] = now + _SECONDS, own.get(item_id)
                self._known.move_to_end((tenant, item_id))
        while len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)
        return found
