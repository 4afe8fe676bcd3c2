-- migrate:up

-- Slates are half of the log's bytes, and are needed for a while only. They live in children of
-- `log`, which take turns: floor(days since 1970 / 30) % 6 is the number of the one that takes them
-- now. What is too old goes by emptying a child. Whoever reads `log` reads them all; slates in the
-- parent are from earlier releases.
CREATE TABLE log_slates_0 (PRIMARY KEY (shard, sequence)) INHERITS (log);
CREATE TABLE log_slates_1 (PRIMARY KEY (shard, sequence)) INHERITS (log);
CREATE TABLE log_slates_2 (PRIMARY KEY (shard, sequence)) INHERITS (log);
CREATE TABLE log_slates_3 (PRIMARY KEY (shard, sequence)) INHERITS (log);
CREATE TABLE log_slates_4 (PRIMARY KEY (shard, sequence)) INHERITS (log);
CREATE TABLE log_slates_5 (PRIMARY KEY (shard, sequence)) INHERITS (log);

-- Appends entries; returns the sequence before the first of them, and the epoch.
CREATE OR REPLACE FUNCTION append_entries(
    p_shard integer, p_tenants text[], p_user_keys bytea[], p_entries bytea[],
    OUT before bigint, OUT epoch bigint
) LANGUAGE plpgsql AS $$
DECLARE
    -- How an Entry with a slate begins: field 20, a message.
    v_slate constant bytea := '\xa201';
    v_slates boolean;
    v_others boolean;
BEGIN
    UPDATE shards s SET head = s.head + cardinality(p_entries)
        WHERE s.shard = p_shard
        RETURNING s.head - cardinality(p_entries), s.epoch INTO before, epoch;
    SELECT bool_or(starts), NOT bool_and(starts) INTO v_slates, v_others
        FROM (SELECT substr(entry, 1, 2) = v_slate FROM unnest(p_entries) AS e (entry)) k (starts);
    IF v_others THEN
        INSERT INTO log (shard, sequence, tenant, accepted_at, user_key, entry)
            SELECT p_shard, before + i.ordinal, i.tenant, clock_timestamp(), i.user_key, i.entry
            FROM unnest(p_tenants, p_user_keys, p_entries)
                WITH ORDINALITY AS i (tenant, user_key, entry, ordinal)
            WHERE substr(i.entry, 1, 2) <> v_slate;
    END IF;
    IF v_slates THEN
        EXECUTE format(
            'INSERT INTO log_slates_%s (shard, sequence, tenant, accepted_at, user_key, entry)'
            ' SELECT $1, $2 + i.ordinal, i.tenant, clock_timestamp(), i.user_key, i.entry'
            ' FROM unnest($3, $4, $5) WITH ORDINALITY AS i (tenant, user_key, entry, ordinal)'
            ' WHERE substr(i.entry, 1, 2) = $6',
            floor(extract(epoch FROM clock_timestamp()) / (30 * 86400))::bigint % 6
        ) USING p_shard, before, p_tenants, p_user_keys, p_entries, v_slate;
    END IF;
    -- Listeners learn how far the log reaches, so that they read only when they are behind.
    PERFORM pg_notify('feedback_log', (before + cardinality(p_entries))::text);
END $$;

-- migrate:down
