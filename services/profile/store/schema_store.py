"""What attributes may be, by tenant."""

from datetime import datetime

import asyncpg

from harken.profile.v1.attribute_schema_pb2 import AttributeSchema
from services.common.database import session, store_faults
from services.common.errors import EtagMismatchError
from services.profile.domain.attribute_rules import etag_of

_READ = "SELECT revision, schema, put_at FROM attribute_schemas WHERE tenant = $1"
# Whoever gave an etag read a revision: of two that read the same one writes.
_PUT = """
    INSERT INTO attribute_schemas AS s (tenant, revision, schema, put_at)
    SELECT $1, 1, $2, clock_timestamp() WHERE $3 = ''
        OR EXISTS (SELECT FROM attribute_schemas k WHERE k.tenant = $1 AND to_hex(k.revision) = $3)
    ON CONFLICT (tenant) DO UPDATE
        SET revision = s.revision + 1, schema = excluded.schema, put_at = excluded.put_at
        WHERE $3 = '' OR to_hex(s.revision) = $3
    RETURNING revision, schema, put_at
"""


class SchemaStore:
    """Reads and replaces schemas."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def get(self, tenant: str) -> AttributeSchema:
        """Return the schema of a tenant; an empty one where none was put.

        Raises:
            StoreUnavailableError: the store is away.

        """
        with store_faults():
            row = await self._pool.fetchrow(_READ, tenant)
        return AttributeSchema() if row is None else _schema(*row)

    async def put(self, tenant: str, schema: AttributeSchema) -> AttributeSchema:
        """Replace the schema of a tenant, and return it as stored.

        Raises:
            EtagMismatchError: its etag is not empty and not that of the stored one.
            StoreUnavailableError: the store is away. It may be put all the same.

        """
        body = AttributeSchema(attributes=schema.attributes, closed=schema.closed)
        async with session(self._pool) as connection:
            row = await connection.fetchrow(_PUT, tenant, body.SerializeToString(), schema.etag)
        if row is None:
            raise EtagMismatchError("the schema changed since it was read: read it again")
        return _schema(*row)


def _schema(revision: int, body: bytes, put_at: datetime) -> AttributeSchema:
    schema = AttributeSchema.FromString(body)
    schema.etag = etag_of(revision)
    schema.update_time.FromDatetime(put_at)
    return schema
