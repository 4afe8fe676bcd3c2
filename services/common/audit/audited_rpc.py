"""An RPC whose calls are in the audit log: before they begin, and how they ended.

Two rows a call, as nothing else both refuses what cannot be written down and says what became of
it. One that began without an end is of a process that was killed, or lost the store.
"""

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator, Mapping
from typing import Any

import grpc
from google.protobuf.message import Message

from services.common.access.caller import CALLER
from services.common.access.rules import RULES, Rule
from services.common.audit.audit_sink import AuditSink
from services.common.audit.entry import caller_fields, plain_tenant, request_fields
from services.common.audit.refusal_rate import RefusalRate
from services.common.errors import (
    HarkenError,
    PermissionDeniedError,
    UnauthenticatedError,
)
from services.common.rpc_handlers import behaving

REFUSALS = (UnauthenticatedError, PermissionDeniedError)
"""Faults of calls that were not let in."""


class AuditedRpc:
    """Writes down the calls of one RPC."""

    def __init__(self, log: AuditSink, rate: RefusalRate, method: str, rule: Rule) -> None:
        """`method` is a path, "/package.Service/Method"; `rate` is that of the whole process."""
        self._log = log
        self._rate = rate
        self._rpc = method.removeprefix("/")
        self._rule = rule

    def around(self, handler: Any) -> Any:
        """Return a handler that does what `handler` does, and writes it down."""
        if handler.unary_unary:
            return behaving(handler, self._unary_unary(handler.unary_unary))
        if handler.unary_stream:
            return behaving(handler, self._unary_stream(handler.unary_stream))
        if handler.stream_unary:
            return behaving(handler, self._stream_unary(handler.stream_unary))
        return behaving(handler, self._stream_stream(handler.stream_stream))

    async def refused(
        self, context: grpc.aio.ServicerContext, error: HarkenError, tenant: str
    ) -> None:
        """Write down that a call was not let in. It is refused whether or not that can be.

        `tenant` is the one that it names, where that is known.
        """
        if not self._is_audited():
            return
        left_out = self._rate.take()
        if left_out is None:
            return
        await self._log.append_late(
            {
                "phase": "refused",
                "rpc": self._rpc,
                **caller_fields(CALLER.get(), context),
                "tenant": plain_tenant(tenant) if tenant else "",
                **_outcome(error),
                "left_out": left_out or None,
            }
        )

    def _is_audited(self) -> bool:
        caller = CALLER.get()
        return self._rule.audits(None if caller is None else caller.kind)

    def _unary_unary(self, call: Any) -> Any:
        async def audited(request: Any, context: grpc.aio.ServicerContext) -> Any:
            async with self._noted(request, context):
                return await call(request, context)

        return audited

    def _unary_stream(self, call: Any) -> Any:
        async def audited(request: Any, context: grpc.aio.ServicerContext) -> AsyncIterator[Any]:
            async with (
                self._noted(request, context),
                contextlib.aclosing(call(request, context)) as answers,
            ):
                async for answer in answers:
                    yield answer

        return audited

    def _stream_unary(self, call: Any) -> Any:
        async def audited(requests: Any, context: grpc.aio.ServicerContext) -> Any:
            first = await anext(requests, None)
            async with self._noted(first, context):
                return await call(_again(first, requests), context)

        return audited

    def _stream_stream(self, call: Any) -> Any:
        async def audited(requests: Any, context: grpc.aio.ServicerContext) -> AsyncIterator[Any]:
            first = await anext(requests, None)
            async with (
                self._noted(first, context),
                contextlib.aclosing(call(_again(first, requests), context)) as answers,
            ):
                async for answer in answers:
                    yield answer

        return audited

    @contextlib.asynccontextmanager
    async def _noted(
        self, request: Message | None, context: grpc.aio.ServicerContext
    ) -> AsyncIterator[None]:
        if not self._is_audited():
            yield
            return
        about = {} if request is None else request_fields(self._rule, request, self._log.key_of)
        call = uuid.uuid4().hex
        # Not taken when it cannot be written down.
        await self._log.append(
            {
                "phase": "begun",
                "call": call,
                "rpc": self._rpc,
                **caller_fields(CALLER.get(), context),
                **about,
            }
        )
        outcome: Mapping[str, str] = {"code": "OK"}
        try:
            yield
        except BaseException as error:
            outcome = _outcome(error)
            raise
        finally:
            end = {"phase": "ended", "call": call, "rpc": self._rpc, **outcome}
            # A caller who is gone cancels this task, once; what was done is written all the same.
            await asyncio.shield(asyncio.ensure_future(self._log.append_late(end)))


def audited_rpc(log: AuditSink, rate: RefusalRate, method: str) -> AuditedRpc | None:
    """Return what writes down the calls of a method, by its path; None where nothing does."""
    rule = RULES.get(method)
    return AuditedRpc(log, rate, method, rule) if rule is not None and rule.audited else None


async def _again(first: Any, requests: AsyncIterator[Any]) -> AsyncIterator[Any]:
    if first is None:
        return
    yield first
    async for request in requests:
        yield request


def _outcome(error: BaseException) -> dict[str, str]:
    if isinstance(error, HarkenError):
        return {"code": error.code.name, "reason": error.reason}
    if isinstance(error, asyncio.CancelledError | GeneratorExit):
        return {"code": grpc.StatusCode.CANCELLED.name}
    return {"code": grpc.StatusCode.INTERNAL.name}
