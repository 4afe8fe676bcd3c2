"""PutAttributeSchema and GetAttributeSchema, and what UpdateProfile asks of them."""

import math
from collections.abc import Collection
from datetime import datetime

from google.protobuf import json_format
from google.protobuf.struct_pb2 import Struct

from harken.profile.v1 import attribute_schema_pb2
from harken.profile.v1 import profile_service_pb2 as pb
from services.common.validation import Checks
from services.profile.domain.attribute_types import (
    AttributeType,
    Definition,
    Schema,
    schema_faults,
)
from services.profile.store.schema_store import SchemaStore

_MAX_DEFINITIONS = 200
_MAX_VALUES = 1000
_MAX_DESCRIPTION_BYTES = 1000
_TYPES = {
    attribute_schema_pb2.ATTRIBUTE_TYPE_STRING: AttributeType.STRING,
    attribute_schema_pb2.ATTRIBUTE_TYPE_NUMBER: AttributeType.NUMBER,
    attribute_schema_pb2.ATTRIBUTE_TYPE_BOOL: AttributeType.BOOL,
    attribute_schema_pb2.ATTRIBUTE_TYPE_STRINGS: AttributeType.STRINGS,
    attribute_schema_pb2.ATTRIBUTE_TYPE_TIME: AttributeType.TIME,
}
_TEXTS = (AttributeType.STRING, AttributeType.STRINGS)


class AttributeSchemas:
    """The schemas of all tenants."""

    def __init__(self, store: SchemaStore) -> None:
        self._store = store

    async def put(self, request: pb.PutAttributeSchemaRequest) -> pb.PutAttributeSchemaResponse:
        """Set a schema; see profile_service.proto.

        Raises:
            InvalidRequestError: the schema is wrong.
            EtagMismatchError: another one was put meanwhile.
            StoreUnavailableError: the store is away.

        """
        checks = Checks()
        tenant = checks.tenant(request.tenant)
        with checks.within("schema"):
            _check(checks, request.schema)
        checks.done()
        return pb.PutAttributeSchemaResponse(schema=await self._store.put(tenant, request.schema))

    async def get(self, request: pb.GetAttributeSchemaRequest) -> pb.GetAttributeSchemaResponse:
        """Return a schema; see profile_service.proto.

        Raises:
            InvalidRequestError: the tenant is no name.
            StoreUnavailableError: the store is away.

        """
        checks = Checks()
        tenant = checks.tenant(request.tenant)
        checks.done()
        return pb.GetAttributeSchemaResponse(schema=await self._store.get(tenant))

    async def check(
        self, checks: Checks, tenant: str, given: Struct, names: Collection[str] | None
    ) -> None:
        """Add to `checks` what is wrong with attributes.

        names: those that are written; None: all.

        Raises:
            StoreUnavailableError: the store is away.

        """
        if names is not None and not names:
            # Consent alone is written: nothing is to be read for that.
            return
        schema = _schema_of(await self._store.get(tenant))
        if not schema.definitions and not schema.closed:
            return
        plain = json_format.MessageToDict(given)
        written = {name: one for name, one in plain.items() if names is None or name in names}
        for name, fault in schema_faults(schema, written, _is_time).items():
            checks.fail(f"profile.attributes.{name}", fault)


def _is_time(text: str) -> bool:
    try:
        return "T" in text and datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        return False


def _check(checks: Checks, schema: attribute_schema_pb2.AttributeSchema) -> None:
    names: set[str] = set()
    if not checks.size("attributes", len(schema.attributes), 0, _MAX_DEFINITIONS):
        return
    for index, one in enumerate(schema.attributes):
        with checks.within(f"attributes[{index}]"):
            checks.id("name", one.name)
            if one.name in names:
                checks.fail("name", "is defined twice")
            names.add(one.name)
            _check_definition(checks, one)


def _check_definition(checks: Checks, one: attribute_schema_pb2.AttributeDefinition) -> None:
    type_ = _TYPES.get(one.type)
    if type_ is None:
        checks.fail("type", "must be one of AttributeType")
    if len(one.description.encode()) > _MAX_DESCRIPTION_BYTES:
        checks.fail("description", f"must be at most {_MAX_DESCRIPTION_BYTES} bytes")
    if checks.size("allowed_values", len(one.allowed_values), 0, _MAX_VALUES):
        for place, value in enumerate(one.allowed_values):
            checks.id(f"allowed_values[{place}]", value)
        if len(set(one.allowed_values)) < len(one.allowed_values):
            checks.fail("allowed_values", "has a value twice")
        if one.allowed_values and type_ is not None and type_ not in _TEXTS:
            checks.fail("allowed_values", "are for texts only")
    for bound in ("minimum", "maximum"):
        if not one.HasField(bound):
            continue
        if not math.isfinite(getattr(one, bound)):
            checks.fail(bound, "must be finite")
        elif type_ is not None and type_ is not AttributeType.NUMBER:
            checks.fail(bound, "is for numbers only")
    if one.HasField("minimum") and one.HasField("maximum") and one.maximum < one.minimum:
        checks.fail("maximum", "must not be below minimum")


def _schema_of(stored: attribute_schema_pb2.AttributeSchema) -> Schema:
    return Schema(
        {
            one.name: Definition(
                _TYPES[one.type],
                frozenset(one.allowed_values),
                one.minimum if one.HasField("minimum") else None,
                one.maximum if one.HasField("maximum") else None,
            )
            for one in stored.attributes
        },
        stored.closed,
    )
