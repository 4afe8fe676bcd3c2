"""Who the current call is of."""

from contextvars import ContextVar

from services.common.access.principal import Principal

CALLER: ContextVar[Principal | None] = ContextVar("harken_caller", default=None)
"""Of the call that the current task handles, known before it is let in or refused; None where
nobody known calls, and where nobody is asked."""
