"""The log of a running Harken: a history of events, and slates with their outcomes."""

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol, TypeVar

import grpc
import numpy as np

from harken.feedback.v1 import feedback_service_pb2, feedback_service_pb2_grpc
from services.common.channel_identity import ChannelIdentity, blocking_channel
from services.common.timestamps import micros_of
from services.dataset.history.event_file import SESSION_PREFIX
from services.dataset.history.events import Events
from services.dataset.history.interner import Interner

_PAGE_EVENTS = 5000
_TRIES = 10
_ANSWER_BYTES = 64 * 1024 * 1024


class LogExportError(Exception):
    """The log could not be read."""


@dataclass(frozen=True, slots=True)
class LogHistory:
    """Events of a tenant, and the log sequence of the last one (0: there is none).

    `weights` float32 [n]: learning weights as of the acceptance, in the order of `events`.
    `left_out`: events of users who deny that they are exported, or learned from.
    """

    events: Events
    weights: np.ndarray
    through_sequence: int
    left_out: int = 0


def read_log(
    target: str,
    tenant: str = "default",
    until_position: bytes = b"",
    identity: ChannelIdentity | None = None,
) -> LogHistory:
    """Return the events of a tenant that stand, in order of their time, without those of users who
    deny that they are exported, or learned from.

    target: gRPC target of the feedback service. until_position: events up to it; default: all that
    are there by now. What is written meanwhile is not read. Memory: about 100 bytes an event.

    Raises:
        LogExportError: the service is away for longer than a few tries, or refuses.

    """
    users, items, types = Interner(), Interner(), Interner()
    columns: list[tuple[int, int, int, float, int, float]] = []
    through = 0
    pages = exported_pages(target, tenant, until_position, identity, for_learning=True)
    left_out = 0

    def counted() -> Iterator[feedback_service_pb2.ExportEventsResponse]:
        nonlocal left_out
        for page in pages:
            left_out += page.left_out
            yield page

    for event in itertools.chain.from_iterable(page.events for page in counted()):
        subject = event.subject
        session = subject.HasField("session_id")
        name = f"{SESSION_PREFIX}{subject.session_id}" if session else subject.user_id
        columns.append(
            (
                users.code(name),
                items.code(event.item_id),
                types.code(event.type),
                event.value if event.HasField("value") else float("nan"),
                micros_of(event.event_time),
                event.weight,
            )
        )
        through = event.sequence
    return _history(users, items, types, columns, through, left_out)


def _history(
    users: Interner,
    items: Interner,
    types: Interner,
    columns: list[tuple[int, int, int, float, int, float]],
    through: int,
    left_out: int,
) -> LogHistory:
    times = np.array([row[4] for row in columns], np.int64)
    # Log order breaks ties of event time.
    order = np.argsort(times, kind="stable")
    events = Events(
        user_ids=users.names,
        item_ids=items.names,
        types=types.names,
        users=np.array([row[0] for row in columns], np.int32)[order],
        items=np.array([row[1] for row in columns], np.int32)[order],
        kinds=np.array([row[2] for row in columns], np.int16)[order],
        values=np.array([row[3] for row in columns], np.float64)[order],
        times_us=times[order],
    )
    weights = np.array([row[5] for row in columns], np.float32)[order]
    return LogHistory(events, weights, through, left_out)


def exported_pages(
    target: str,
    tenant: str = "default",
    until_position: bytes = b"",
    identity: ChannelIdentity | None = None,
    *,
    for_learning: bool = False,
) -> Iterator[feedback_service_pb2.ExportEventsResponse]:
    """Yield the events of a tenant that stand, in log order, page by page; arguments as read_log.

    A stream that breaks goes on after the last page that came. for_learning: also without those of
    users who deny that others learn from them.

    Raises:
        LogExportError: the service is away for longer than a few tries, or refuses.

    """
    request = feedback_service_pb2.ExportEventsRequest(
        tenant=tenant,
        until_position=until_position,
        page_size=_PAGE_EVENTS,
        for_learning=for_learning,
    )
    yield from _pages(
        target, identity, request, lambda stub: stub.ExportEvents(request, wait_for_ready=True)
    )


def exported_slates(
    target: str,
    tenant: str = "default",
    window_seconds: float | None = None,
    after_position: bytes = b"",
    identity: ChannelIdentity | None = None,
    outcomes: bool = True,
) -> Iterator[feedback_service_pb2.ExportSlatesResponse]:
    """Yield the logged slates of a tenant with their outcomes, in log order, page by page.

    target: as for read_log. window_seconds: how long after a slate was logged events count for it,
    1 s to 30 days; None: as the learner is configured. after_position: slates after it; default:
    all. outcomes: False: slates alone. A stream that breaks goes on after the last page that came.

    Raises:
        LogExportError: the service is away for longer than a few tries, or refuses.

    """
    request = feedback_service_pb2.ExportSlatesRequest(
        tenant=tenant, after_position=after_position, without_outcomes=not outcomes
    )
    if window_seconds is not None:
        request.window.FromMicroseconds(int(window_seconds * 1e6))
    yield from _pages(
        target, identity, request, lambda stub: stub.ExportSlates(request, wait_for_ready=True)
    )


class _Page(Protocol):
    """A page of an export; `position`: how far the log was read."""

    position: bytes


class _Resumable(Protocol):
    """A request that goes on after a position."""

    after_position: bytes


Page = TypeVar("Page", bound=_Page)


def _pages(
    target: str,
    identity: ChannelIdentity | None,
    request: _Resumable,
    call: Callable[[feedback_service_pb2_grpc.FeedbackServiceStub], Iterator[Page]],
) -> Iterator[Page]:
    tries = 0
    options = (("grpc.max_receive_message_length", _ANSWER_BYTES),)
    with blocking_channel(target, identity, options) as channel:
        stub = feedback_service_pb2_grpc.FeedbackServiceStub(channel)
        while True:
            try:
                for page in call(stub):
                    yield page
                    request.after_position = page.position
                    tries = 0
            except grpc.RpcError as error:
                tries += 1
                if error.code() is not grpc.StatusCode.UNAVAILABLE or tries == _TRIES:
                    raise LogExportError(f"{error.code().name}: {error.details()}") from error
            else:
                return
