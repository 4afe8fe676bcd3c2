#!/bin/sh
# Run once, when the data folder is new: the roles of the two services, each with a schema of its own
# to come, on the database that POSTGRES_DB names.
set -eu
psql --no-psqlrc --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" \
  --set feedback="$FEEDBACK_PASSWORD" --set profile="$PROFILE_PASSWORD" --set db="$POSTGRES_DB" <<'SQL'
CREATE ROLE harken_feedback LOGIN PASSWORD :'feedback';
CREATE ROLE harken_profile LOGIN PASSWORD :'profile';
REVOKE ALL ON DATABASE :"db" FROM PUBLIC;
GRANT CREATE, CONNECT ON DATABASE :"db" TO harken_feedback, harken_profile;
REVOKE ALL ON SCHEMA public FROM PUBLIC;
SQL
