"""The process `cutover`, also as `python -m cutover`."""

from __future__ import annotations

import os
import sys


def main() -> int:
    """Run the command line; the exit code is the command's own (docs/exit-codes.md)."""
    from cutover.cli import run

    code, stuck = run(sys.argv[1:])
    if stuck:
        # a view's thread still holds a stream: the interpreter's own end would wait for it for ever
        os._exit(code)
    return code


if __name__ == "__main__":
    sys.exit(main())
