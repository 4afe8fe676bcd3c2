#!/bin/sh
# Run once, when the data folder is new: the roles of the two services and of the vault, each with a
# schema of its own to come, on the database that POSTGRES_DB names. Without a password nobody is the
# vault's, which only the component `privacy` needs.
set -eu
psql --no-psqlrc --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" \
  --set feedback="$FEEDBACK_PASSWORD" --set profile="$PROFILE_PASSWORD" --set keys="${KEYS_PASSWORD:-}" \
  --set db="$POSTGRES_DB" <<'SQL'
CREATE ROLE harken_feedback LOGIN PASSWORD :'feedback';
CREATE ROLE harken_profile LOGIN PASSWORD :'profile';
CREATE ROLE harken_keys LOGIN PASSWORD :'keys';
REVOKE ALL ON DATABASE :"db" FROM PUBLIC;
GRANT CREATE, CONNECT ON DATABASE :"db" TO harken_feedback, harken_profile, harken_keys;
REVOKE ALL ON SCHEMA public FROM PUBLIC;
SQL
