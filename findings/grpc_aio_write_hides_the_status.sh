#!/usr/bin/env bash
# Guess: a client that streams requests and is refused in the middle of it sees the status that the server gave, as
#   with every other gRPC client
# What happens: with grpc.aio a write that fails because the call has ended sets INTERNAL "Internal error from Core"
#   over the status that came (_call.py, _write: set_internal_error), so code, details and trailing metadata of the
#   server are lost, now and then or always, as the size of the requests is. `code()` says the same; awaiting the call
#   afterwards gives the status more often than not. The synchronous client of the same package gives it always, and
#   grpc.aio too when the server reads on until the client has stopped writing: https://github.com/grpc/grpc/issues/36066
# Why it matters: INTERNAL is not tried again, and a RetryInfo or a wrong field cannot be read. As a server, read on for
#   a while before you refuse; as a client of servers that do not, use the synchronous stub, or take this INTERNAL as
#   "not known, try again"
# Seen with: grpcio 1.85.3, 2026-11-28, Python 3.11, Linux x86-64
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv one
one/bin/pip install --quiet --disable-pip-version-check grpcio==1.85.3
cat > server.py <<'PY'
import asyncio, grpc
async def refuse(requests, context):
    await context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "come back later")
async def read_first(requests, context):
    async for _ in requests:
        pass
    await refuse(requests, context)
async def main():
    server = grpc.aio.server()
    handlers = {"At": grpc.stream_unary_rpc_method_handler(refuse), "Read": grpc.stream_unary_rpc_method_handler(read_first)}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("s.S", handlers),))
    print(server.add_insecure_port("127.0.0.1:0"), flush=True)
    await server.start()
    await server.wait_for_termination(60)
asyncio.run(main())
PY
cat > client.py <<'PY'
import asyncio, collections, sys, grpc
target, tries, requests = f"127.0.0.1:{sys.argv[1]}", 50, [bytes(256 * 1024)] * 20
async def written(channel, method):
    call = channel.stream_unary(method)()
    try:
        for request in requests:
            await call.write(request)
        await call.done_writing()
        await call
    except grpc.RpcError as error:
        return error.code().name, error.details()
async def asynchronous(method):
    async with grpc.aio.insecure_channel(target) as channel:
        return collections.Counter([await written(channel, method) for _ in range(tries)])
def synchronous(method):
    found = collections.Counter()
    with grpc.insecure_channel(target) as channel:
        for _ in range(tries):
            try:
                channel.stream_unary(method)(iter(requests))
            except grpc.RpcError as error:
                found[error.code().name, error.details()] += 1
    return found
told, lost = ("RESOURCE_EXHAUSTED", "come back later"), ("INTERNAL", "Internal error from Core")
at_once, read, sync = asyncio.run(asynchronous("/s.S/At")), asyncio.run(asynchronous("/s.S/Read")), synchronous("/s.S/At")
for name, found in (("grpc.aio", at_once), ("grpc.aio, server reads first", read), ("synchronous", sync)):
    print("grpcio", grpc.__version__, name, dict(found))
assert at_once[lost] > 0 and set(at_once) <= {lost, told}, at_once
assert set(read) == {told}, read
assert set(sync) == {told}, sync
PY
one/bin/python server.py > port & server=$!
while ! [ -s port ]; do sleep 0.1; done
one/bin/python client.py "$(cat port)"
kill $server
