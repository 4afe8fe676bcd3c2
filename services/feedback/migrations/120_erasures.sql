-- migrate:up

-- How many erasures there are: where there are none, nothing that is appended is held against them.
ALTER TABLE shards ADD COLUMN erasures bigint NOT NULL DEFAULT 0;

-- The ledger: who was erased. Rows are added in the transaction that logs the erasure, and never
-- deleted. Nobody is named: tombstone is the SHA-256 of the stored key. What the user did at or before
-- erased_at_us is erased. sequence: of the entry; unlearn_sequence: of the one that has the learner
-- take back what the user taught, once the log was searched. searched_through: so far. scrubbed_at:
-- when the log, checkpoints and frames held nothing of the user any more.
CREATE TABLE erasures (
    erasure_id       text COLLATE "C" PRIMARY KEY,
    tenant           text   NOT NULL,
    tombstone        bytea  NOT NULL,
    shard            integer NOT NULL,
    sequence         bigint NOT NULL,
    erased_at_us     bigint NOT NULL,
    searched_through bigint NOT NULL DEFAULT 0,
    unlearn_sequence bigint,
    scrubbed_at      timestamptz
);
CREATE INDEX erasures_by_user ON erasures (tenant, tombstone);
CREATE INDEX erasures_running ON erasures (sequence) WHERE scrubbed_at IS NULL;

-- Entries of the log that are of an erased user, as they are found. stands: an event that was not
-- taken back.
CREATE TABLE erased_rows (
    erasure_id text COLLATE "C" NOT NULL,
    sequence   bigint  NOT NULL,
    stands     boolean NOT NULL,
    PRIMARY KEY (erasure_id, sequence)
);

-- receipt is a harken.profile.v1.ErasureReceipt.
CREATE TABLE erasure_receipts (
    erasure_id text COLLATE "C" NOT NULL REFERENCES erasures,
    component  text  NOT NULL,
    instance   text  NOT NULL,
    receipt    bytea NOT NULL,
    PRIMARY KEY (erasure_id, component, instance)
);

-- Returns whether somebody among these users was erased, and the caller has not looked yet what of
-- theirs is late, as of so many erasures. A release that does not know of erasures gives none.
CREATE FUNCTION erased_unchecked(
    p_erasures bigint, p_checked bigint, p_tenants text[], p_user_keys bytea[]
) RETURNS boolean LANGUAGE plpgsql STABLE SET enable_seqscan = off AS $$
BEGIN
    IF p_erasures IS NOT DISTINCT FROM p_checked THEN
        RETURN false;
    END IF;
    IF NOT EXISTS (
        SELECT FROM unnest(p_tenants, p_user_keys) AS i (tenant, user_key)
        JOIN erasures e ON e.tenant = i.tenant AND e.tombstone = sha256(i.user_key)
    ) THEN
        RETURN false;
    END IF;
    IF p_checked IS NULL THEN
        RAISE EXCEPTION 'a user was erased, and this release cannot tell what is late';
    END IF;
    RETURN true;
END $$;

-- As before, but that they append nothing, and say as of how many erasures (unchecked), where
-- somebody was erased and the caller did not look as of as many (p_checked; -1: not at all) what is
-- late. Under the lock on the shard, so that nothing of an erased user comes in beside the erasure.
-- contract: 0.1.0 calls them with one argument less, which works as before
DROP FUNCTION append_stamped_events(
    integer, text[], text[], bytea[], bytea[], integer[], bytea[]
);
-- contract: 0.1.0 calls them with one argument less, which works as before
DROP FUNCTION append_stamped_entries(integer, text[], bytea[], bytea[]);
-- contract: 0.1.0 calls them with one argument less, which works as before
DROP FUNCTION append_event(integer, text, text, bytea, bytea, bytea, boolean);

CREATE FUNCTION append_stamped_events(
    p_shard integer, p_tenants text[], p_event_ids text[], p_fingerprints bytea[],
    p_user_keys bytea[], p_reasons integer[], p_entries bytea[], p_checked bigint DEFAULT NULL,
    OUT epoch bigint, OUT before bigint, OUT accepted_at_us bigint,
    OUT known_sequences bigint[], OUT known_fingerprints bytea[], OUT unchecked bigint
) LANGUAGE plpgsql SET enable_seqscan = off SET plan_cache_mode = force_generic_plan AS $$
#variable_conflict use_column
DECLARE
    v_now   timestamptz;
    v_known bigint;
    v_count bigint;
    v_erasures bigint;
BEGIN
    SELECT s.head, s.epoch, s.erasures INTO before, epoch, v_erasures
        FROM shards s WHERE s.shard = p_shard FOR UPDATE;
    IF v_erasures > 0 AND erased_unchecked(v_erasures, p_checked, p_tenants, p_user_keys) THEN
        unchecked := v_erasures;
        RETURN;
    END IF;
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

CREATE FUNCTION append_stamped_entries(
    p_shard integer, p_tenants text[], p_user_keys bytea[], p_entries bytea[],
    p_checked bigint DEFAULT NULL,
    OUT before bigint, OUT epoch bigint, OUT accepted_at_us bigint,
    OUT unchecked bigint
) LANGUAGE plpgsql AS $$
DECLARE
    -- How an Entry with a slate begins: field 20, a message.
    v_slate constant bytea := '\xa201';
    v_now    timestamptz;
    v_slates boolean;
    v_others boolean;
    v_erasures bigint;
BEGIN
    UPDATE shards s SET head = s.head + cardinality(p_entries)
        WHERE s.shard = p_shard
        RETURNING s.head - cardinality(p_entries), s.epoch, s.erasures
        INTO before, epoch, v_erasures;
    IF v_erasures > 0 AND erased_unchecked(v_erasures, p_checked, p_tenants, p_user_keys) THEN
        UPDATE shards s SET head = before WHERE s.shard = p_shard;
        unchecked := v_erasures;
        RETURN;
    END IF;
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

CREATE FUNCTION append_event(
    p_shard integer, p_tenant text, p_event_id text, p_fingerprint bytea, p_user_key bytea,
    p_entry bytea, p_notify boolean, p_checked bigint DEFAULT NULL,
    OUT epoch bigint, OUT before bigint, OUT accepted_at_us bigint,
    OUT known_sequence bigint, OUT known_fingerprint bytea, OUT unchecked bigint
) LANGUAGE plpgsql SET enable_seqscan = off SET plan_cache_mode = force_generic_plan AS $$
#variable_conflict use_column
DECLARE
    v_now timestamptz;
    v_erasures bigint;
BEGIN
    UPDATE shards s SET head = s.head + 1 WHERE s.shard = p_shard
        RETURNING s.head - 1, s.epoch, s.erasures INTO before, epoch, v_erasures;
    IF v_erasures > 0
            AND erased_unchecked(v_erasures, p_checked, ARRAY[p_tenant], ARRAY[p_user_key]) THEN
        UPDATE shards s SET head = before WHERE s.shard = p_shard;
        unchecked := v_erasures;
        RETURN;
    END IF;
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
