-- migrate:up

-- Which purposes users granted and denied as of their latest fact in the log, as numbers of
-- services/common/consent.py: exports go by it.
ALTER TABLE user_fact_revisions
    ADD COLUMN granted smallint NOT NULL DEFAULT 0,
    ADD COLUMN denied smallint NOT NULL DEFAULT 0;

-- migrate:down
