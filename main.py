"""Entry point: the window without arguments; generate, reproduce, explain, models with."""

from __future__ import annotations

import sys


def main() -> int:
    """Open the window, or run one command; returns the exit code."""
    arguments = sys.argv[1:]
    if not arguments:
        from gui.main import run_window

        return run_window(arguments)
    from cli.application import main as run_command

    return run_command(arguments)


if __name__ == "__main__":
    sys.exit(main())
