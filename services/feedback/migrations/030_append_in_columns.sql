-- migrate:up

-- Does what append_events does, and answers with one row: the epoch, the head before, and, only when
-- there is any event that was accepted before, what the log has under each id (nulls: it is new).
-- Those of the new events that have no reason got the sequences after the head, in order. Event ids
-- must be distinct within a call.
CREATE FUNCTION append_event_columns(
    p_shard integer, p_tenants text[], p_event_ids text[], p_fingerprints bytea[],
    p_user_keys bytea[], p_reasons integer[], p_entries bytea[],
    OUT epoch bigint, OUT before bigint, OUT stamped_at double precision,
    OUT known_sequences bigint[], OUT known_fingerprints bytea[]
) LANGUAGE plpgsql SET enable_seqscan = off SET plan_cache_mode = force_generic_plan AS $$
#variable_conflict use_column
DECLARE
    v_known bigint;
    v_count bigint;
BEGIN
    SELECT s.head, s.epoch INTO before, epoch FROM shards s WHERE s.shard = p_shard FOR UPDATE;
    -- This statement has a newer snapshot than the lock: all that committed before is visible.
    SELECT count(e.sequence), array_agg(e.sequence ORDER BY i.ordinal),
        array_agg(e.fingerprint ORDER BY i.ordinal)
        INTO v_known, known_sequences, known_fingerprints
        FROM unnest(p_tenants, p_event_ids) WITH ORDINALITY AS i (tenant, event_id, ordinal)
        LEFT JOIN event_ids e ON e.tenant = i.tenant AND e.event_id = i.event_id;
    WITH accepted AS MATERIALIZED (
        SELECT i.*, before + row_number() OVER (ORDER BY i.ordinal) AS sequence
        FROM unnest(p_tenants, p_event_ids, p_fingerprints, p_user_keys, p_reasons, p_entries,
                known_sequences)
            WITH ORDINALITY
            AS i (tenant, event_id, fingerprint, user_key, reason, entry, known, ordinal)
        WHERE i.known IS NULL AND i.reason = 0
    ), remembered AS (
        INSERT INTO event_ids (tenant, event_id, fingerprint, sequence)
        SELECT a.tenant, a.event_id, a.fingerprint, a.sequence FROM accepted a
    ), logged AS (
        INSERT INTO log (shard, sequence, tenant, accepted_at, user_key, entry)
        SELECT p_shard, a.sequence, a.tenant, clock_timestamp(), a.user_key, a.entry
        FROM accepted a
    ) SELECT count(*) INTO v_count FROM accepted;
    IF EXISTS (SELECT FROM quarantine) THEN
        DELETE FROM quarantine q
            USING unnest(p_tenants, p_event_ids, p_reasons) AS i (tenant, event_id, reason)
            WHERE i.reason = 0 AND q.tenant = i.tenant AND q.event_id = i.event_id;
    END IF;
    IF 0 <> ANY (p_reasons) THEN
        INSERT INTO quarantine (tenant, event_id, fingerprint, user_key, reason, entry)
            SELECT i.tenant, i.event_id, i.fingerprint, i.user_key, i.reason, i.entry
            FROM unnest(p_tenants, p_event_ids, p_fingerprints, p_user_keys, p_reasons, p_entries,
                    known_sequences)
                AS i (tenant, event_id, fingerprint, user_key, reason, entry, known)
            WHERE i.known IS NULL AND i.reason <> 0
            ON CONFLICT ON CONSTRAINT quarantine_pkey DO UPDATE SET
                fingerprint = excluded.fingerprint, user_key = excluded.user_key,
                reason = excluded.reason, entry = excluded.entry;
    END IF;
    IF v_known = 0 THEN
        known_sequences := NULL;
        known_fingerprints := NULL;
    END IF;
    UPDATE shards s SET head = before + v_count WHERE s.shard = p_shard;
    PERFORM pg_notify('feedback_log', (before + v_count)::text);
    stamped_at := extract(epoch FROM clock_timestamp());
END $$;

-- migrate:down
