"""The process: wires the parts of a role together and runs them."""

import asyncio
import contextlib
import os
import socket
import time
from collections.abc import AsyncIterator, Collection, Coroutine
from dataclasses import dataclass
from functools import partial
from typing import Any

import asyncpg
from prometheus_client import CollectorRegistry

from harken.feedback.v1 import (
    catalog_service_pb2_grpc,
    embedding_service_pb2_grpc,
    experiment_service_pb2_grpc,
    feedback_service_pb2_grpc,
    generation_service_pb2_grpc,
    surface_service_pb2_grpc,
)
from harken.internal.facts.v1 import user_fact_service_pb2_grpc
from harken.internal.feed.v1 import feed_service_pb2_grpc
from harken.internal.slates.v1 import slate_service_pb2_grpc
from harken.internal.users.v1 import user_log_service_pb2_grpc
from services.common.access.process_access import ProcessAccess, process_access
from services.common.audit.audit_log import AuditLog
from services.common.bulk_work import BulkWork
from services.common.compiled_core import CompiledCore, find_core, say_core
from services.common.consent import Purpose
from services.common.database import open_pool, session
from services.common.erasure_ledger import ErasureLedger
from services.common.errors import StoreUnavailableError
from services.common.logs import logger
from services.common.pipeline_latency import ACCEPTED, PUSHED, PipelineLatency
from services.common.process_metrics import DatabaseMetrics
from services.common.receipts import ReceiptSigner, receipt_key
from services.common.reloadable import Reloadable
from services.common.request_limits import LARGE_MESSAGE_BYTES
from services.common.server import Server, run_until, stop_signal
from services.common.surfaces.sources import SOURCES
from services.common.tracing import event_tracer
from services.common.user_key import Pseudonyms
from services.common.vault.opening import check_pseudonyms, opened_vault
from services.common.vault.vault import UserVault
from services.feedback.catalogue.catalog_store import CatalogStore
from services.feedback.catalogue.item_directory import ItemDirectory
from services.feedback.catalogue.item_recorder import ItemRecorder
from services.feedback.catalogue.servicer import CatalogServicer
from services.feedback.config import FeedbackConfig, Role
from services.feedback.documents.document_store import DocumentStore
from services.feedback.embeddings.embedding_recorder import EmbeddingRecorder
from services.feedback.embeddings.embedding_store import EmbeddingStore
from services.feedback.embeddings.servicer import EmbeddingServicer
from services.feedback.events.domain.event_cleaning import ClockBounds
from services.feedback.events.event_conversion import EventPreparer
from services.feedback.events.event_export import EventExport
from services.feedback.events.event_flusher import EventFlusher, FlusherMetrics
from services.feedback.events.event_recorder import EventRecorder, RecorderMetrics
from services.feedback.events.event_retractor import EventRetractor, RetractionMetrics
from services.feedback.events.retraction_store import RetractionStore
from services.feedback.events.servicer import FeedbackServicer
from services.feedback.experiments.servicer import ExperimentServicer
from services.feedback.feed_server.entries_server import EntriesServer, EntriesStreamMetrics
from services.feedback.feed_server.feed_server import FeedServer, SubscriptionMetrics
from services.feedback.feed_server.frame_hub import FrameHub
from services.feedback.feed_server.frame_store import FrameStore
from services.feedback.feed_server.log_hub import LogHub
from services.feedback.feed_server.refusals import Refusals
from services.feedback.feed_server.servicer import FeedServicer
from services.feedback.generations.bootstrap import BootstrapBuilder
from services.feedback.generations.domain.preset_outcomes import preset_outcomes
from services.feedback.generations.generation_conversion import (
    features_of_payload,
    owner_of_payload,
)
from services.feedback.generations.generation_lifecycle import GenerationLifecycle
from services.feedback.generations.generation_store import GenerationStore
from services.feedback.generations.servicer import GenerationServicer
from services.feedback.learner.generation_keeper import GenerationKeeper, GenerationMetrics
from services.feedback.learner.learner import Learner, LearnerTimes
from services.feedback.learner.learner_metrics import LearnerMetrics
from services.feedback.learner.learner_state import LearnerState
from services.feedback.learner.learner_store import LearnerStore
from services.feedback.learner.model.attribution_joiner import AttributionConfig
from services.feedback.learner.model.item_allowance import AllowanceConfig
from services.feedback.learner.model.returns import ReturnsConfig
from services.feedback.learner.model.shown_step import ShownStepConfig
from services.feedback.learner.model.slate_learning import SlateConfig
from services.feedback.learner.model.tenant_state import LearningConfig
from services.feedback.learner.slate_learning_metrics import SlateLearningMetrics
from services.feedback.log.epochs import settle_epoch
from services.feedback.log.log_reader import LogReader
from services.feedback.log.tenant_registry import TenantRegistry
from services.feedback.slates.servicer import SlateServicer
from services.feedback.slates.slate_export import SlateExport
from services.feedback.slates.slate_finder import SlateFinder
from services.feedback.slates.slate_recorder import SlateMetrics, SlateRecorder
from services.feedback.surfaces.servicer import SurfaceServicer
from services.feedback.surfaces.surface_warnings import SurfaceWarnings
from services.feedback.user_facts.consent_reader import ConsentReader
from services.feedback.user_facts.servicer import UserFactServicer
from services.feedback.user_facts.user_fact_store import UserFactStore
from services.feedback.user_log.eraser import Eraser
from services.feedback.user_log.eraser_store import EraserStore
from services.feedback.user_log.erasure_store import ErasureStore
from services.feedback.user_log.servicer import UserLogServicer
from services.feedback.user_log.user_reader import UserReader

