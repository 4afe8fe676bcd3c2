-- migrate:up

-- Types of events by the code that `seen_items.happened` has for them. Never changed, never deleted.
CREATE TABLE event_types (
    code smallint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    type text COLLATE "C" NOT NULL UNIQUE
);

-- The events of the user on the item, as services/profile/domain/seen_events.py packs them. Where
-- they are fewer than `events`, the rest was applied by an earlier release: its types are not known.
ALTER TABLE seen_items ADD COLUMN happened bytea NOT NULL DEFAULT '';

-- migrate:down
