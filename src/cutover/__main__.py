"""The process `cutover`, also as `python -m cutover`."""

from __future__ import annotations

import os
import sys


def _occupy_standard_descriptors() -> None:
    """Started with `>&-`, the journal would become descriptor 1, and every stray print a line in it."""
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest free one, which is this


def main() -> int:
    """Run the command line; the exit code is the command's own (docs/exit-codes.md)."""
    _occupy_standard_descriptors()
    from cutover.cli import run

    code, stuck = run(sys.argv[1:])
    if stuck:
        # a view's thread still holds a stream: the interpreter's own end would wait for it for ever
        os._exit(code)
    return code


if __name__ == "__main__":
    sys.exit(main())
