-- migrate:up

-- Who is merged into whom as of the latest link in the log; into_key null: by itself again.
CREATE TABLE user_links (
    tenant   text   NOT NULL,
    from_key bytea  NOT NULL,
    into_key bytea,
    revision bigint NOT NULL,
    PRIMARY KEY (tenant, from_key)
);
CREATE INDEX user_links_into ON user_links (tenant, into_key) WHERE into_key IS NOT NULL;

-- migrate:down
