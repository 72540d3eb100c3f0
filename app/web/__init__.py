"""Pages: a route picks a template and its data."""

from fastapi import FastAPI


def install(app: FastAPI) -> None:
    """Add the pages and the static files."""
