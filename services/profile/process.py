"""One process of the profile service, put together."""

import asyncio
from pathlib import Path

from prometheus_client import CollectorRegistry

from harken.internal.feed.v1 import frame_pb2
from harken.profile.v1 import profile_service_pb2
from harken.profile.v1.profile_service_pb2_grpc import add_ProfileServiceServicer_to_server
from services.common.channels import open_channel
from services.common.database import open_pool
from services.common.feed_client import FeedClient, FeedMetrics
from services.common.live import Live
from services.common.process_metrics import DatabaseMetrics
from services.common.server import Server, run_until
from services.common.tracing import event_tracer
from services.profile.config import ProfileConfig
from services.profile.frame_applier import FrameApplier
from services.profile.freshness import Freshness
from services.profile.metrics import ProfileMetrics
from services.profile.outbox_relay import OutboxRelay
from services.profile.readiness import Readiness
from services.profile.servicer import ProfileServicer
from services.profile.store.attribute_store import AttributeStore
from services.profile.store.behaviour_store import BehaviourStore
from services.profile.store.outbox_store import OutboxStore
from services.profile.store.profile_store import ProfileStore

SCHEMA = "profile"
MIGRATIONS = Path(__file__).parent / "migrations"
SERVICE = profile_service_pb2.DESCRIPTOR.services_by_name["ProfileService"].full_name
SECTIONS = (
    frame_pb2.SECTION_USERS,
    # Activations say what vectors of a generation must look like.
    frame_pb2.SECTION_GENERATIONS,
)
_BACKGROUND_CONNECTIONS = 3
"""One each for applying, for the outbox, and for asking whether the store is there."""


async def serve(
    settings: Live[ProfileConfig], registry: CollectorRegistry, stop: asyncio.Event
) -> None:
    """Serve until `stop` is set, then drain; metrics go to `registry`.

    Raises:
        StoreUnavailableError: the store is away at the start.
        RuntimeError: the schema was never migrated.

    """
    config = settings.value
    metrics = ProfileMetrics(registry)
    async with (
        await open_pool(config.dsn, SCHEMA, config.pool_size) as pool,
        # Apart, so that no number of reads holds up the feed.
        await open_pool(config.dsn, SCHEMA, _BACKGROUND_CONNECTIONS) as background,
        open_channel(config.feedback_target) as channel,
        event_tracer("profile", config.trace_target, config.trace_share),
    ):
        database = DatabaseMetrics(registry, {"calls": pool, "background": background})
        behaviours = BehaviourStore(background)
        applier = await FrameApplier.open(behaviours, AttributeStore(background), metrics)
        feed = FeedClient(
            channel, applier, FeedMetrics(registry),
            "profile", SECTIONS,
            durable=True, can_restart=False, rests=True, rebuild=applier.rebuild,
        )  # fmt: skip
        relay = OutboxRelay(OutboxStore(background), channel, metrics)
        freshness = Freshness(applier.progress, lambda: feed.last_contact > 0, metrics)
        server = Server(
            registry,
            [SERVICE],
            settings.map(lambda config: config.call_limits()),
            config.max_connection_age_seconds,
        )
        add_ProfileServiceServicer_to_server(
            ProfileServicer(ProfileStore(pool), AttributeStore(pool), freshness, relay.wake),
            server.grpc,
        )
        readiness = Readiness(
            server.health,
            behaviours,
            feed,
            lambda: applier.rebuilding,
            database,
            settings.map(lambda config: config.ready_max_lag),
        )
        async with server.listening(config.listen, config.metrics_listen, config.address_file):
            await run_until(stop, server, feed.run(), relay.run(), readiness.run())
