"""Answers in pieces: whatever is behind them is given back when the reader has gone."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from app.api.streams import Streamed

SCOPE: dict[str, Any] = {"type": "http", "asgi": {"spec_version": "2.3"}}


def without_end(closed: list[str]) -> Iterator[bytes]:
    try:
        while True:
            yield b"piece"
    finally:
        closed.append("pieces")


@pytest.mark.parametrize(("sent_before", "given_back"), [(0, ["ended"]), (3, ["pieces", "ended"])])
def test_who_hangs_up_leaves_nothing_open(sent_before: int, given_back: list[str]) -> None:
    closed: list[str] = []
    answer = Streamed(without_end(closed), ended=lambda: closed.append("ended"))

    async def serve() -> None:
        gone, sent = asyncio.Event(), 0

        async def send(message: Any) -> None:
            nonlocal sent
            if sent == sent_before:
                gone.set()
                await asyncio.Event().wait()  # a reader who takes nothing
            sent += 1

        async def receive() -> Any:
            await gone.wait()
            return {"type": "http.disconnect"}

        await answer(SCOPE, receive, send)

    asyncio.run(serve())

    assert closed == given_back
