-- migrate:up

-- How far the feed is applied. Moves in the transaction that applies the frames, so that each frame
-- takes effect exactly once, whatever is sent again.
CREATE TABLE feed_cursor (
    shard            integer PRIMARY KEY,
    epoch            bigint NOT NULL,
    version          bigint NOT NULL,
    through_sequence bigint NOT NULL
);
INSERT INTO feed_cursor (shard, epoch, version, through_sequence) VALUES (0, 0, 0, 0);

-- Vectors of a generation that are not of this shape are refused. max_norm is unknown until its
-- activation was seen.
CREATE TABLE generation_shapes (
    tenant        text    COLLATE "C" NOT NULL,
    generation_id text    COLLATE "C" NOT NULL,
    dimension     integer NOT NULL,
    max_norm      real,
    PRIMARY KEY (tenant, generation_id)
);

-- What users did, and the vector made from it: all of it is a fold of the feed.
-- recent is a harken.profile.v1.UserState with nothing but recent events, newest first; vector is
-- float32 [dimension], little-endian. Times are unix microseconds.
-- There is no other index, and room in the pages: an event updates a row where it is.
CREATE TABLE behaviours (
    tenant         text   COLLATE "C" NOT NULL,
    user_key       bytea  NOT NULL,
    recent         bytea  NOT NULL,
    vector         bytea,
    generation_id  text   NOT NULL,
    events         bigint NOT NULL,
    events_by_type jsonb  NOT NULL,
    distinct_items bigint NOT NULL,
    first_event_us bigint,
    last_event_us  bigint,
    PRIMARY KEY (tenant, user_key)
) WITH (fillfactor = 75);

-- One row per item that a user had an event on.
CREATE TABLE seen_items (
    tenant         text   COLLATE "C" NOT NULL,
    user_key       bytea  NOT NULL,
    item_id        text   COLLATE "C" NOT NULL,
    first_sequence bigint NOT NULL,
    last_sequence  bigint NOT NULL,
    last_event_us  bigint NOT NULL,
    PRIMARY KEY (tenant, user_key, item_id)
);

-- Attributes that backends set. revision grows with every change of the user.
CREATE TABLE attributes (
    tenant     text        COLLATE "C" NOT NULL,
    user_key   bytea       NOT NULL,
    attributes jsonb       NOT NULL,
    revision   bigint      NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (tenant, user_key)
);

-- Facts about users on their way to the log. A row goes when feedback has it.
CREATE TABLE user_fact_outbox (
    id         bigint      GENERATED ALWAYS AS IDENTITY,
    tenant     text        COLLATE "C" NOT NULL,
    user_key   bytea       NOT NULL,
    revision   bigint      NOT NULL,
    attributes jsonb       NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant, id)
);

-- migrate:down
