"""`version`."""

from __future__ import annotations

import platform

import click

from cutover import __version__
from cutover.cli.console import Frame
from cutover.cli.options import json_option


@click.command()
@json_option
@click.pass_obj
def version(frame: Frame) -> int:
    """Print the version of cutover and what it runs on."""
    from cutover.core.journal import VERSION

    if frame.json:
        body = {"version": __version__, "journal": VERSION, "python": platform.python_version()}
        frame.give("cutover.version.v1", body)
    else:
        frame.say(
            f"cutover {__version__} (journal format {VERSION}, Python {platform.python_version()})"
        )
    return 0
