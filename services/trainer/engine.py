"""Where blocks of work are computed: here, or on a Ray cluster."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Protocol, TypeVar

Task = TypeVar("Task")
Result = TypeVar("Result")
Shared = TypeVar("Shared")

ENGINES = ("local", "ray")


class EngineError(Exception):
    """An engine cannot be used; the message says why and what to do."""


class Engine(Protocol):
    """Maps a function over tasks. Results come in the order of the tasks."""

    def map(
        self,
        function: Callable[[Shared, Task], Result],
        shared: Shared,
        tasks: Iterable[Task],
    ) -> Iterator[Result]:
        """Yield ``function(shared, task)``; `shared` is sent once, tasks are small."""
        ...


class LocalEngine:
    """Computes in this process, one block after the other: BLAS uses the cores."""

    def map(
        self,
        function: Callable[[Shared, Task], Result],
        shared: Shared,
        tasks: Iterable[Task],
    ) -> Iterator[Result]:
        """See Engine."""
        for task in tasks:
            yield function(shared, task)


class RayEngine:
    """Computes on the cluster that `ray.init()` finds (RAY_ADDRESS, else this machine).

    Workers read interactions by path: the work folder must be on a file system they all see. At
    most `ahead` tasks are under way, so that results never pile up here.
    """

    def __init__(self, ray: Any, ahead: int = 64) -> None:
        self._ray = ray
        self._ahead = ahead

    def map(
        self,
        function: Callable[[Shared, Task], Result],
        shared: Shared,
        tasks: Iterable[Task],
    ) -> Iterator[Result]:
        """See Engine."""
        remote = self._ray.remote(function)
        reference = self._ray.put(shared)
        under_way: list[Any] = []
        for task in tasks:
            under_way.append(remote.remote(reference, task))
            if len(under_way) >= self._ahead:
                yield self._ray.get(under_way.pop(0))
        for one in under_way:
            yield self._ray.get(one)


def open_engine(name: str) -> Engine:
    """Return the engine of a name, one of ENGINES.

    Raises:
        EngineError: there is no such engine, or Ray is not installed.

    """
    match name:
        case "local":
            return LocalEngine()
        case "ray":
            try:
                import ray
            except ImportError:
                raise EngineError(
                    "--engine ray needs Ray, which is not installed: pip install ray, "
                    "or leave --engine local"
                ) from None
            if not ray.is_initialized():
                ray.init()
            return RayEngine(ray)
        case _:
            raise EngineError(f"no engine {name!r}; there are {', '.join(ENGINES)}")
