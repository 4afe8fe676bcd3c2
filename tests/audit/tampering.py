"""An audit log that PostgreSQL wrote, and single changes of it by chance."""

import random
import time
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import asyncpg

from services.common.audit.chain import ChainCheck, Fault, Head, Link, hash_after, origin
from services.common.audit.entry import text_of
from services.common.migrations import migrate

SCHEMA = "feedback"
_MIGRATIONS = Path(__file__).parents[2] / "services/feedback/migrations"


async def written_log(dsn: str, count: int) -> tuple[list[Link], float]:
    """Append rows in a fresh database; return them, and the seconds that each took."""
    migrate(dsn, SCHEMA, _MIGRATIONS)
    connection = await asyncpg.connect(dsn, server_settings={"search_path": SCHEMA})
    began = time.perf_counter()
    for number in range(count):
        entry = {
            "phase": "begun", "call": f"{number:032x}", "rpc": "a.B/C", "kind": "operator",
            "tenant": "default", "caller": "key:0a1b2c3d4e5f", "resources": [f"i{number}"],
        }  # fmt: skip
        await connection.execute("SELECT append_audit_entry($1)", text_of(entry))
    seconds = (time.perf_counter() - began) / count
    rows = await connection.fetch("SELECT * FROM audit_entries ORDER BY sequence")
    await connection.close()
    return [Link(*row) for row in rows], seconds


class Tampering(NamedTuple):
    """What was done, the first row that is wrong by it, and what is there now."""

    what: str
    first: int
    rows: list[Link]


def tampered(rows: list[Link], chance: random.Random) -> Tampering:
    """Return a log with one change: of a bit, of rows, or of all hashes from some row on."""
    at = chance.randrange(len(rows))
    one = rows[at]
    before, after = rows[:at], rows[at + 1 :]
    what = chance.choice(
        ["entry", "time", "hash", "taken", "doubled", "put in", "changed about", "cut", "anew"]
    )
    match what:
        case "entry":
            place = chance.randrange(len(one.entry))
            other = chance.choice([c for c in "abcXYZ019" if c != one.entry[place]])
            text = one.entry[:place] + other + one.entry[place + 1 :]
            return Tampering(what, one.sequence, [*before, replace(one, entry=text), *after])
        case "time":
            moved = replace(one, at_us=one.at_us ^ (1 << chance.randrange(50)))
            return Tampering(what, one.sequence, [*before, moved, *after])
        case "hash":
            number, bit = chance.randrange(32), 1 << chance.randrange(8)
            bits = bytes(b ^ (bit if n == number else 0) for n, b in enumerate(one.hash))
            return Tampering(what, one.sequence, [*before, replace(one, hash=bits), *after])
        case "taken":
            return Tampering(what, one.sequence, [*before, *after])
        case "doubled":
            return Tampering(what, one.sequence, [*before, one, one, *after])
        case "put in":
            # Numbered as if it belonged there, with the right hash: what follows does not fit, nor,
            # at the end, the kept head.
            head = before[-1].hash if before else origin(SCHEMA).hash
            own = replace(one, entry="{}", hash=hash_after(head, one.sequence, one.at_us, "{}"))
            moved_on = [replace(row, sequence=row.sequence + 1) for row in (one, *after)]
            return Tampering(what, one.sequence + bool(after), [*before, own, *moved_on])
        case "changed about" if after:
            second = after[0]
            swapped = [
                replace(second, sequence=one.sequence), replace(one, sequence=second.sequence),
            ]  # fmt: skip
            return Tampering(what, one.sequence, [*before, *swapped, *after[1:]])
        case "anew":
            made, head = list(before), before[-1].hash if before else origin(SCHEMA).hash
            for row in (replace(one, entry="{}"), *after):
                head = hash_after(head, row.sequence, row.at_us, row.entry)
                made.append(replace(row, hash=head))
            # Its hashes fit: only the kept head, of the last row, says so.
            return Tampering(what, rows[-1].sequence, made)
        case _:
            return Tampering("cut", one.sequence, before)


def first_fault(rows: list[Link], *known: Head) -> Fault | None:
    """Return what `harken audit verify` finds."""
    check = ChainCheck(SCHEMA, known)
    return next(check.faults(rows), None) or check.fault_at_end()
