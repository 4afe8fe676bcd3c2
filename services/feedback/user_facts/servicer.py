"""UserFactService: what the profile service's outbox delivers."""

import asyncio
import time

import grpc

from harken.internal.facts.v1 import user_fact_service_pb2 as pb
from harken.internal.facts.v1 import user_fact_service_pb2_grpc
from services.common.attribute_faults import attributes_fault
from services.common.position import token_of
from services.common.validation import Checks
from services.feedback.log.tenant_registry import TenantRegistry
from services.feedback.user_facts.user_fact_store import UserFactStore

_MAX_FACTS = 1000
_MAX_KEY_BYTES = 256
_MAX_AHEAD_SECONDS = 24 * 3600.0


class UserFactServicer(user_fact_service_pb2_grpc.UserFactServiceServicer):
    """Takes facts about users into the log."""

    def __init__(self, tenants: TenantRegistry, store: UserFactStore) -> None:
        self._tenants = tenants
        self._store = store

    async def AppendUserFacts(  # noqa: N802
        self, request: pb.AppendUserFactsRequest, context: grpc.aio.ServicerContext
    ) -> pb.AppendUserFactsResponse:
        """See user_fact_service.proto."""
        checks = Checks()
        tenant = checks.tenant(request.tenant)
        latest = int((time.time() + _MAX_AHEAD_SECONDS) * 1e6)
        if checks.size("links", len(request.links), 0, _MAX_FACTS):
            for index, link in enumerate(request.links):
                _check_link(checks, f"links[{index}]", link, latest)
        least = 0 if request.links else 1
        if checks.size("facts", len(request.facts), least, _MAX_FACTS):
            for index, fact in enumerate(request.facts):
                if not 0 < len(fact.user_key) <= _MAX_KEY_BYTES:
                    checks.fail(f"facts[{index}].user_key", f"must be 1 to {_MAX_KEY_BYTES} bytes")
                # Revisions are microseconds of the clock, or one more than the last. One from far
                # ahead would make all that the user changes until then look old.
                if not 1 <= fact.revision <= latest:
                    checks.fail(
                        f"facts[{index}].revision", "must be 1 to a day from now, in unix us"
                    )
        checks.done()
        for index, fact in enumerate(request.facts):
            if fault := attributes_fault(fact.attributes):
                checks.fail(f"facts[{index}].attributes", fault)
                break
            # A fact of 64 KiB is work for the one who sent it; others have their turns between.
            await asyncio.sleep(0)
        checks.done()
        await self._tenants.require(tenant)
        appended, position = await self._store.append(tenant, request.facts, request.links)
        return pb.AppendUserFactsResponse(appended=appended, position=token_of(position))


def _check_link(checks: Checks, field: str, link: pb.UserLink, latest: int) -> None:
    for name, least in (("from_key", 1), ("into_key", 0), ("direct_key", 0)):
        if not least <= len(getattr(link, name)) <= _MAX_KEY_BYTES:
            checks.fail(f"{field}.{name}", f"must be {least} to {_MAX_KEY_BYTES} bytes")
    if link.from_key in (link.into_key, link.direct_key) or bool(link.into_key) != bool(
        link.direct_key
    ):
        checks.fail(field, "names one user twice, or into_key without direct_key")
    if not 1 <= link.revision <= latest:
        checks.fail(f"{field}.revision", "must be 1 to a day from now, in unix us")
