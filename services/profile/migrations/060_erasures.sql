-- migrate:up

-- Erasures: those asked for here, on their way to the log and through it, and all that the log told
-- of. tombstone: SHA-256 of the user key, which itself goes when nothing is left to be done
-- (finished). position, sequence, erased_at_us: where the log has it; null: not yet. counts: what was
-- deleted here, once it was applied; told: the log has our receipt.
CREATE TABLE erasures (
    erasure_id   text COLLATE "C" PRIMARY KEY,
    tenant       text COLLATE "C" NOT NULL,
    user_key     bytea,
    tombstone    bytea       NOT NULL,
    note         text        NOT NULL DEFAULT '',
    requested_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    position     bytea,
    sequence     bigint,
    erased_at_us bigint,
    applied_at   timestamptz,
    counts       jsonb,
    told         boolean     NOT NULL DEFAULT false,
    finished     boolean     NOT NULL DEFAULT false
);
CREATE UNIQUE INDEX erasures_waiting ON erasures (tenant, tombstone)
    WHERE position IS NULL AND user_key IS NOT NULL;
CREATE INDEX erasures_by_user ON erasures (tenant, tombstone);
CREATE INDEX erasures_by_time ON erasures (tenant, requested_at, erasure_id);

-- migrate:down
