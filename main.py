"""Entry point: without arguments, open the window; with arguments, run a command such as ``generate``."""

from __future__ import annotations

import sys

from core.process.streams import lasting_streams


def main() -> int:
    """Open the window or run one command; return the exit code."""
    arguments = sys.argv[1:]
    with lasting_streams():
        try:
            return _run(arguments)
        except ModuleNotFoundError as error:
            from core.packages import what_to_start_instead

            print(f"error: {what_to_start_instead(error)}", file=sys.stderr)
            return 1


def _run(arguments: list[str]) -> int:
    if not arguments:
        from gui.main import run_window

        return run_window(arguments)
    from cli.application import main as run_command

    return run_command(arguments)


if __name__ == "__main__":
    sys.exit(main())
