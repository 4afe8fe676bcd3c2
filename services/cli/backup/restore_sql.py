"""The SQL around a restored schema, run in the transaction that restores it."""

from services.cli.backup.manifest import Part

AFTER_ALL = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'
    AND (usename = current_user
         OR (usename || '_owner' = current_user AND pg_has_role(current_user, usesysid, 'MEMBER')));
"""
"""Ends all other sessions of the role, and of the service whose schema it owns, just before the
commit. They wait for our locks by now, and
have plans of tables that are gone; a service that runs on connects anew and reads what is there."""


def dropped(schema: str) -> str:
    """Return what removes the schema that is there."""
    return f"SET client_min_messages = warning;\nDROP SCHEMA IF EXISTS {schema} CASCADE;\n"


def counts_checked(part: Part) -> str:
    """Return what fails when a table has not as many rows as the manifest says."""
    checks = [
        f"""
DO $$ BEGIN
    IF (SELECT count(*) FROM {part.schema}."{table}") <> {rows} THEN
        RAISE EXCEPTION '{part.schema}.{table} has not the {rows} rows of the manifest';
    END IF;
END $$;"""
        for table, rows in part.rows.items()
    ]
    return "\n".join(checks)


def new_epoch(epoch: int) -> str:
    """Return what begins epoch `epoch` of the restored log.

    The epoch of the backup was left at its head, so positions up to there hold and later ones are
    lost.
    """
    return f"""
INSERT INTO feedback.forks (shard, epoch, last_sequence)
    SELECT shard, epoch, head FROM feedback.shards;
UPDATE feedback.shards SET epoch = {epoch};
DELETE FROM feedback.snapshot_pins;
"""


def audit_kept(schema: str) -> str:
    """Return what leaves the processes only the right to read and append to a restored audit log;
    backups of releases without one have none.
    """
    return f"""
DO $$ BEGIN
    IF to_regprocedure('{schema}.keep_audit_entries()') IS NOT NULL THEN
        PERFORM {schema}.keep_audit_entries();
    END IF;
END $$;
"""
