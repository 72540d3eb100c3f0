"""The command line of the service."""

from app.cli.parser import main

__all__ = ["main"]
