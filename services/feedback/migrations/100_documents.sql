-- migrate:up

-- What is configured by name, all revisions of it. kind: surface, experiment. body is the message of
-- this kind, serialized; empty: this revision is a deletion. A row and its entry in the log, a
-- LoggedDocument, are committed together.
CREATE TABLE documents (
    tenant   text        NOT NULL,
    kind     text        NOT NULL,
    name     text COLLATE "C" NOT NULL,
    revision bigint      NOT NULL,
    body     bytea       NOT NULL,
    note     text        NOT NULL,
    put_at   timestamptz NOT NULL,
    newest   boolean     NOT NULL,
    PRIMARY KEY (tenant, kind, name, revision)
);
CREATE UNIQUE INDEX documents_newest ON documents (tenant, kind, name) WHERE newest;

-- migrate:down
