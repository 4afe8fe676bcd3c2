-- migrate:up

-- The keys that seal what belongs to a user, wrapped by a master key that is not in any database, and
-- the user's id, sealed by that key. Without the row nothing that was sealed can be read any more,
-- wherever a copy of it is.
CREATE TABLE user_keys (
    tenant      text        COLLATE "C" NOT NULL,
    user_key    bytea       NOT NULL,
    wrapped_key bytea       NOT NULL,
    sealed_name bytea       NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant, user_key)
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 50);

-- One row. changes: counts up whenever keys were destroyed or wrapped anew, so that nobody goes on
-- with those it holds. probe: a key of nobody, wrapped by a master key, which shows whether somebody
-- has the right one. pseudonyms: the check value of the key that stored keys were made with.
CREATE TABLE vault (
    one        boolean PRIMARY KEY DEFAULT true CHECK (one),
    changes    bigint  NOT NULL,
    probe      bytea,
    pseudonyms bytea
);
INSERT INTO vault (changes) VALUES (0);

-- migrate:down
