-- migrate:up

-- Does what append_event_columns does, with one time of acceptance for all events of a call, taken
-- under the lock on the shard: in order of sequence, times never go back. Answers with it too, in unix
-- microseconds, exactly as it is stored.
CREATE FUNCTION append_stamped_events(
    p_shard integer, p_tenants text[], p_event_ids text[], p_fingerprints bytea[],
    p_user_keys bytea[], p_reasons integer[], p_entries bytea[],
    OUT epoch bigint, OUT before bigint, OUT accepted_at_us bigint,
    OUT known_sequences bigint[], OUT known_fingerprints bytea[]
) LANGUAGE plpgsql SET enable_seqscan = off SET plan_cache_mode = force_generic_plan AS $$
#variable_conflict use_column
DECLARE
    v_now   timestamptz;
    v_known bigint;
    v_count bigint;
BEGIN
    SELECT s.head, s.epoch INTO before, epoch FROM shards s WHERE s.shard = p_shard FOR UPDATE;
    v_now := clock_timestamp();
    accepted_at_us := extract(epoch FROM v_now) * 1000000;
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
        SELECT p_shard, a.sequence, a.tenant, v_now, a.user_key, a.entry FROM accepted a
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
END $$;

-- Does what append_entries does, with one time of acceptance for all entries of a call, taken under the
-- lock on the shard, and answers with it as well.
CREATE FUNCTION append_stamped_entries(
    p_shard integer, p_tenants text[], p_user_keys bytea[], p_entries bytea[],
    OUT before bigint, OUT epoch bigint, OUT accepted_at_us bigint
) LANGUAGE plpgsql AS $$
DECLARE
    -- How an Entry with a slate begins: field 20, a message.
    v_slate constant bytea := '\xa201';
    v_now    timestamptz;
    v_slates boolean;
    v_others boolean;
BEGIN
    UPDATE shards s SET head = s.head + cardinality(p_entries)
        WHERE s.shard = p_shard
        RETURNING s.head - cardinality(p_entries), s.epoch INTO before, epoch;
    v_now := clock_timestamp();
    accepted_at_us := extract(epoch FROM v_now) * 1000000;
    SELECT bool_or(starts), NOT bool_and(starts) INTO v_slates, v_others
        FROM (SELECT substr(entry, 1, 2) = v_slate FROM unnest(p_entries) AS e (entry)) k (starts);
    IF v_others THEN
        INSERT INTO log (shard, sequence, tenant, accepted_at, user_key, entry)
            SELECT p_shard, before + i.ordinal, i.tenant, v_now, i.user_key, i.entry
            FROM unnest(p_tenants, p_user_keys, p_entries)
                WITH ORDINALITY AS i (tenant, user_key, entry, ordinal)
            WHERE substr(i.entry, 1, 2) <> v_slate;
    END IF;
    IF v_slates THEN
        EXECUTE format(
            'INSERT INTO log_slates_%s (shard, sequence, tenant, accepted_at, user_key, entry)'
            ' SELECT $1, $2 + i.ordinal, i.tenant, $7, i.user_key, i.entry'
            ' FROM unnest($3, $4, $5) WITH ORDINALITY AS i (tenant, user_key, entry, ordinal)'
            ' WHERE substr(i.entry, 1, 2) = $6',
            floor(extract(epoch FROM v_now) / (30 * 86400))::bigint % 6
        ) USING p_shard, before, p_tenants, p_user_keys, p_entries, v_slate, v_now;
    END IF;
    -- Listeners learn how far the log reaches, so that they read only when they are behind.
    PERFORM pg_notify('feedback_log', (before + cardinality(p_entries))::text);
END $$;

-- migrate:down
