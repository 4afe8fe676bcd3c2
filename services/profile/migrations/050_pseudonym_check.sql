-- migrate:up

-- Which key stored keys of users were made with: a value that tells keys apart and says nothing of
-- them. No row: stored keys are ids.
CREATE TABLE pseudonym_check (
    one         boolean PRIMARY KEY DEFAULT true CHECK (one),
    check_value bytea   NOT NULL
);

-- Attributes as AES-256-GCM under the user's key (services/common/vault/sealing.py) of what the column
-- attributes has otherwise; that one is '{}' then.
ALTER TABLE attributes ADD COLUMN sealed bytea;
ALTER TABLE user_fact_outbox ADD COLUMN sealed bytea;

-- migrate:down
