"""The program: what the installed command and `python -m wavetables` run."""

from __future__ import annotations

import sys


def main() -> int:
    """Run the command line. Ctrl-C is one line from the first import on."""
    try:
        from wavetables.cli import main as run

        return run()
    except KeyboardInterrupt:
        print("make-wavetable: interrupted", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
