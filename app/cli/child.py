"""A web process under the parent's watch: it ends when the parent does."""

import contextlib
import os
import sys
import threading

import uvicorn

PIPE = "LABELWISE_PARENT_PIPE"


def main() -> None:
    """Run uvicorn with the arguments given, and leave when the parent's end of the pipe closes."""
    pipe = os.environ.pop(PIPE, None)
    if pipe is not None:
        threading.Thread(target=_leave_with_parent, args=(int(pipe),), daemon=True).start()
    uvicorn.main(sys.argv[2:])


def _leave_with_parent(pipe: int) -> None:
    with contextlib.suppress(OSError):
        while os.read(pipe, 1):
            pass
    os._exit(0)


if __name__ == "__main__":
    main()
