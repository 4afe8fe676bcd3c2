-- migrate:up

-- Appends one event that has no reason for quarantine, as append_stamped_events does with many, with
-- half of its statements. The sequence of an event that is known is that of then; its answer says so.
--
-- p_notify: whether other processes listen. A NOTIFY takes a lock of the whole server at commit and
-- wakes two processes for each that listens, also the one that appends and so knows already.
CREATE FUNCTION append_event(
    p_shard integer, p_tenant text, p_event_id text, p_fingerprint bytea, p_user_key bytea,
    p_entry bytea, p_notify boolean,
    OUT epoch bigint, OUT before bigint, OUT accepted_at_us bigint,
    OUT known_sequence bigint, OUT known_fingerprint bytea
) LANGUAGE plpgsql SET enable_seqscan = off SET plan_cache_mode = force_generic_plan AS $$
#variable_conflict use_column
DECLARE
    v_now timestamptz;
BEGIN
    UPDATE shards s SET head = s.head + 1 WHERE s.shard = p_shard
        RETURNING s.head - 1, s.epoch INTO before, epoch;
    v_now := clock_timestamp();
    accepted_at_us := extract(epoch FROM v_now) * 1000000;
    -- This statement has a newer snapshot than the lock: all that committed before is visible.
    SELECT e.sequence, e.fingerprint INTO known_sequence, known_fingerprint
        FROM event_ids e WHERE e.tenant = p_tenant AND e.event_id = p_event_id;
    -- An event that was accepted is in quarantine no more, not even one that came in between.
    DELETE FROM quarantine q WHERE q.tenant = p_tenant AND q.event_id = p_event_id;
    IF known_sequence IS NOT NULL THEN
        UPDATE shards s SET head = before WHERE s.shard = p_shard;
        RETURN;
    END IF;
    INSERT INTO event_ids (tenant, event_id, fingerprint, sequence)
        VALUES (p_tenant, p_event_id, p_fingerprint, before + 1);
    INSERT INTO log (shard, sequence, tenant, accepted_at, user_key, entry)
        VALUES (p_shard, before + 1, p_tenant, v_now, p_user_key, p_entry);
    IF p_notify THEN
        PERFORM pg_notify('feedback_log', (before + 1)::text);
    END IF;
END $$;

-- migrate:down
