-- migrate:up

-- withdrawn: a model of it failed; no rollback goes back to it.
ALTER TABLE generations ADD COLUMN withdrawn boolean NOT NULL DEFAULT false;

-- migrate:down
