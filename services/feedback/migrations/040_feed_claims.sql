-- migrate:up

-- The stream whose acks count: of several with one name, the one that began last. Null: none.
ALTER TABLE subscribers ADD COLUMN stream uuid;

-- migrate:down
