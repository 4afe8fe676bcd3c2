-- The roles of Harken in the database that psql is connected to; may be run again, and for a database
-- of an earlier release that had one role a service (then also see deploy/upgrades.md).
--
--   psql --set feedback=... --set feedback_owner=... --set profile=... --set profile_owner=... \
--     --file roles.sql postgresql://administrator@host/harken
--
-- Each service has two. The owner makes its schema (migrations, restores). The process itself reads and
-- writes rows, and can change no table, and nothing of the other service's.
\set ON_ERROR_STOP 1
SELECT format('CREATE ROLE %I LOGIN', role)
    FROM unnest(ARRAY['harken_feedback', 'harken_feedback_owner',
                      'harken_profile', 'harken_profile_owner']) AS role
    WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = role) \gexec
ALTER ROLE harken_feedback PASSWORD :'feedback';
ALTER ROLE harken_feedback_owner PASSWORD :'feedback_owner';
ALTER ROLE harken_profile PASSWORD :'profile';
ALTER ROLE harken_profile_owner PASSWORD :'profile_owner';

REVOKE ALL ON DATABASE :"DBNAME" FROM PUBLIC, harken_feedback, harken_profile;
REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT CONNECT ON DATABASE :"DBNAME" TO harken_feedback, harken_profile;
GRANT CONNECT, CREATE ON DATABASE :"DBNAME" TO harken_feedback_owner, harken_profile_owner;

-- A restore ends the sessions of the processes.
GRANT harken_feedback TO harken_feedback_owner;
GRANT harken_profile TO harken_profile_owner;

-- What owners will make. The audit log takes all but reading and appending back.
ALTER DEFAULT PRIVILEGES FOR ROLE harken_feedback_owner GRANT USAGE ON SCHEMAS TO harken_feedback;
ALTER DEFAULT PRIVILEGES FOR ROLE harken_feedback_owner
    GRANT SELECT, INSERT, UPDATE, DELETE, TRUNCATE ON TABLES TO harken_feedback;
ALTER DEFAULT PRIVILEGES FOR ROLE harken_feedback_owner
    GRANT USAGE, SELECT ON SEQUENCES TO harken_feedback;
ALTER DEFAULT PRIVILEGES FOR ROLE harken_profile_owner GRANT USAGE ON SCHEMAS TO harken_profile;
ALTER DEFAULT PRIVILEGES FOR ROLE harken_profile_owner
    GRANT SELECT, INSERT, UPDATE, DELETE, TRUNCATE ON TABLES TO harken_profile;
ALTER DEFAULT PRIVILEGES FOR ROLE harken_profile_owner
    GRANT USAGE, SELECT ON SEQUENCES TO harken_profile;