SCHEMA = "feedback"
_WRITING = (
    "harken.feedback.v1.FeedbackService",
    "harken.feedback.v1.CatalogService",
    "harken.feedback.v1.SurfaceService",
    "harken.feedback.v1.ExperimentService",
    "harken.internal.facts.v1.UserFactService",
    "harken.internal.slates.v1.SlateService",
    "harken.internal.users.v1.UserLogService",
)
_READING = (
    "harken.feedback.v1.EmbeddingService",
    "harken.feedback.v1.GenerationService",
    "harken.internal.feed.v1.FeedService",
)
_ANY_USER = "SELECT EXISTS (SELECT FROM log WHERE user_key IS NOT NULL)"
_PROBE_SECONDS = 1.0
_CLOSE_SECONDS = 5.0
_CORE_CONNECTIONS = 5
_log = logger("process")


@dataclass(frozen=True, slots=True)
class _Shared:
    """What several parts of the process use.

    `core` are connections for what must never wait behind calls: flusher, learner, hub, probe.
    """

    settings: Reloadable[FeedbackConfig]
    pool: asyncpg.Pool
    core: asyncpg.Pool
    registry: CollectorRegistry
    loop: PipelineLatency
    generations: GenerationStore
    hub: FrameHub
    log: LogHub
    vault: UserVault


async def run(settings: Reloadable[FeedbackConfig], registry: CollectorRegistry) -> None:
    """Serve until SIGTERM or SIGINT; metrics go to `registry`."""
    config = settings.value
    stop = stop_signal()
    async with (
        process_access(settings) as access,
        _pool(config, config.pool_size) as pool,
        _pool(config, _CORE_CONNECTIONS) as core,
        opened_vault(config, registry) as vault,
        event_tracer("feedback", config.trace_target, config.trace_share) as tracer,
    ):
        await check_pseudonyms(core, vault.pseudonyms, SCHEMA, _ANY_USER)
        epoch = await settle_epoch(core)
        _log.info("starting", role=config.role.value, epoch=epoch)
        again = await _erasures(config, core, vault).apply_ledger()
        if again:
            _log.warning("erasures that the store had lost are made again", count=again)
        loop = PipelineLatency(registry, tracer)
        await _serve(settings, registry, loop, pool, core, access, vault, stop)


@contextlib.asynccontextmanager
async def _pool(config: FeedbackConfig, size: int) -> AsyncIterator[asyncpg.Pool]:
    pool = await open_pool(config.dsn, SCHEMA, size)
    try:
        yield pool
    finally:
        try:
            await asyncio.wait_for(pool.close(), _CLOSE_SECONDS)
        except TimeoutError:
            pool.terminate()


