-- migrate:up

-- One row per shard. Appending locks its row until commit, so that sequences are dense and in
-- commit order: a reader that has seen sequence n has seen everything before it.
CREATE TABLE shards (
    shard             integer PRIMARY KEY,
    epoch             bigint  NOT NULL DEFAULT 1,
    head              bigint  NOT NULL DEFAULT 0,
    -- Identity of the server at the last start: a change means that we run on a restored or
    -- promoted copy, and a new epoch begins.
    system_identifier bigint,
    timeline          integer
);
INSERT INTO shards (shard) VALUES (0);

-- Where an epoch was left: positions of it beyond last_sequence are lost.
CREATE TABLE forks (
    shard         integer NOT NULL,
    epoch         bigint  NOT NULL,
    last_sequence bigint  NOT NULL,
    PRIMARY KEY (shard, epoch)
);

CREATE TABLE tenants (
    tenant     text PRIMARY KEY,
    shard      integer     NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL DEFAULT now()
);

-- entry is a harken.log.v1.Entry. user_key is the stored key of the user concerned, if any.
CREATE TABLE log (
    shard       integer     NOT NULL,
    sequence    bigint      NOT NULL,
    tenant      text        NOT NULL,
    accepted_at timestamptz NOT NULL,
    user_key    bytea,
    entry       bytea       NOT NULL,
    PRIMARY KEY (shard, sequence)
);

-- fingerprint: hash over the normalised fields of the event.
CREATE TABLE event_ids (
    tenant      text   NOT NULL,
    event_id    text   NOT NULL,
    fingerprint bytea  NOT NULL,
    sequence    bigint NOT NULL,
    PRIMARY KEY (tenant, event_id)
);

-- reason is a number of harken.feedback.v1.EventReason; entry a harken.log.v1.Entry.
CREATE TABLE quarantine (
    tenant         text        NOT NULL,
    event_id       text        NOT NULL,
    fingerprint    bytea       NOT NULL,
    user_key       bytea       NOT NULL,
    reason         integer     NOT NULL,
    entry          bytea       NOT NULL,
    quarantined_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant, event_id)
);

-- Appends entries; returns the sequence before the first of them, and the epoch.
CREATE FUNCTION append_entries(
    p_shard integer, p_tenants text[], p_user_keys bytea[], p_entries bytea[],
    OUT before bigint, OUT epoch bigint
) LANGUAGE plpgsql AS $$
BEGIN
    UPDATE shards s SET head = s.head + cardinality(p_entries)
        WHERE s.shard = p_shard
        RETURNING s.head - cardinality(p_entries), s.epoch INTO before, epoch;
    INSERT INTO log (shard, sequence, tenant, accepted_at, user_key, entry)
        SELECT p_shard, before + i.ordinal, i.tenant, clock_timestamp(), i.user_key, i.entry
        FROM unnest(p_tenants, p_user_keys, p_entries)
            WITH ORDINALITY AS i (tenant, user_key, entry, ordinal);
    -- Listeners learn how far the log reaches, so that they read only when they are behind.
    PERFORM pg_notify('feedback_log', (before + cardinality(p_entries))::text);
END $$;

-- Appends events that are new, quarantines those with a reason, and recognises those that were
-- accepted before. Returns a row per event, with what the log has under its id (nulls: it was
-- quarantined). Event ids must be distinct within a call.
--
-- The lookups use the index even before the tables were first analysed.
CREATE FUNCTION append_events(
    p_shard integer, p_tenants text[], p_event_ids text[], p_fingerprints bytea[],
    p_user_keys bytea[], p_reasons integer[], p_entries bytea[]
) RETURNS TABLE (ordinal bigint, epoch bigint, sequence bigint, fingerprint bytea, fresh boolean)
LANGUAGE plpgsql SET enable_seqscan = off SET plan_cache_mode = force_generic_plan AS $$
#variable_conflict use_column
DECLARE
    v_head  bigint;
    v_epoch bigint;
BEGIN
    SELECT s.head, s.epoch INTO v_head, v_epoch FROM shards s WHERE s.shard = p_shard FOR UPDATE;
    -- This statement has a newer snapshot than the lock: all that committed before is visible.
    RETURN QUERY
        WITH input AS MATERIALIZED (
            SELECT i.*, k.sequence AS known_sequence, k.fingerprint AS known_fingerprint
            FROM unnest(p_tenants, p_event_ids, p_fingerprints, p_user_keys, p_reasons, p_entries)
                WITH ORDINALITY
                AS i (tenant, event_id, fingerprint, user_key, reason, entry, ordinal)
            LEFT JOIN LATERAL (
                SELECT e.sequence, e.fingerprint FROM event_ids e
                WHERE e.tenant = i.tenant AND e.event_id = i.event_id
            ) k ON true
        ), accepted AS MATERIALIZED (
            SELECT i.*, v_head + row_number() OVER (ORDER BY i.ordinal) AS sequence
            FROM input i WHERE i.known_sequence IS NULL AND i.reason = 0
        ), remembered AS (
            INSERT INTO event_ids (tenant, event_id, fingerprint, sequence)
            SELECT a.tenant, a.event_id, a.fingerprint, a.sequence FROM accepted a
        ), logged AS (
            INSERT INTO log (shard, sequence, tenant, accepted_at, user_key, entry)
            SELECT p_shard, a.sequence, a.tenant, clock_timestamp(), a.user_key, a.entry
            FROM accepted a
        ), released AS (
            DELETE FROM quarantine q USING accepted a
            WHERE q.tenant = a.tenant AND q.event_id = a.event_id
        ), quarantined AS (
            INSERT INTO quarantine (tenant, event_id, fingerprint, user_key, reason, entry)
            SELECT i.tenant, i.event_id, i.fingerprint, i.user_key, i.reason, i.entry
            FROM input i WHERE i.known_sequence IS NULL AND i.reason <> 0
            ON CONFLICT ON CONSTRAINT quarantine_pkey DO UPDATE SET
                fingerprint = excluded.fingerprint, user_key = excluded.user_key,
                reason = excluded.reason, entry = excluded.entry
        )
        SELECT a.ordinal, v_epoch, a.sequence, a.fingerprint, true FROM accepted a
        UNION ALL
        SELECT i.ordinal, v_epoch, i.known_sequence, i.known_fingerprint, false
        FROM input i WHERE i.known_sequence IS NOT NULL OR i.reason <> 0;
    UPDATE shards s SET head = coalesce(
        (SELECT max(l.sequence) FROM log l WHERE l.shard = p_shard AND l.sequence > v_head), v_head
    ) WHERE s.shard = p_shard RETURNING s.head INTO v_head;
    PERFORM pg_notify('feedback_log', v_head::text);
END $$;

-- migrate:down
