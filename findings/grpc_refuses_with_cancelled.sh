#!/usr/bin/env bash
# Guess: a server with grpc.server.max_pending_requests refuses what is too much as RESOURCE_EXHAUSTED or UNAVAILABLE,
#   which clients retry
# What happens: CANCELLED, the status of a caller that hung up, and never one of the two
# Why it matters: retry policies leave CANCELLED alone, and dashboards count it as the fault of the caller: shed in the
#   application, and set these limits (5,000 and more) where they are never reached
# Seen with: grpcio 1.85.1, 2026-11-28, Python 3.11, Linux x86-64
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv one
one/bin/pip install --quiet --disable-pip-version-check grpcio==1.85.1
cat > server.py <<'PY'
import asyncio, sys, time, grpc
async def slow(request, context):
    time.sleep(0.05)  # busy, so that calls wait inside gRPC
    return request
async def main():
    server = grpc.aio.server(options=[("grpc.server.max_pending_requests", 5), ("grpc.server.max_pending_requests_hard_limit", 10)])
    handler = grpc.unary_unary_rpc_method_handler(slow)
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("s.S", {"M": handler}),))
    print(server.add_insecure_port("127.0.0.1:0"), flush=True)
    await server.start()
    await server.wait_for_termination(20)
asyncio.run(main())
PY
cat > client.py <<'PY'
import asyncio, collections, sys, grpc
async def main():
    async with grpc.aio.insecure_channel(f"127.0.0.1:{sys.argv[1]}") as channel:
        call = channel.unary_unary("/s.S/M")
        await call(b"")
        done = await asyncio.gather(*(call(b"", timeout=15) for _ in range(100)), return_exceptions=True)
    found = collections.Counter(one.code().name if isinstance(one, grpc.aio.AioRpcError) else "OK" for one in done)
    print("grpcio", grpc.__version__, dict(found))
    assert set(found) == {"OK", "CANCELLED"}, found
asyncio.run(main())
PY
one/bin/python server.py > port & server=$!
while ! [ -s port ]; do sleep 0.1; done
one/bin/python client.py "$(cat port)"
kill $server
