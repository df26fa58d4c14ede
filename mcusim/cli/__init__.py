"""The command line. Every command has its module; what it needs is imported when it runs."""

from __future__ import annotations

import sys


def main() -> None:
    """The ``mcusim`` command: run it with the process's arguments and exit with its code."""
    from mcusim.cli.application import invoke

    sys.exit(invoke(sys.argv[1:]))
