-- migrate:up

-- item is a harken.feedback.v1.Item.
CREATE TABLE items (
    tenant     text        NOT NULL,
    item_id    text COLLATE "C" NOT NULL,
    item       bytea       NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (tenant, item_id)
);

-- manifest is a harken.feedback.v1.GenerationManifest; state a number of GenerationState.
CREATE TABLE generations (
    tenant        text        NOT NULL,
    generation_id text        NOT NULL,
    manifest      bytea       NOT NULL,
    state         integer     NOT NULL,
    published_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant, generation_id)
);
CREATE UNIQUE INDEX generations_active ON generations (tenant) WHERE state = 2;

CREATE TABLE generation_chunks (
    tenant        text    NOT NULL,
    generation_id text    NOT NULL,
    name          text    NOT NULL,
    chunk         integer NOT NULL,
    data          bytea   NOT NULL,
    PRIMARY KEY (tenant, generation_id, name, chunk),
    FOREIGN KEY (tenant, generation_id) REFERENCES generations ON DELETE CASCADE
);

-- Highest revision of a user's facts that is in the log.
CREATE TABLE user_fact_revisions (
    tenant   text   NOT NULL,
    user_key bytea  NOT NULL,
    revision bigint NOT NULL,
    PRIMARY KEY (tenant, user_key)
);

-- migrate:down
