"""What cannot be beaten: bare answers of grpc.aio, and one pooled INSERT for each call.

    python floor.py DSN        then a line of JSON: the answers, {"record": HEX, "slate": HEX}

Prints the target that it serves /floor/Record, /floor/Slate (echoes), /floor/Insert (a commit each)
and /floor/Inserts on (callers and seconds; INSERTs a second of that many without gRPC).
"""

import asyncio
import json
import sys
import time
from typing import Any

import asyncpg
import grpc
import uvloop

_POOL = 10
_INSERT = "INSERT INTO floor (payload) VALUES ($1)"
_TABLE = "CREATE TABLE IF NOT EXISTS floor (id bigserial PRIMARY KEY, payload bytea NOT NULL)"


async def main(dsn: str) -> None:
    """Serve until standard input ends."""
    loop = asyncio.get_running_loop()
    answers = json.loads(await loop.run_in_executor(None, sys.stdin.readline))
    recorded, slate = bytes.fromhex(answers["record"]), bytes.fromhex(answers["slate"])
    async with asyncpg.create_pool(dsn, min_size=_POOL, max_size=_POOL) as pool:
        await pool.execute(_TABLE)

        async def record(_request: bytes, _context: Any) -> bytes:
            return recorded

        async def recommend(_request: bytes, _context: Any) -> bytes:
            return slate

        async def insert(request: bytes, _context: Any) -> bytes:
            await pool.execute(_INSERT, request)
            return recorded

        async def inserts(request: bytes, _context: Any) -> bytes:
            asked = json.loads(request)
            return json.dumps(await _inserts(pool, **asked)).encode()

        methods = {"Record": record, "Slate": recommend, "Insert": insert, "Inserts": inserts}
        server = grpc.aio.server()
        handlers: dict[str, Any] = {
            name: grpc.unary_unary_rpc_method_handler(one) for name, one in methods.items()
        }
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("floor", handlers),))
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        print(f"127.0.0.1:{port}", flush=True)
        while await loop.run_in_executor(None, sys.stdin.readline):
            pass
        await server.stop(1.0)


async def _inserts(pool: Any, callers: int, seconds: float, size: int) -> float:
    done = 0
    began = time.perf_counter()
    payload = bytes(size)

    async def caller() -> None:
        nonlocal done
        while time.perf_counter() - began < seconds:
            await pool.execute(_INSERT, payload)
            done += 1

    await asyncio.gather(*(caller() for _ in range(callers)))
    return done / (time.perf_counter() - began)


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1]))
