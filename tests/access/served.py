"""A server of every RPC there is, behind the real gate; handlers answer OK and nothing else."""

import contextlib
import importlib
import json
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
from google.protobuf import descriptor, message_factory
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection_pb2
from prometheus_client import CollectorRegistry

import harken
from services.common.access.api_keys import ApiKey, create_key, write_keys
from services.common.access.process_access import ProcessAccess, process_access
from services.common.call_limits import CallLimits
from services.common.reloadable import Reloadable
from services.common.server import Server
from services.common.service_settings import ServiceSettings
from tests.access.authority import Authority
from tests.access.tokens import AUDIENCE, ISSUER, Issuer

LIBRARIES = (health_pb2, reflection_pb2)
"""What we serve that is not ours."""


def services() -> Iterator[descriptor.ServiceDescriptor]:
    """Yield all services of our protos, and those of libraries that every process serves."""
    (root,) = harken.__path__
    files = [
        importlib.import_module(
            ".".join(("harken", *path.relative_to(root).with_suffix("").parts))
        ).DESCRIPTOR
        for path in sorted(Path(root).rglob("*_pb2.py"))
    ]
    for file in (*files, *(one.DESCRIPTOR for one in LIBRARIES)):
        yield from file.services_by_name.values()


def methods() -> dict[str, descriptor.MethodDescriptor]:
    """Return all methods by their path."""
    return {
        f"/{service.full_name}/{method.name}": method
        for service in services()
        for method in service.methods
    }


def request_type(method: descriptor.MethodDescriptor) -> Any:
    return message_factory.GetMessageClass(method.input_type)


async def _one(_request: Any, _context: Any) -> bytes:
    return b""


async def _stream(_request: Any, _context: Any) -> AsyncIterator[bytes]:
    yield b""


async def _read(requests: Any, _context: Any) -> bytes:
    async for _ in requests:
        pass
    return b""


async def _both(requests: Any, _context: Any) -> AsyncIterator[bytes]:
    async for _ in requests:
        pass
    yield b""


def _handler(method: descriptor.MethodDescriptor) -> Any:
    parse = request_type(method).FromString
    match method.client_streaming, method.server_streaming:
        case False, False:
            return grpc.unary_unary_rpc_method_handler(_one, parse)
        case False, True:
            return grpc.unary_stream_rpc_method_handler(_stream, parse)
        case True, False:
            return grpc.stream_unary_rpc_method_handler(_read, parse)
        case _:
            return grpc.stream_stream_rpc_method_handler(_both, parse)


@dataclass
class Served:
    """Where it listens, and who there is."""

    certificates: str
    tokens: str
    health: str
    authority: Authority
    issuer: Issuer
    folder: Path
    keys: list[ApiKey]
    access: ProcessAccess

    def key(self, principal: str, **changes: Any) -> str:
        """Add a key to the file, with changes of what is kept, and return it."""
        kept, shown = create_key(principal, 1, "", time.time())
        self.keys.append(ApiKey(**{name: changes.get(name, getattr(kept, name))
                                   for name in ApiKey.__slots__}))  # fmt: skip
        write_keys(self.folder / "keys.json", self.keys)
        return shown


class _Settings(ServiceSettings):
    listen: Any = "127.0.0.1:0"
    metrics_listen: Any = "127.0.0.1:0"
    max_in_flight: Any = 1000


_LIMITS = CallLimits(1000, 60.0)


@contextlib.asynccontextmanager
async def serving(
    folder: Path, limits: CallLimits = _LIMITS, **settings: Any
) -> AsyncIterator[Served]:
    """Serve until the block ends; files are in `folder`."""
    authority, issuer = Authority(), Issuer()
    server_leaf = authority.leaf("spiffe://harken/service/feedback", serves=True)
    server_leaf.write(folder)
    (folder / "ca.crt").write_bytes(authority.pem)
    issuer.write(folder / "jwks.json")
    write_keys(folder / "keys.json", [])
    config = _Settings(
        tls_certificate_file=folder / "tls.crt",
        tls_key_file=folder / "tls.key",
        tls_ca_file=folder / "ca.crt",
        token_listen="127.0.0.1:0",
        health_listen="127.0.0.1:0",
        keys_file=folder / "keys.json",
        jwt_issuer=ISSUER,
        jwt_audience=AUDIENCE,
        jwks_file=folder / "jwks.json",
        san_principals={"shop.example": "backend/a"},
        **settings,
    )
    async with process_access(Reloadable(config)) as access:
        assert access is not None
        ours = [one for one in services() if one.full_name.startswith("harken.")]
        server = Server(
            CollectorRegistry(),
            [one.full_name for one in ours],
            Reloadable(limits),
            60.0,
            access=access,
        )
        for service in ours:
            handlers = {method.name: _handler(method) for method in service.methods}
            server.grpc.add_generic_rpc_handlers(
                (grpc.method_handlers_generic_handler(service.full_name, handlers),)
            )
            server.grpc.add_registered_method_handlers(service.full_name, handlers)
        address_file = folder / "addresses.json"
        async with server.listening(config.listen, config.metrics_listen, address_file):
            bound = _addresses(address_file)
            yield Served(
                bound["grpc"],
                bound["tokens"],
                bound["health"],
                authority,
                issuer,
                folder,
                [],
                access,
            )


def _addresses(file: Path) -> dict[str, str]:
    found: dict[str, str] = json.loads(file.read_text())
    return found
