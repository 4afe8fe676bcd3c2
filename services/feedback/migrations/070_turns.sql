-- migrate:up

-- The session of PostgreSQL that leads, while session_term is the term: whoever stands by takes over
-- when it is gone. Not an advisory lock: those of a database are there for every role of it.
ALTER TABLE learners
    ADD COLUMN session_term  bigint NOT NULL DEFAULT 0,
    ADD COLUMN session_pid   integer,
    ADD COLUMN session_start timestamptz;

-- Rows that are only locked, to the end of a transaction: nobody but us can reach them.
CREATE TABLE turns (name text COLLATE "C" PRIMARY KEY);

-- Waits for the turn of a name, which others may share when p_shared.
CREATE FUNCTION take_turn(p_name text, p_shared boolean DEFAULT false) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    LOOP
        IF p_shared THEN
            PERFORM FROM feedback.turns t WHERE t.name = p_name FOR SHARE;
        ELSE
            PERFORM FROM feedback.turns t WHERE t.name = p_name FOR UPDATE;
        END IF;
        EXIT WHEN FOUND;
        INSERT INTO feedback.turns (name) VALUES (p_name) ON CONFLICT DO NOTHING;
    END LOOP;
END $$;

-- Waits for the turn to change the catalogue of a tenant, and then for release 0.1, which may run
-- beside us and has an advisory lock for it: as anybody may hold that, not for long.
CREATE FUNCTION take_catalogue_turn(p_tenant text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    v_timeout text := current_setting('lock_timeout');
BEGIN
    PERFORM feedback.take_turn('catalogue/' || p_tenant);
    BEGIN
        PERFORM set_config('lock_timeout', '250ms', true);
        PERFORM pg_advisory_xact_lock(hashtextextended('catalogue/' || p_tenant, 0));
    EXCEPTION WHEN lock_not_available THEN
        NULL;
    END;
    PERFORM set_config('lock_timeout', v_timeout, true);
END $$;

-- migrate:down
