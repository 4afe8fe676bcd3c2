"""EmbeddingService: a backend's own vectors in."""

import grpc

from harken.feedback.v1 import embedding_service_pb2 as pb
from harken.feedback.v1 import embedding_service_pb2_grpc
from services.common.position import token_of
from services.common.validation import Checks
from services.feedback.embeddings.embedding_recorder import EmbeddingRecorder
from services.feedback.log.tenant_registry import TenantRegistry

_MAX_EMBEDDINGS = 1000


class EmbeddingServicer(embedding_service_pb2_grpc.EmbeddingServiceServicer):
    """Takes vectors."""

    def __init__(self, tenants: TenantRegistry, recorder: EmbeddingRecorder) -> None:
        self._tenants = tenants
        self._recorder = recorder

    async def PutEmbeddings(  # noqa: N802
        self, request: pb.PutEmbeddingsRequest, context: grpc.aio.ServicerContext
    ) -> pb.PutEmbeddingsResponse:
        """See embedding_service.proto."""
        checks = Checks()
        tenant = checks.tenant(request.tenant)
        checks.size("embeddings", len(request.embeddings), 1, _MAX_EMBEDDINGS)
        checks.done()
        await self._tenants.require(tenant)
        results, position = await self._recorder.record(
            tenant, request.generation_id, request.embeddings
        )
        return pb.PutEmbeddingsResponse(results=results, position=token_of(position))
