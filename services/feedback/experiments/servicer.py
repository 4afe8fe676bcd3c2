"""ExperimentService: what is compared, and how far it has come."""

from collections.abc import Collection

import grpc

from harken.feedback.v1 import experiment_service_pb2 as pb
from harken.feedback.v1 import experiment_service_pb2_grpc
from services.common.position import token_of
from services.common.reloadable import Reloadable
from services.common.validation import Checks
from services.feedback.documents.document_checks import (
    check_note,
)
from services.feedback.documents.document_reads import DocumentReads
from services.feedback.documents.document_store import DocumentStore
from services.feedback.experiments.experiment_checks import check_experiment, check_share
from services.feedback.experiments.experiment_conversion import experiment_of
from services.feedback.experiments.experiment_keeper import ExperimentKeeper
from services.feedback.experiments.experiment_warnings import experiment_warnings
from services.feedback.log.tenant_registry import TenantRegistry

_Change = (
    pb.StartExperimentRequest | pb.RampExperimentRequest | pb.StopExperimentRequest
    | pb.ConcludeExperimentRequest | pb.DeleteExperimentRequest
)  # fmt: skip


class ExperimentServicer(experiment_service_pb2_grpc.ExperimentServiceServicer):
    """Keeps experiments."""

    def __init__(
        self,
        tenants: TenantRegistry,
        store: DocumentStore,
        event_types: Reloadable[Collection[str]],
    ) -> None:
        """`event_types`: those that are configured."""
        self._event_types = event_types
        self._tenants = tenants
        self._reads = DocumentReads(tenants, store)
        self._keeper = ExperimentKeeper(store)

    async def PutExperiment(  # noqa: N802
        self, request: pb.PutExperimentRequest, context: grpc.aio.ServicerContext
    ) -> pb.PutExperimentResponse:
        """See experiment_service.proto."""
        checks = Checks()
        tenant = checks.tenant(request.tenant)
        check_experiment(checks, request.experiment)
        checks.done()
        await self._tenants.require(tenant)
        warnings = experiment_warnings(
            "experiment.config", request.experiment.config, self._event_types.value
        )
        if request.validate_only:
            tried = await self._keeper.try_put(tenant, request.experiment)
            return pb.PutExperimentResponse(experiment=tried, warnings=warnings)
        experiment, position = await self._keeper.put(tenant, request.experiment)
        return pb.PutExperimentResponse(
            experiment=experiment, position=token_of(position), warnings=warnings
        )

    async def GetExperiment(  # noqa: N802
        self, request: pb.GetExperimentRequest, context: grpc.aio.ServicerContext
    ) -> pb.GetExperimentResponse:
        """See experiment_service.proto."""
        return pb.GetExperimentResponse(experiment=experiment_of(await self._reads.one(request)))

    async def ListExperiments(  # noqa: N802
        self, request: pb.ListExperimentsRequest, context: grpc.aio.ServicerContext
    ) -> pb.ListExperimentsResponse:
        """See experiment_service.proto."""
        documents, token = await self._reads.page(request)
        return pb.ListExperimentsResponse(
            experiments=map(experiment_of, documents), next_page_token=token
        )

    async def ListExperimentRevisions(  # noqa: N802
        self, request: pb.ListExperimentRevisionsRequest, context: grpc.aio.ServicerContext
    ) -> pb.ListExperimentRevisionsResponse:
        """See experiment_service.proto."""
        documents, token = await self._reads.revisions(request)
        return pb.ListExperimentRevisionsResponse(
            revisions=map(experiment_of, documents), next_page_token=token
        )

    async def StartExperiment(  # noqa: N802
        self, request: pb.StartExperimentRequest, context: grpc.aio.ServicerContext
    ) -> pb.StartExperimentResponse:
        """See experiment_service.proto."""
        checks = Checks()
        tenant = _checked(checks, request)
        share = request.share if request.HasField("share") else 1.0
        check_share(checks, share)
        checks.done()
        await self._tenants.require(tenant)
        experiment, position = await self._keeper.start(
            tenant, request.name, share, request.note, request.etag
        )
        return pb.StartExperimentResponse(experiment=experiment, position=token_of(position))

    async def RampExperiment(  # noqa: N802
        self, request: pb.RampExperimentRequest, context: grpc.aio.ServicerContext
    ) -> pb.RampExperimentResponse:
        """See experiment_service.proto."""
        checks = Checks()
        tenant = _checked(checks, request)
        check_share(checks, request.share)
        checks.done()
        await self._tenants.require(tenant)
        experiment, position = await self._keeper.ramp(
            tenant, request.name, request.share, request.note, request.etag
        )
        return pb.RampExperimentResponse(experiment=experiment, position=token_of(position))

    async def StopExperiment(  # noqa: N802
        self, request: pb.StopExperimentRequest, context: grpc.aio.ServicerContext
    ) -> pb.StopExperimentResponse:
        """See experiment_service.proto."""
        checks = Checks()
        tenant = _checked(checks, request)
        checks.done()
        await self._tenants.require(tenant)
        experiment, position = await self._keeper.stop(
            tenant, request.name, request.note, request.etag
        )
        return pb.StopExperimentResponse(experiment=experiment, position=token_of(position))

    async def ConcludeExperiment(  # noqa: N802
        self, request: pb.ConcludeExperimentRequest, context: grpc.aio.ServicerContext
    ) -> pb.ConcludeExperimentResponse:
        """See experiment_service.proto."""
        checks = Checks()
        tenant = _checked(checks, request)
        checks.name("winner", request.winner)
        if not request.note:
            checks.fail("note", "is required: what was found")
        checks.done()
        await self._tenants.require(tenant)
        experiment, position = await self._keeper.conclude(
            tenant, request.name, request.winner, request.note, request.etag
        )
        return pb.ConcludeExperimentResponse(experiment=experiment, position=token_of(position))

    async def DeleteExperiment(  # noqa: N802
        self, request: pb.DeleteExperimentRequest, context: grpc.aio.ServicerContext
    ) -> pb.DeleteExperimentResponse:
        """See experiment_service.proto."""
        checks = Checks()
        tenant = _checked(checks, request)
        checks.done()
        await self._tenants.require(tenant)
        position = await self._keeper.delete(tenant, request.name, request.note, request.etag)
        return pb.DeleteExperimentResponse(position=token_of(position))


def _checked(checks: Checks, request: _Change) -> str:
    """Check what all changes have; return the tenant."""
    tenant = checks.tenant(request.tenant)
    checks.name("name", request.name)
    check_note(checks, "note", request.note)
    return tenant
