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

-- One row. least_version: of the master key that may wrap what is new. changes: counts up whenever keys were destroyed or wrapped anew, so that nobody goes on
-- with those it holds. probe: a key of nobody, wrapped by a master key, which shows whether somebody
-- has the right one. pseudonyms: the check value of the key that stored keys were made with.
CREATE TABLE vault (
    one           boolean PRIMARY KEY DEFAULT true CHECK (one),
    least_version integer NOT NULL,
    changes       bigint  NOT NULL,
    probe         bytea,
    pseudonyms    bytea
);
INSERT INTO vault (least_version, changes) VALUES (1, 0);

-- Adds keys of users who have none, and returns what each of them has then, and whether it is made
-- here. by_version: of the master key that wrapped them; one that was retired is refused with
-- object_not_in_prerequisite_state, and nothing is added. Who retires one takes the lock alone.
CREATE FUNCTION create_user_keys(
    of_tenant text, keys bytea[], wrapped bytea[], names bytea[], by_version integer
) RETURNS TABLE (a_user_key bytea, a_wrapped_key bytea, a_sealed_name bytea, is_new boolean)
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock_shared(4711016);
    IF by_version < (SELECT least_version FROM vault) THEN
        RAISE object_not_in_prerequisite_state USING MESSAGE = 'the master key was retired';
    END IF;
    -- In one order, so that two calls cannot wait for each other.
    INSERT INTO user_keys (tenant, user_key, wrapped_key, sealed_name)
    SELECT of_tenant, g.user_key, g.wrapped_key, g.sealed_name
    FROM unnest(keys, wrapped, names) AS g (user_key, wrapped_key, sealed_name)
    ORDER BY g.user_key
    ON CONFLICT (tenant, user_key) DO NOTHING;
    -- No two wrapped keys are the same.
    RETURN QUERY
        SELECT k.user_key, k.wrapped_key, k.sealed_name, k.wrapped_key = g.wrapped_key
        FROM unnest(keys, wrapped) AS g (user_key, wrapped_key)
        CROSS JOIN LATERAL (
            SELECT * FROM user_keys u
            WHERE u.tenant = of_tenant AND u.user_key = g.user_key OFFSET 0
        ) k;
END
$$;

-- Retires a version of the master key, and returns how many keys of users it wraps.
CREATE FUNCTION retire_master_key(version integer) RETURNS bigint
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(4711016);
    UPDATE vault SET least_version = greatest(least_version, version + 1);
    RETURN (
        SELECT count(*) FROM user_keys
        WHERE substring(wrapped_key FROM 1 FOR 4) = int4send(version)
    );
END
$$;

-- migrate:down
