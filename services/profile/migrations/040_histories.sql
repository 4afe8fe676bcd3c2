-- migrate:up

-- How far the log's entries are applied. Moves in the transaction that applies them, so that each
-- takes effect exactly once, whatever is sent again. At the beginning: all that follows from
-- entries is made anew from the log.
CREATE TABLE entries_cursor (
    shard    integer PRIMARY KEY,
    epoch    bigint NOT NULL,
    sequence bigint NOT NULL
);
INSERT INTO entries_cursor (shard, epoch, sequence) VALUES (0, 0, 0);

-- How far frames, of which learned vectors come, are applied.
CREATE TABLE learned_cursor (
    shard            integer PRIMARY KEY,
    epoch            bigint NOT NULL,
    version          bigint NOT NULL,
    through_sequence bigint NOT NULL
);
INSERT INTO learned_cursor (shard, epoch, version, through_sequence) VALUES (0, 0, 0, 0);

-- What users did. `types`: types of events, in the order of their first one, divided by zero
-- characters. `tail`: the newest events, as services/profile/domain/history_codec.py packs them. It
-- comes last, and there is no other index, and room in the pages: an event updates a row where it
-- is, and the write-ahead log has little more than the event.
CREATE TABLE histories (
    id       bigint GENERATED ALWAYS AS IDENTITY,
    tenant   text   COLLATE "C" NOT NULL,
    user_key bytea  NOT NULL,
    types    bytea  NOT NULL,
    tail     bytea  NOT NULL,
    PRIMARY KEY (tenant, user_key)
) WITH (fillfactor = 80);
ALTER TABLE histories ALTER COLUMN tail SET STORAGE PLAIN;

-- Earlier events, many at once: `rows` of them, with sequences from first to last.
CREATE TABLE history_chunks (
    history_id     bigint  NOT NULL,
    last_sequence  bigint  NOT NULL,
    first_sequence bigint  NOT NULL,
    rows           integer NOT NULL,
    packed         bytea   NOT NULL,
    PRIMARY KEY (history_id, last_sequence)
);
ALTER TABLE history_chunks ALTER COLUMN packed SET STORAGE EXTERNAL;

-- Vectors that backends set, float32 little-endian, while they stand.
CREATE TABLE set_vectors (
    tenant        text    COLLATE "C" NOT NULL,
    user_key      bytea   NOT NULL,
    generation_id text    COLLATE "C" NOT NULL,
    pinned        boolean NOT NULL,
    vector        bytea   NOT NULL,
    PRIMARY KEY (tenant, user_key)
);
ALTER TABLE set_vectors ALTER COLUMN vector SET STORAGE EXTERNAL;

-- The latest vectors that were learned, float16 little-endian.
CREATE TABLE learned_vectors (
    tenant        text  COLLATE "C" NOT NULL,
    user_key      bytea NOT NULL,
    generation_id text  COLLATE "C" NOT NULL,
    vector        bytea NOT NULL,
    PRIMARY KEY (tenant, user_key)
) WITH (fillfactor = 90);
ALTER TABLE learned_vectors ALTER COLUMN vector SET STORAGE EXTERNAL;

-- What was made of frames that held events is made again from the log.
-- contract: 0.1.0 begins anew, nothing earlier runs beside it
DROP TABLE behaviours, seen_items, event_types, feed_cursor;

-- migrate:down
