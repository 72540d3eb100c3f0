"""Answers in pieces whose source is given back at once when the reader has it all, or has gone."""

from collections.abc import Callable, Iterable
from typing import Any

from fastapi.responses import StreamingResponse
from starlette.types import Receive, Scope, Send


class Streamed(StreamingResponse):
    """Sends pieces one by one; then, however it ended, closes where they come from and calls `ended`.

    Left to the interpreter, a file or a connection behind the pieces of a reader who hung up was held until memory was
    tidied up next, which a quiet service does not do for hours.
    """

    def __init__(
        self, pieces: Iterable[bytes] | Iterable[str], *, ended: Callable[[], object] | None = None, **options: Any
    ) -> None:
        super().__init__(pieces, **options)
        self._pieces, self._ended = pieces, ended

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            close = getattr(self._pieces, "close", None)
            for end in (close, self._ended):  # one that never began to give pieces has nothing to close
                if end is not None:
                    end()
