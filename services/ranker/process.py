"""One process of the ranker, put together."""

import asyncio
import time

import faiss
from prometheus_client import CollectorRegistry

from harken.internal.feed.v1 import frame_pb2
from harken.ranker.v1 import ranker_service_pb2, ranker_service_pb2_grpc
from services.common.access.process_access import identity_of, process_access
from services.common.channels import open_channel
from services.common.compiled_core import find_core, say_core
from services.common.pipeline_latency import PipelineLatency
from services.common.popularity_half_life import HALF_LIFE_SECONDS
from services.common.receipts import ReceiptSigner, receipt_key
from services.common.reloadable import Reloadable
from services.common.server import Server, run_until
from services.common.service_main import freeze_garbage
from services.common.tracing import event_tracer
from services.common.vault.pseudonym_key import pseudonyms_of
from services.feed.entries_client import EntriesClient, EntriesMetrics
from services.feed.frames_client import FeedClient, FeedMetrics
from services.ranker.config import RankerConfig
from services.ranker.domain.compiled_slates import CompiledSlates
from services.ranker.domain.tenant_replica import TenantReplica
from services.ranker.domain.visibility import Overlays
from services.ranker.entries_folder import EntriesFolder
from services.ranker.erasure_receipts import ErasureReceipts
from services.ranker.frame_applier import FrameApplier
from services.ranker.generation_loader import GenerationLoader
from services.ranker.indexes import Indexes
from services.ranker.metrics import RankerMetrics
from services.ranker.numpy_slates import NumpySlates
from services.ranker.profile_probe import ProfileProbe
from services.ranker.readiness import Readiness, ReadinessBounds
from services.ranker.replica_metrics import ReplicaCollector
from services.ranker.request_context import RequestContexts
from services.ranker.servicer import RankerServicer
from services.ranker.serving_state import ServingState
from services.ranker.slate_explainer import SlateExplainer
from services.ranker.slate_log import SlateLog, SlateLogBounds, SlateLogMetrics
from services.ranker.slate_traces import SlateTraces
from services.ranker.user_states import UserStates

SERVICE = ranker_service_pb2.DESCRIPTOR.services_by_name["RankerService"].full_name
SECTIONS = (
    frame_pb2.SECTION_CATALOGUE,
    frame_pb2.SECTION_GENERATIONS,
    frame_pb2.SECTION_ITEM_VECTORS,
    frame_pb2.SECTION_RULES,
    frame_pb2.SECTION_POPULARITY,
    frame_pb2.SECTION_HEAD,
)


async def serve(
    settings: Reloadable[RankerConfig], registry: CollectorRegistry, stop: asyncio.Event
) -> None:
    """Serve until `stop` is set, then drain; metrics go to `registry`."""
    config = settings.value
    # Whoever trains lists must not take the processors of others; and so they come out the same.
    faiss.omp_set_num_threads(1)
    metrics = RankerMetrics(registry)
    core = find_core()
    pseudonyms = pseudonyms_of(config.pseudonym_key_file)
    async with (
        process_access(settings) as access,
        open_channel(config.feedback_target, identity=identity_of(access)) as feedback,
        open_channel(config.profile_target, identity=identity_of(access)) as profile,
        event_tracer("ranker", config.trace_target, config.trace_share) as tracer,
    ):
        traces = None if tracer is None else SlateTraces(tracer)
        overlays = Overlays()
        indexes = Indexes(core, config.vectors_folder)
        frames = FrameApplier(
            GenerationLoader(feedback, metrics, config.generation_seconds),
            lambda tenant: TenantReplica(
                tenant,
                HALF_LIFE_SECONDS,
                config.max_cached_users,
                overlays.of(tenant),
                indexes.new_index,
                core,
            ),
            overlays,
        )
        receipts = ErasureReceipts(
            feedback,
            ReceiptSigner("ranker", receipt_key(config.receipt_key_file), config.replica),
        )
        taken = [receipts.taken] if traces is None else [receipts.taken, traces.taken]
        entries = EntriesFolder(frames, overlays, taken)
        registry.register(ReplicaCollector(frames))
        subscriber = f"ranker-{config.replica}"
        entries_client = EntriesClient(
            feedback,
            entries,
            EntriesMetrics(registry, PipelineLatency(registry, tracer)),
            subscriber,
            pseudonyms.check_value,
            from_newest=True,
            user_facts=True,
        )
        frames_client = FeedClient(
            feedback,
            frames,
            FeedMetrics(registry),
            subscriber=subscriber,
            sections=SECTIONS,
            restart=frames.restart,
        )
        readiness = Readiness(
            frames_client,
            frames.progress,
            entries_client,
            entries.progress,
            overlays,
            settings.map(
                lambda config: ReadinessBounds(
                    config.max_ready_lag, config.max_ready_entries_lag, config.max_silence_seconds
                )
            ),
            ProfileProbe(
                profile, entries.progress, config.profile_seconds, config.profile_ready_seconds
            ),
            freeze_garbage,
        )
        metrics.ready.set_function(lambda: readiness.ready)
        contexts = RequestContexts(
            frames,
            entries,
            readiness,
            UserStates(profile, entries, metrics, config.profile_seconds, pseudonyms),
            settings.map(lambda config: config.min_profile_wait_seconds),
            config.profile_seconds,
            time.monotonic,
            config.denied_by_default(),
        )
        slate_log = SlateLog(
            feedback,
            SlateLogMetrics(registry),
            settings.map(lambda config: SlateLogBounds(config.logged_share, config.slate_queue)),
        )
        server = Server(
            registry,
            [SERVICE],
            settings.map(lambda config: config.call_limits()),
            config.max_connection_age_seconds,
            access=access,
        )
        ranker_service_pb2_grpc.add_RankerServiceServicer_to_server(
            RankerServicer(
                contexts,
                ServingState(frames, entries.progress, readiness),
                metrics,
                NumpySlates() if core is None else CompiledSlates(core),
                slate_log,
                settings.map(lambda config: config.surface_weights),
                settings.map(RankerConfig.seen_rules),
                SlateExplainer(feedback, frames),
                pseudonyms,
                traces,
            ),
            server.grpc,
        )
        async with server.listening(config.listen, config.metrics_listen, config.address_file):
            say_core(core, registry)
            await run_until(
                stop,
                server,
                frames_client.run(),
                entries_client.run(),
                readiness.watch(server.health),
                slate_log.run(),
                receipts.run(),
                indexes.run(),
            )
        await slate_log.drain()
