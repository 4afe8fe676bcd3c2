-- migrate:up

-- The learner of a shard. A commit compares and sets (term, version): whoever has an older term
-- changes nothing. holder and heartbeat_at only decide when a standby may take over.
CREATE TABLE learners (
    shard        integer PRIMARY KEY,
    term         bigint  NOT NULL DEFAULT 0,
    holder       text    NOT NULL DEFAULT '',
    heartbeat_at timestamptz NOT NULL DEFAULT '-infinity',
    version      bigint  NOT NULL DEFAULT 0,
    sequence     bigint  NOT NULL DEFAULT 0
);
INSERT INTO learners (shard) VALUES (0);

-- frame is a harken.feedback.v1.Frame with all sections.
CREATE TABLE frames (
    shard            integer     NOT NULL,
    version          bigint      NOT NULL,
    epoch            bigint      NOT NULL,
    through_sequence bigint      NOT NULL,
    frame            bytea       NOT NULL,
    committed_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (shard, version)
);

-- A checkpoint is visible once it is complete: all of it is written in one transaction.
CREATE TABLE checkpoints (
    shard            integer     NOT NULL,
    version          bigint      NOT NULL,
    epoch            bigint      NOT NULL,
    through_sequence bigint      NOT NULL,
    chunks           integer     NOT NULL,
    written_at       timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (shard, version)
);

-- content is a harken.feedback.v1.Frame that holds a part of the state.
CREATE TABLE checkpoint_chunks (
    shard   integer NOT NULL,
    version bigint  NOT NULL,
    chunk   integer NOT NULL,
    content bytea   NOT NULL,
    PRIMARY KEY (shard, version, chunk),
    FOREIGN KEY (shard, version) REFERENCES checkpoints ON DELETE CASCADE
);

-- Frames after acked_version are kept for a durable subscriber, also while it is away.
CREATE TABLE subscribers (
    shard         integer     NOT NULL,
    subscriber    text        NOT NULL,
    acked_version bigint      NOT NULL,
    updated_at    timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (shard, subscriber)
);

-- A checkpoint that is being transferred, and the frames after it, are kept until expires_at.
CREATE TABLE snapshot_pins (
    pin        uuid PRIMARY KEY,
    shard      integer     NOT NULL,
    version    bigint      NOT NULL,
    expires_at timestamptz NOT NULL
);

-- migrate:down