async def _serve(
    settings: Reloadable[FeedbackConfig],
    registry: CollectorRegistry,
    loop: PipelineLatency,
    pool: asyncpg.Pool,
    core: asyncpg.Pool,
    access: ProcessAccess | None,
    vault: UserVault,
    stop: asyncio.Event,
) -> None:
    config = settings.value
    database = DatabaseMetrics(registry, {"calls": pool, "core": core})
    hub = FrameHub(core, FrameStore(core), config.dsn, registry)
    await hub.load()
    log = LogHub(core, LogReader(core), config.dsn, registry)
    await log.load()
    shared = _Shared(
        settings,
        pool,
        core,
        registry,
        loop,
        GenerationStore(pool, config.kept_generations),
        hub,
        log,
        vault,
    )
    writes = config.role is not Role.LEARNER
    names = (*_READING, *_WRITING) if writes else _READING
    server = Server(
        registry,
        names,
        settings.map(lambda config: config.call_limits()),
        config.max_connection_age_seconds,
        LARGE_MESSAGE_BYTES,
        access,
        AuditLog(pool, registry, vault.pseudonyms.key_of),
    )
    directory = ItemDirectory()
    tenants = TenantRegistry(
        pool,
        shared.generations,
        BootstrapBuilder(config.dimension, preset_outcomes(config.preset)),
        settings.map(lambda config: config.max_tenants),
    )
    flusher = EventFlusher(
        core,
        directory,
        FlusherMetrics(registry, loop.stage(ACCEPTED)),
        config.flush_events,
        settings.map(lambda config: config.queue_events),
        vault,
        appended=log.offer,
        others_listen=lambda: log.others_listen,
    )
    _add_reading(server, shared, tenants, directory)
    if writes:
        _add_writing(server, shared, tenants, directory, flusher)
    jobs: list[Coroutine[Any, Any, None]] = [hub.run(), log.run(), _watch(core, server, database)]
    if config.role is not Role.INGEST:
        jobs.append(_learner(shared, flusher).run())
    # The flusher ends last, after the server has let go of its calls.
    flushing = asyncio.create_task(flusher.run())
    try:
        async with server.listening(config.listen, config.metrics_listen, config.address_file):
            await run_until(stop, server, *jobs)
    finally:
        flusher.close()
        await flushing


def _learner(shared: _Shared, flusher: EventFlusher) -> Learner:
    config = shared.settings.value
    compiled = find_core()
    say_core(compiled, shared.registry)
    key = receipt_key(config.receipt_key_file)
    return Learner(
        shared.core,
        config.dsn,
        LearnerStore(shared.core, f"{socket.gethostname()}/{os.getpid()}"),
        FrameStore(shared.core),
        LearnerState(
            shared.generations,
            _learning(config, compiled, shared.vault.pseudonyms),
            LogReader(shared.core).entries,
        ),
        GenerationKeeper(GenerationLifecycle(shared.core), GenerationMetrics(shared.registry)),
        shared.hub,
        shared.log,
        LearnerMetrics(shared.registry, shared.loop),
        SlateLearningMetrics(shared.registry),
        LearnerTimes(
            lease_seconds=config.lease_seconds,
            tick_seconds=config.tick_seconds,
            step_entries=config.step_events,
            checkpoint_versions=config.checkpoint_versions,
            checkpoint_seconds=config.checkpoint_seconds,
            keep_versions=config.keep_versions,
            slate_days=config.slate_days,
            step_seconds=config.step_seconds,
        ),
        importing=lambda: flusher.importing,
        eraser=Eraser(
            EraserStore(shared.pool),
            ReceiptSigner("learner", key),
            ReceiptSigner("log", key),
            config.scrub_seconds,
        ),
    )


def _learning(
    config: FeedbackConfig, compiled: CompiledCore | None, pseudonyms: Pseudonyms
) -> LearningConfig:
    joiner = AttributionConfig(
        settle_us=int(config.settle_seconds * 1e6),
        window_us=int(config.attribution_seconds * 1e6),
        max_slates=config.pending_slates,
        returns=ReturnsConfig(max_slates=config.awaited_slates),
    )
    return LearningConfig(
        comparison=config.comparison(),
        daily_events=config.user_daily_events,
        allowance=AllowanceConfig(on=config.item_allowance),
        slates=SlateConfig(joiner=joiner),
        shown=ShownStepConfig(eta=config.shown_eta),
        core=compiled,
        features_of=features_of_payload,
        owner_of=partial(owner_of_payload, pseudonyms),
        learns_unless_denied=not config.denied_by_default() & Purpose.LEARNING,
    )


def _add_reading(
    server: Server,
    shared: _Shared,
    tenants: TenantRegistry,
    directory: ItemDirectory,
) -> None:
    """Add what every role serves: the feed and the generations."""
    metrics = SubscriptionMetrics(shared.registry)
    frames = FrameStore(shared.pool)
    embedding_service_pb2_grpc.add_EmbeddingServiceServicer_to_server(
        EmbeddingServicer(
            tenants,
            EmbeddingRecorder(
                EmbeddingStore(shared.pool, shared.generations, directory),
                shared.vault,
                shared.settings.map(lambda config: config.max_bias),
            ),
        ),
        server.grpc,
    )
    feed_service_pb2_grpc.add_FeedServiceServicer_to_server(
        FeedServicer(
            EntriesServer(
                shared.log,
                LogReader(shared.pool),
                EntriesStreamMetrics(shared.registry, shared.loop.stage(PUSHED)),
                shared.vault,
            ),
            FeedServer(shared.hub, frames, metrics),
            Refusals(shared.registry),
        ),
        server.grpc,
    )
    generation_service_pb2_grpc.add_GenerationServiceServicer_to_server(
        GenerationServicer(tenants, shared.generations, GenerationLifecycle(shared.pool)),
        server.grpc,
    )


