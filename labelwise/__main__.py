"""The program `labelwise`."""

import sys


def main() -> int:
    """Run the command line; the server's parts are an extra of the package."""
    try:
        from app.cli import main as run
    except ModuleNotFoundError as error:
        print(f"labelwise: {error.name} is missing: pip install 'labelwise[server]'", file=sys.stderr)
        return 1
    return run()


if __name__ == "__main__":
    sys.exit(main())
