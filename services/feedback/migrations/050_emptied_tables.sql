-- migrate:up

-- Frames and the chunks of checkpoints are written once and all go again: most of what is written
-- to disk. Deleting rows would write every page again; emptying a table writes next to nothing. So
-- they live in children of the tables from before, which take turns. Whoever reads the parent reads
-- them all. Rows in the parents are from earlier releases.
--
-- Their pages are never vacuumed for rows that were only inserted: they go before that pays.

-- Versions of a child: version / 4096 % 8 is its number.
CREATE TABLE frames_0 (PRIMARY KEY (shard, version)) INHERITS (frames) WITH (
    autovacuum_vacuum_insert_threshold = -1, toast.autovacuum_vacuum_insert_threshold = -1);
CREATE TABLE frames_1 (PRIMARY KEY (shard, version)) INHERITS (frames) WITH (
    autovacuum_vacuum_insert_threshold = -1, toast.autovacuum_vacuum_insert_threshold = -1);
CREATE TABLE frames_2 (PRIMARY KEY (shard, version)) INHERITS (frames) WITH (
    autovacuum_vacuum_insert_threshold = -1, toast.autovacuum_vacuum_insert_threshold = -1);
CREATE TABLE frames_3 (PRIMARY KEY (shard, version)) INHERITS (frames) WITH (
    autovacuum_vacuum_insert_threshold = -1, toast.autovacuum_vacuum_insert_threshold = -1);
CREATE TABLE frames_4 (PRIMARY KEY (shard, version)) INHERITS (frames) WITH (
    autovacuum_vacuum_insert_threshold = -1, toast.autovacuum_vacuum_insert_threshold = -1);
CREATE TABLE frames_5 (PRIMARY KEY (shard, version)) INHERITS (frames) WITH (
    autovacuum_vacuum_insert_threshold = -1, toast.autovacuum_vacuum_insert_threshold = -1);
CREATE TABLE frames_6 (PRIMARY KEY (shard, version)) INHERITS (frames) WITH (
    autovacuum_vacuum_insert_threshold = -1, toast.autovacuum_vacuum_insert_threshold = -1);
CREATE TABLE frames_7 (PRIMARY KEY (shard, version)) INHERITS (frames) WITH (
    autovacuum_vacuum_insert_threshold = -1, toast.autovacuum_vacuum_insert_threshold = -1);

-- A checkpoint takes a child that is empty.
CREATE TABLE checkpoint_chunks_0 (PRIMARY KEY (shard, version, chunk)) INHERITS (checkpoint_chunks)
    WITH (autovacuum_vacuum_insert_threshold = -1, toast.autovacuum_vacuum_insert_threshold = -1);
CREATE TABLE checkpoint_chunks_1 (PRIMARY KEY (shard, version, chunk)) INHERITS (checkpoint_chunks)
    WITH (autovacuum_vacuum_insert_threshold = -1, toast.autovacuum_vacuum_insert_threshold = -1);
CREATE TABLE checkpoint_chunks_2 (PRIMARY KEY (shard, version, chunk)) INHERITS (checkpoint_chunks)
    WITH (autovacuum_vacuum_insert_threshold = -1, toast.autovacuum_vacuum_insert_threshold = -1);

-- migrate:down
