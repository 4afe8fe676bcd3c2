-- migrate:up

-- Sequence of the log entry that retracted the event; null: it stands.
ALTER TABLE event_ids ADD COLUMN retracted_sequence bigint;

-- Which entries of the log are retracted, for whoever reads the log.
CREATE TABLE retractions (
    shard          integer NOT NULL,
    event_sequence bigint  NOT NULL,
    sequence       bigint  NOT NULL,
    PRIMARY KEY (shard, event_sequence)
);

-- migrate:down
