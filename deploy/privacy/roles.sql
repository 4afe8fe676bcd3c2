-- The roles of the vault in the database that psql is connected to; may be run again.
--
--   psql --set keys=... --set keys_owner=... --file roles.sql postgresql://administrator@host/harken
--
-- As each service has two (deploy/overlays/dev/roles.sql): the owner makes the schema `keys`, processes read
-- and write its rows. Neither can do anything with what the services store, nor they with the vault.
\set ON_ERROR_STOP 1
SELECT format('CREATE ROLE %I LOGIN', role)
    FROM unnest(ARRAY['harken_keys', 'harken_keys_owner']) AS role
    WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = role) \gexec
ALTER ROLE harken_keys PASSWORD :'keys';
ALTER ROLE harken_keys_owner PASSWORD :'keys_owner';

REVOKE ALL ON DATABASE :"DBNAME" FROM PUBLIC, harken_keys;
REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT CONNECT ON DATABASE :"DBNAME" TO harken_keys;
GRANT CONNECT, CREATE ON DATABASE :"DBNAME" TO harken_keys_owner;

ALTER DEFAULT PRIVILEGES FOR ROLE harken_keys_owner GRANT USAGE ON SCHEMAS TO harken_keys;
ALTER DEFAULT PRIVILEGES FOR ROLE harken_keys_owner
    GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO harken_keys;