def _add_writing(
    server: Server,
    shared: _Shared,
    tenants: TenantRegistry,
    directory: ItemDirectory,
    flusher: EventFlusher,
) -> None:
    """Add what takes events, items, surfaces, experiments and user facts."""
    bulk, pseudonyms = BulkWork(), shared.vault.pseudonyms
    denied_by_default = shared.settings.value.denied_by_default()
    feedback_service_pb2_grpc.add_FeedbackServiceServicer_to_server(
        FeedbackServicer(
            tenants,
            EventRecorder(
                flusher,
                RecorderMetrics(shared.registry),
                shared.loop.stage(ACCEPTED),
                bulk,
                shared.vault,
            ),
            EventRetractor(RetractionStore(shared.pool), RetractionMetrics(shared.registry)),
            EventExport(shared.pool),
            SlateExport(shared.pool, bulk),
            ConsentReader(shared.pool, denied_by_default),
            shared.generations,
            bulk,
            shared.settings.map(lambda config: config.attribution_seconds),
            shared.vault,
            live=shared.settings.map(
                lambda config: _preparer(config, config.max_age_seconds, pseudonyms)
            ),
            history=shared.settings.map(lambda config: _preparer(config, None, pseudonyms)),
        ),
        server.grpc,
    )
    slate_service_pb2_grpc.add_SlateServiceServicer_to_server(
        SlateServicer(
            tenants,
            SlateRecorder(flusher, SlateMetrics(shared.registry), bulk, _now_us, shared.vault),
            SlateFinder(shared.pool),
            shared.vault,
        ),
        server.grpc,
    )
    catalogue = CatalogStore(shared.pool, directory)
    catalog_service_pb2_grpc.add_CatalogServiceServicer_to_server(
        CatalogServicer(tenants, catalogue, ItemRecorder(tenants, catalogue)), server.grpc
    )
    event_types: Reloadable[Collection[str]] = shared.settings.map(lambda config: config.types())
    surface_service_pb2_grpc.add_SurfaceServiceServicer_to_server(
        SurfaceServicer(
            tenants,
            DocumentStore(shared.pool, "surface"),
            SOURCES,
            shared.generations,
            SurfaceWarnings(catalogue, shared.generations, event_types),
        ),
        server.grpc,
    )
    experiment_service_pb2_grpc.add_ExperimentServiceServicer_to_server(
        ExperimentServicer(tenants, DocumentStore(shared.pool, "experiment"), event_types),
        server.grpc,
    )
    user_fact_service_pb2_grpc.add_UserFactServiceServicer_to_server(
        UserFactServicer(tenants, UserFactStore(shared.pool, shared.vault)), server.grpc
    )
    user_log_service_pb2_grpc.add_UserLogServiceServicer_to_server(
        UserLogServicer(
            _erasures(shared.settings.value, shared.pool, shared.vault),
            UserReader(shared.pool, shared.vault),
        ),
        server.grpc,
    )


def _erasures(config: FeedbackConfig, pool: asyncpg.Pool, vault: UserVault) -> ErasureStore:
    ledger = None if config.ledger_file is None else ErasureLedger(config.ledger_file)
    return ErasureStore(pool, vault, ledger)


def _preparer(
    config: FeedbackConfig, max_age_seconds: float | None, pseudonyms: Pseudonyms
) -> EventPreparer:
    """Return what prepares live events; without a greatest age: what is imported."""
    oldest_us = None if max_age_seconds is None else int(max_age_seconds * 1e6)
    bounds = ClockBounds(int(config.max_future_seconds * 1e6), oldest_us)
    return EventPreparer(config.types(), bounds, _now_us, pseudonyms)


async def _watch(core: asyncpg.Pool, server: Server, database: DatabaseMetrics) -> None:
    """Be ready exactly while the store answers."""
    while True:
        try:
            async with asyncio.timeout(_PROBE_SECONDS), session(core) as connection:
                await connection.execute("SELECT")
            ready = True
        except (StoreUnavailableError, TimeoutError) as error:
            _log.warning("the store is away", error=str(error))
            ready = False
        database.up.set(ready)
        await server.health.set_ready(ready)
        await asyncio.sleep(_PROBE_SECONDS)


def _now_us() -> int:
    return time.time_ns() // 1000
