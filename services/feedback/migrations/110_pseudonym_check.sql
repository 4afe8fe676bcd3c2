-- migrate:up

-- Which key stored keys of users were made with: a value that tells keys apart and says nothing of
-- them. No row: stored keys are ids.
CREATE TABLE pseudonym_check (
    one         boolean PRIMARY KEY DEFAULT true CHECK (one),
    check_value bytea   NOT NULL
);

-- migrate:down
