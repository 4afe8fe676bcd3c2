#!/usr/bin/env bash
# Guess: the health servicer that comes with gRPC's Python package answers all three RPCs of the proto in the same
#   package: Check, Watch and List
# What happens: it has no List. The generated base class answers UNIMPLEMENTED and raises NotImplementedError, which
#   grpc.aio takes for a fault of the handler: the details say "Unexpected <class 'NotImplementedError'>", and each call
#   is logged as an ERROR with a traceback
# Why it matters: what lists the health of all services finds nothing, and alerts on logged errors ring for a question.
#   Ask Check by name, and answer List yourself, or refuse it before the servicer
# Seen with: grpcio-health-checking 1.85.1, grpcio 1.85.3, 2026-11-29, Python 3.11, Linux x86-64
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv one
one/bin/pip install --quiet --disable-pip-version-check grpcio==1.85.3 grpcio-health-checking==1.85.1
cat > try.py <<'PY'
import asyncio, logging, grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1._async import HealthServicer
seen = []
class Keep(logging.Handler):
    def emit(self, record):
        seen.append((record.levelname, record.exc_info[0].__name__ if record.exc_info else ""))
async def main():
    logging.getLogger().addHandler(Keep())
    server, servicer = grpc.aio.server(), HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    await servicer.set("one", health_pb2.HealthCheckResponse.SERVING)
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        checked = await stub.Check(health_pb2.HealthCheckRequest(service="one"))
        print("Check:", health_pb2.HealthCheckResponse.ServingStatus.Name(checked.status))
        try:
            print("List:", await stub.List(health_pb2.HealthListRequest()))
        except grpc.aio.AioRpcError as error:
            print("List:", error.code().name, error.details(), seen)
            assert error.code() is grpc.StatusCode.UNIMPLEMENTED, error
            assert "NotImplementedError" in str(error.details()), error
    assert ("ERROR", "NotImplementedError") in seen, seen
    await server.stop(0)
asyncio.run(main())
PY
one/bin/python try.py
