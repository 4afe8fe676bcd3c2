"""Snowplow: enriched events as JSON lines (analytics SDK), with its ecommerce schemas."""

from services.dataset.fields.event_fields import EventOptions
from services.dataset.presets.preset import EventShape, Preset
from services.dataset.table.options import ReadOptions

_PRODUCTS = "contexts_com_snowplowanalytics_snowplow_ecommerce_product_1"
_ACTION = "unstruct_event_com_snowplowanalytics_snowplow_ecommerce_snowplow_ecommerce_action_1"

SNOWPLOW = Preset(
    "snowplow",
    "Snowplow enriched events (JSON lines of the analytics SDK, ecommerce schemas): an event for "
    "each product; who is not signed in is a session",
    events=(
        EventShape(
            ReadOptions(lists=_PRODUCTS),
            EventOptions(
                user="user_id",
                session="domain_userid",
                item=f"{_PRODUCTS}.id",
                timestamp="collector_tstamp",
                type=f"{_ACTION}.type",
                value="",
                event_id="event_id",
                type_map={
                    "product_view": "view",
                    "list_click": "click",
                    "transaction": "purchase",
                },
                line_ids=True,
            ),
        ),
    ),
)
