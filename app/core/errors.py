"""Refusals a caller can act on. Each class carries the HTTP status that it becomes; one handler speaks HTTP."""

from typing import Any


class AppError(Exception):
    """Base of all refusals; `status` is the HTTP status it becomes, `fields` names what is wrong where."""

    status = 500

    def __init__(self, detail: str = "", *, fields: dict[str, Any] | None = None, **extra: Any) -> None:
        super().__init__(detail or (type(self).__doc__ or "").split("\n")[0])
        self.fields = fields
        self.extra = extra
        self.headers: dict[str, str] = {}  # of the answer that it becomes


class BadSyntax(AppError):
    """The body is not what its content type says."""

    status = 400


class NotSignedIn(AppError):
    """Sign in first."""

    status = 401


class Forbidden(AppError):
    """Your role does not allow this."""

    status = 403


class NotFound(AppError):
    """There is no such thing, or it is not yours."""

    status = 404


class Conflict(AppError):
    """This does not fit what is stored by now."""

    status = 409


class Gone(AppError):
    """The item was deleted."""

    status = 410


class VersionMismatch(AppError):
    """It was changed in the meantime: read it again, then repeat your change."""

    status = 412


class TooLarge(AppError):
    """The body is larger than the limit."""

    status = 413


class WrongType(AppError):
    """This content type is not taken here."""

    status = 415


class RangeRefused(AppError):
    """The range lies behind the end of the file."""

    status = 416


class Invalid(AppError):
    """A value is not allowed."""

    status = 422


class InvalidLabel(Invalid):
    """The label does not fit the task."""


class InvalidPayload(Invalid):
    """The item's content does not fit the project."""


class InvalidFile(Invalid):
    """The file cannot be read."""


class VersionRequired(AppError):
    """Send If-Match with the ETag of the version that you changed."""

    status = 428


class TooManyRequests(AppError):
    """Slow down and try again shortly."""

    status = 429


class NoRoom(AppError):
    """What may be stored here is stored: make room, or let whoever runs this service raise the quota."""

    status = 507


class Unavailable(AppError):
    """The service is busy; try again shortly."""

    status = 503
