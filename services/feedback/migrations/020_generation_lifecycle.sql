-- migrate:up

-- serve_now: a staged generation serves as soon as it is built. changed_at: of the state.
-- validation, guard: harken.feedback.v1.LiveComparison, noted by the learner.
ALTER TABLE generations
    ADD COLUMN serve_now        boolean     NOT NULL DEFAULT false,
    ADD COLUMN changed_at       timestamptz NOT NULL DEFAULT now(),
    ADD COLUMN activated_at     timestamptz,
    ADD COLUMN retired_reason   text        NOT NULL DEFAULT '',
    ADD COLUMN validation       bytea,
    ADD COLUMN guard            bytea,
    ADD COLUMN vector_rollbacks bigint      NOT NULL DEFAULT 0;
UPDATE generations SET activated_at = published_at WHERE state = 2;
CREATE UNIQUE INDEX generations_staged ON generations (tenant) WHERE state = 3;
CREATE UNIQUE INDEX generations_standby ON generations (tenant) WHERE state = 4;

-- migrate:down
