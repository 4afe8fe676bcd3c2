"""JSON logs, one object a line on standard error. User ids never appear in clear."""

import logging
import sys

import structlog

Logger = structlog.stdlib.BoundLogger


def configure_logs(level: str) -> None:
    """Send all logs as JSON lines to standard error, from `level` up, those of libraries too."""
    number = logging.getLevelName(level.upper())
    shared: list[structlog.types.Processor] = [
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        # Without local variables: they may hold user ids and passwords.
        structlog.processors.ExceptionRenderer(
            structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
        ),
    ]
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processor=structlog.processors.JSONRenderer(),
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
