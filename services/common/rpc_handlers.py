"""Handlers of gRPC made of others: of the same kind, with bounded requests, answering bytes."""

from collections.abc import Callable
from types import MappingProxyType
from typing import Any

import grpc

from services.common.request_reader import reader_of
from services.common.request_stream import RequestStream

_HANDLERS = MappingProxyType(
    {
        (False, False): grpc.unary_unary_rpc_method_handler,
        (False, True): grpc.unary_stream_rpc_method_handler,
        (True, False): grpc.stream_unary_rpc_method_handler,
        (True, True): grpc.stream_stream_rpc_method_handler,
    }
)
"""By whether requests and answers are streams."""


class _Remembered:
    """Serialises, and remembers the last: frames of the feed go out once for each subscriber.

    Answers of some handlers are bytes already.
    """

    def __init__(self, serialise: Callable[[Any], bytes]) -> None:
        self._serialise = serialise
        self._last: Any = None
        self._bytes = b""

    def __call__(self, answer: Any) -> bytes:
        """Return the bytes of an answer, which nobody changes."""
        if isinstance(answer, bytes):
            return answer
        if answer is not self._last:
            self._bytes = self._serialise(answer)
            self._last = answer
        return self._bytes


def or_bytes(serialise: Callable[[Any], bytes] | None) -> Callable[[Any], bytes] | None:
    """Return what serialises answers; those of some handlers are bytes already."""
    if serialise is None:
        return None

    def as_bytes(answer: Any) -> bytes:
        return answer if answer.__class__ is bytes else serialise(answer)

    return as_bytes


def like(handler: Any, behaviour: Callable[..., Any]) -> grpc.RpcMethodHandler:
    """Return a handler of the same kind as `handler` that behaves otherwise."""
    serialise = handler.response_serializer
    if serialise is not None and handler.response_streaming:
        serialise = _Remembered(serialise)
    make: Any = _HANDLERS[bool(handler.request_streaming), bool(handler.response_streaming)]
    made: grpc.RpcMethodHandler = make(
        behaviour,
        # Those of a stream are parsed when they are read: what is heard out is not.
        request_deserializer=None if handler.request_streaming else handler.request_deserializer,
        response_serializer=serialise,
    )
    return made


def behaving(handler: Any, behaviour: Callable[..., Any]) -> grpc.RpcMethodHandler:
    """Return a handler that differs in its behaviour only."""
    make: Any = _HANDLERS[bool(handler.request_streaming), bool(handler.response_streaming)]
    made: grpc.RpcMethodHandler = make(
        behaviour,
        request_deserializer=handler.request_deserializer,
        response_serializer=handler.response_serializer,
    )
    return made


def bounded(handler: Any) -> Any:
    """Return a handler whose requests are bounded before they are made: its deserializer returns
    `Refused` in the place of a request.
    """
    make: Any = _HANDLERS[bool(handler.request_streaming), bool(handler.response_streaming)]
    return make(
        handler.unary_unary
        or handler.unary_stream
        or handler.stream_unary
        or handler.stream_stream,
        # It is FromString, bound to the class of the request; who takes bytes has none.
        request_deserializer=(
            handler.request_deserializer and reader_of(handler.request_deserializer.__self__)
        ),
        response_serializer=handler.response_serializer,
    )


def opener(handler: Any) -> Callable[[Any], RequestStream | None]:
    """Return what makes a stream of requests of what gRPC gives a handler, if it takes one."""
    if not handler.request_streaming:
        return lambda _request: None
    return lambda bodies: RequestStream(bodies, handler.request_deserializer)
