-- migrate:up

-- Whoever must have every entry follows the log, which is never forgotten: frames wait for nobody.
DROP TABLE subscribers;

-- migrate:down
