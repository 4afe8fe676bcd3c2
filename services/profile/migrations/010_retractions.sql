-- migrate:up

-- How many events of the user on the item stand; 0: not known, from before retractions.
ALTER TABLE seen_items ADD COLUMN events integer NOT NULL DEFAULT 0;

-- Log sequences of the recent events, int64 little-endian, newest first; shorter than `recent` by
-- events from before retractions.
ALTER TABLE behaviours ADD COLUMN recent_sequences bytea NOT NULL DEFAULT '';

-- migrate:down
