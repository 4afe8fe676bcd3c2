-- migrate:up

-- The audit log: administrative calls, each row chained to the one before it by a hash (see
-- services/common/audit/chain.py). Rows are appended by append_audit_entry and never change. The
-- owner of a table can undo what keeps it so: that shows in `harken audit verify`.
CREATE TABLE audit_entries (
    sequence bigint PRIMARY KEY,
    at_us    bigint NOT NULL,
    entry    text   NOT NULL,
    hash     bytea  NOT NULL
);

-- The lock keeps appends in turn; without it the primary key would still let only one follow
-- another.
CREATE FUNCTION append_audit_entry(p_entry text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    v_sequence bigint;
    v_hash bytea;
    v_at_us bigint;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('harken audit profile'));
    SELECT sequence, hash INTO v_sequence, v_hash
        FROM audit_entries ORDER BY sequence DESC LIMIT 1;
    v_sequence := coalesce(v_sequence, 0) + 1;
    v_hash := coalesce(v_hash, sha256(convert_to('harken audit profile', 'UTF8')));
    v_at_us := (extract(epoch FROM clock_timestamp()) * 1000000)::bigint;
    INSERT INTO audit_entries (sequence, at_us, entry, hash)
        VALUES (v_sequence, v_at_us, p_entry, sha256(
            v_hash || int8send(v_sequence) || int8send(v_at_us) || convert_to(p_entry, 'UTF8')));
    RETURN v_sequence;
END $$;

CREATE FUNCTION refuse_audit_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'rows of the audit log do not change';
END $$;
CREATE TRIGGER audit_entries_stay BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_entries
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_audit_change();

-- Whoever got rights on new tables by default keeps those of reading and appending. Also called after
-- a restore, which makes the table anew.
CREATE FUNCTION keep_audit_entries() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    v_role text;
BEGIN
    FOR v_role IN
        SELECT DISTINCT grantee FROM information_schema.role_table_grants
        WHERE table_schema = 'profile' AND table_name = 'audit_entries'
    LOOP
        EXECUTE format(
            'REVOKE UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER ON profile.audit_entries FROM %I',
            v_role);
    END LOOP;
END $$;
SELECT keep_audit_entries();

-- migrate:down
