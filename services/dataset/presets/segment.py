"""Segment: track calls of its ecommerce specification, a JSON object a line."""

from collections.abc import Mapping

from services.dataset.fields.event_fields import EventOptions
from services.dataset.presets.preset import EventShape, Preset
from services.dataset.table.options import ReadOptions


def _products(cell: object) -> object:
    """Return the products of a call: those of an order, or the one that it is about."""
    if not isinstance(cell, Mapping):
        return cell
    products = cell.get("products")
    if not isinstance(products, list):
        return [cell]
    return [{**cell, **one} if isinstance(one, Mapping) else one for one in products]


SEGMENT = Preset(
    "segment",
    "Segment track calls (JSON lines): an event for each product; who is not signed in is a "
    "session; calls about no product are rejected",
    events=(
        EventShape(
            ReadOptions(
                lists="properties", converters={"properties": (("properties",), _products)}
            ),
            EventOptions(
                user="userid",
                session="anonymousid",
                item="properties.product_id",
                timestamp="timestamp",
                type="event",
                value="",
                event_id="messageid",
                type_map={
                    "Product Viewed": "view",
                    "Product Clicked": "click",
                    "Product Added": "add_to_cart",
                    "Product Removed": "remove_from_cart",
                    "Product Added to Wishlist": "wishlist",
                    "Order Completed": "purchase",
                },
                line_ids=True,
            ),
        ),
    ),
)
