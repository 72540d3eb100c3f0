"""Which request, or which job, the present work is done for."""

from contextvars import ContextVar

ON_BEHALF_OF: ContextVar[str | None] = ContextVar("on_behalf_of", default=None)
"""The request's id as its answer names it, `job-7` in a worker; None at the command line."""
