"""One process of the profile service, put together."""

import asyncio
from pathlib import Path

from prometheus_client import CollectorRegistry

from harken.internal.feed.v1 import frame_pb2
from harken.profile.v1 import profile_service_pb2
from harken.profile.v1.profile_service_pb2_grpc import add_ProfileServiceServicer_to_server
from services.common.access.process_access import identity_of, process_access
from services.common.audit.audit_log import AuditLog
from services.common.channels import open_channel
from services.common.database import open_pool
from services.common.erasure_ledger import ErasureLedger
from services.common.logs import logger
from services.common.pipeline_latency import PipelineLatency
from services.common.process_metrics import DatabaseMetrics
from services.common.receipts import ReceiptSigner, receipt_key
from services.common.reloadable import Reloadable
from services.common.server import Server, run_until
from services.common.tracing import event_tracer
from services.common.vault.opening import check_pseudonyms, opened_vault
from services.feed.entries_client import EntriesClient, EntriesMetrics
from services.feed.frames_client import FeedClient, FeedMetrics
from services.profile.attribute_schemas import AttributeSchemas
from services.profile.config import ProfileConfig
from services.profile.dimensions import Dimensions
from services.profile.domain.interests import HalfLives
from services.profile.entries_applier import EntriesApplier
from services.profile.erasure.erasure_relay import ErasureRelay
from services.profile.erasure.user_erasure import UserErasure
from services.profile.freshness import Freshness
from services.profile.item_labels import ItemLabels
from services.profile.merges import Merges
from services.profile.metrics import ProfileMetrics
from services.profile.outbox_relay import OutboxRelay
from services.profile.readiness import Readiness
from services.profile.servicer import ProfileServicer
from services.profile.similar_users import SimilarUsers
from services.profile.store.attribute_store import AttributeStore
from services.profile.store.erasure_store import ErasureStore
from services.profile.store.history_store import HistoryStore
from services.profile.store.link_store import LinkStore
from services.profile.store.outbox_store import OutboxStore
from services.profile.store.profile_store import ProfileStore
from services.profile.store.schema_store import SchemaStore
from services.profile.store.vector_scan import VectorScan
from services.profile.store.vector_store import VectorStore
from services.profile.user_export import UserExport
from services.profile.vector_applier import VectorApplier

SCHEMA = "profile"
MIGRATIONS = Path(__file__).parent / "migrations"
SERVICE = profile_service_pb2.DESCRIPTOR.services_by_name["ProfileService"].full_name
SECTIONS = (
    frame_pb2.SECTION_USERS,
    # Activations say what vectors of a generation must look like.
    frame_pb2.SECTION_GENERATIONS,
)
_log = logger("process")
_ANY_USER = "SELECT EXISTS (SELECT FROM histories) OR EXISTS (SELECT FROM attributes)"
_BACKGROUND_CONNECTIONS = 5
"""One each for entries, for frames, for the outbox, for erasures, and for asking whether the store
is there."""


async def serve(
    settings: Reloadable[ProfileConfig], registry: CollectorRegistry, stop: asyncio.Event
) -> None:
    """Serve until `stop` is set, then drain; metrics go to `registry`.

    Raises:
        StoreUnavailableError: the store is away at the start.
        RuntimeError: the schema was never migrated.

    """
    config = settings.value
    metrics = ProfileMetrics(registry)
    async with (
        process_access(settings) as access,
        await open_pool(config.dsn, SCHEMA, config.pool_size) as pool,
        # Apart, so that no number of reads holds up the feed.
        await open_pool(config.dsn, SCHEMA, _BACKGROUND_CONNECTIONS) as background,
        opened_vault(config, registry) as vault,
        open_channel(config.feedback_target, identity=identity_of(access)) as channel,
        event_tracer("profile", config.trace_target, config.trace_share) as tracer,
    ):
        await check_pseudonyms(background, vault.pseudonyms, SCHEMA, _ANY_USER)
        await _apply_ledger(config, ErasureStore(background))
        database = DatabaseMetrics(registry, {"calls": pool, "background": background})
        applier = await EntriesApplier.open(
            HistoryStore(background),
            AttributeStore(background, vault),
            LinkStore(background),
            metrics,
        )
        entries = EntriesClient(
            channel, applier, EntriesMetrics(registry, PipelineLatency(registry, tracer)),
            "profile", vault.pseudonyms.check_value, user_facts=True,
            gather_seconds=config.gather_seconds,
        )  # fmt: skip
        vectors = await VectorApplier.open(VectorStore(background))
        feed = FeedClient(
            channel, vectors, FeedMetrics(registry), "profile", SECTIONS,
            gather_seconds=config.learned_gather_seconds,
        )  # fmt: skip
        relay = OutboxRelay(OutboxStore(background, vault), channel, metrics)
        freshness = Freshness(applier.progress, lambda: entries.last_contact > 0, metrics)
        signer = ReceiptSigner("profile", receipt_key(config.receipt_key_file))
        erasures = ErasureRelay(ErasureStore(background), channel, signer, applier.progress)
        profiles = ProfileStore(pool, vault)
        server = Server(
            registry,
            [SERVICE],
            settings.map(lambda config: config.call_limits()),
            config.max_connection_age_seconds,
            access=access,
            audit=AuditLog(pool, registry, vault.pseudonyms.key_of),
        )
        add_ProfileServiceServicer_to_server(
            ProfileServicer(
                profiles,
                AttributeStore(pool, vault),
                AttributeSchemas(SchemaStore(pool)),
                SimilarUsers(
                    profiles,
                    VectorScan(pool, config.denied_by_default()),
                    vault,
                    config.denied_by_default(),
                ),
                UserErasure(ErasureStore(pool), LinkStore(pool), erasures, freshness, vault),
                UserExport(profiles, freshness, channel, vault),
                Dimensions(
                    ItemLabels(channel),
                    HalfLives(config.interest_short_days, config.interest_long_days),
                ),
                freshness,
                vault,
                relay,
                Merges(LinkStore(pool), relay, vault),
            ),
            server.grpc,
        )
        readiness = Readiness(
            server.health, applier, entries, metrics, database,
            settings.map(lambda config: config.ready_max_lag_entries),
        )  # fmt: skip
        async with server.listening(config.listen, config.metrics_listen, config.address_file):
            await run_until(
                stop, server, entries.run(), feed.run(), relay.run(), erasures.run(),
                readiness.run(),
            )  # fmt: skip


async def _apply_ledger(config: ProfileConfig, store: ErasureStore) -> None:
    """Erase whom the ledger names, before anybody is answered."""
    if config.ledger_file is None:
        return
    ledger = ErasureLedger(config.ledger_file)
    again = await store.apply_ledger(await asyncio.to_thread(ledger.read))
    if again:
        _log.warning("erasures that the store had lost are made again", count=again)
