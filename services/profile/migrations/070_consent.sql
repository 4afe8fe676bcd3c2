-- migrate:up

-- What users agreed to: a harken.common.v1.Consent, empty when nothing was decided; and which
-- purposes of it are granted and denied, as numbers of services/common/consent.py.
ALTER TABLE attributes
    ADD COLUMN consent bytea NOT NULL DEFAULT '',
    ADD COLUMN granted smallint NOT NULL DEFAULT 0,
    ADD COLUMN denied smallint NOT NULL DEFAULT 0;
ALTER TABLE user_fact_outbox ADD COLUMN consent bytea NOT NULL DEFAULT '';

-- migrate:down
