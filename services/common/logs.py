"""JSON logs, one object a line on standard error. User ids never appear in clear.

Only fields on a list are written, texts of one line, and of an exception its type and its place:
messages of exceptions and what libraries fill into theirs may hold anything.
"""

import asyncio
import logging
import sys
from collections.abc import Mapping, MutableMapping
from typing import Any

import structlog

Logger = structlog.stdlib.BoundLogger

FIELDS = frozenset(
    {
        # Of every line.
        "component", "event", "exception", "level", "logger", "timestamp",
        # What went wrong, in words of ours, of gRPC or of PostgreSQL.
        "code", "detail", "details", "error", "error_id", "fault", "kind", "reason",
        # Where and what.
        "address", "after", "before", "epoch", "expected", "experiment", "found", "generation",
        "head", "key", "keys", "metrics", "revision", "role", "rpc", "schema", "subscriber",
        "surface", "table", "tenant", "term", "version",
        # How many, how much, how long.
        "applied", "bytes", "count", "facts", "frames_forgotten", "left_out", "lists", "looked_at",
        "seconds", "sessions", "slates", "tenants", "users", "vectors",
    }
)  # fmt: skip
"""Names a line may have. None of them may ever hold a user, an item or an event."""

_DROPPED = "dropped_fields"
_MAX_TEXT = 1000


def configure_logs(level: str) -> None:
    """Send all logs as JSON lines to standard error, from `level` up, those of libraries too.

    May be called again, with another level.
    """
    number = logging.getLevelNamesMapping()[level.upper()]
    shared: list[structlog.types.Processor] = [
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.ExceptionRenderer(
            structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
        ),
        only_listed_fields,
    ]
    handler = logging.StreamHandler(sys.stderr)
    handler.addFilter(_without_arguments)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(),
            ],
            foreign_pre_chain=[structlog.stdlib.add_logger_name, *shared],
        )
    )
    logging.basicConfig(level=number, handlers=[handler], force=True)
    structlog.configure(
        processors=[*shared, structlog.processors.JSONRenderer()],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.PrintLoggerFactory(file=sys.stderr),
    )


def logger(component: str) -> Logger:
    """Return the logger of a component."""
    bound: Logger = structlog.get_logger(component=component)
    return bound


def only_listed_fields(
    _logger: Any, _method: str, fields: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """Keep what FIELDS names; the names, not the values, of what was dropped are noted."""
    # What begins with _ is between structlog and the standard library, and not written.
    kept = {
        name: _exceptions(value) if name == "exception" else _plain(value)
        for name, value in fields.items()
        if name in FIELDS
    }
    dropped = sorted(name for name in fields if name not in FIELDS and not name.startswith("_"))
    if dropped:
        kept[_DROPPED] = dropped
    return {**kept, **{name: fields[name] for name in fields if name.startswith("_")}}


def log_faults_of_tasks(loop: asyncio.AbstractEventLoop, log: Logger) -> None:
    """Log what no task waits for as we log: asyncio would write out the exception."""

    def handle(_loop: asyncio.AbstractEventLoop, found: Mapping[str, Any]) -> None:
        log.error("fault outside of a task", exc_info=found.get("exception"))

    loop.set_exception_handler(handle)


def _without_arguments(record: logging.LogRecord) -> bool:
    """Take from a library's message what was filled in."""
    record.msg = str(record.msg)
    record.args = ()
    return True


def _plain(value: Any) -> Any:
    """Return the first line of a text, and of what is neither text nor number only its type.

    PostgreSQL shows values of rows in the lines after the first.
    """
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, str):
        return value.partition("\n")[0][:_MAX_TEXT]
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return type(value).__name__


def _exceptions(chain: Any) -> Any:
    """Return types and places of a chain of exceptions."""
    if not isinstance(chain, list):
        return _plain(chain)
    return [
        {
            "type": link["exc_type"],
            "is_cause": link["is_cause"],
            "frames": [
                f"{frame['filename']}:{frame['lineno']} {frame['name']}" for frame in link["frames"]
            ],
            "group": [_exceptions(inner) for inner in link.get("exceptions", ())],
        }
        for link in chain
    ]
