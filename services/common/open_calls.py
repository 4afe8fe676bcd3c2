"""The calls a server is handling, and how to end them when it shuts down."""

import asyncio
from typing import Any

from services.common.errors import NotReadyError

_Handler = asyncio.Task[Any]


class OpenCalls:
    """Ends handlers by a fault of ours, so that callers see a status to retry on.

    gRPC alone would let streams without an end use up the time for draining, and then answer
    CANCELLED, which callers do not retry.
    """

    def __init__(self) -> None:
        self._endless: dict[_Handler, bool] = {}
        self._sending: set[_Handler] = set()
        self._cut: set[_Handler] = set()

    def enter(self, endless: bool) -> _Handler:
        """Note that the current task handles a call; `endless`: the caller decides when it ends."""
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("a call is handled by a task")
        self._endless[task] = endless
        return task

    def leave(self, task: _Handler) -> None:
        """Forget a call."""
        self._endless.pop(task, None)
        self._sending.discard(task)
        self._cut.discard(task)

    def sends(self, task: _Handler) -> None:
        """Note that gRPC sends an answer of a stream: a fault there would not be ours to map."""
        self._sending.add(task)

    def goes_on(self, task: _Handler) -> None:
        """Note that a stream asks for its next answer.

        Raises:
            NotReadyError: it was to end meanwhile.

        """
        self._sending.discard(task)
        if task in self._cut:
            raise _shutting_down()

    def cause(self, task: _Handler, fault: BaseException) -> BaseException:
        """Forget a call that failed, so that nothing keeps it from saying why, and return that: a
        cancellation by us is the fault NotReadyError.
        """
        ours = isinstance(fault, asyncio.CancelledError) and task in self._cut
        self.leave(task)
        if ours:
            task.uncancel()
            return _shutting_down()
        return fault

    def end(self, only_endless: bool) -> None:
        """Let calls end by NotReadyError: those without an end of their own, or all."""
        for task, endless in self._endless.items():
            if (endless or not only_endless) and task not in self._cut:
                self._cut.add(task)
                if task not in self._sending:
                    task.cancel()


def _shutting_down() -> NotReadyError:
    return NotReadyError("shutting down")
