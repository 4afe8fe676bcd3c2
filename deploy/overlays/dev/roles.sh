#!/bin/sh
# Run once, when the data folder is new, on the database that POSTGRES_DB names.
set -eu
psql --no-psqlrc --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" \
  --set feedback="$FEEDBACK_PASSWORD" --set feedback_owner="$FEEDBACK_OWNER_PASSWORD" \
  --set profile="$PROFILE_PASSWORD" --set profile_owner="$PROFILE_OWNER_PASSWORD" \
  --file /etc/harken-roles/roles.sql
