-- migrate:up

-- What attributes of users may be. schema is a harken.profile.v1.AttributeSchema without etag and
-- update_time.
CREATE TABLE attribute_schemas (
    tenant   text COLLATE "C" PRIMARY KEY,
    revision bigint      NOT NULL,
    schema   bytea       NOT NULL,
    put_at   timestamptz NOT NULL
);

-- migrate:down
