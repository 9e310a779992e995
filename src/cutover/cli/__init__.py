"""The command line: one literal table, each command loaded when it is called."""

from __future__ import annotations

import difflib
import importlib
import traceback
from collections.abc import Sequence

import click

from cutover.cli.console import Frame, guarded, without_output

COMMANDS: dict[str, tuple[str, str]] = {
    "validate": ("plans:validate", "Check a plan file; needs no AWS."),
    "schema": ("plans:schema", "Print the JSON Schema of plan files, or of a --json output."),
    "plan": ("inspect:plan", "Show what a run would do: diff, timeline, risk, defaults. Writes nothing."),
    "schedule": ("schedules:schedule", "Print the fastest steps inside a budget of failed requests."),
    "preflight": ("inspect:preflight", "Run every check of `run` against AWS, read-only."),
    "rehearse": ("rehearsals:rehearse", "Run a plan against an emulated AWS: no account, hours in seconds."),
    "run": ("runs:run", "Move the traffic, step by step, each step earned by evidence."),
    "resume": ("runs:resume", "Go on with a run that holds or whose process ended; bakes afresh."),
    "pause": ("operator_commands:pause", "Hold a run at its weight."),
    "approve": ("operator_commands:approve", "Answer a step that asks for approval."),
    "rollback": ("rollback:rollback", "Take all traffic back to the source."),
    "abort": ("rollback:rollback", "The same as rollback: the panic word is the safe word."),
    "status": ("status:status", "Show where a run is, and why."),
    "journal": ("journals:journal", "Show, verify, export or replay a run's journal."),
    "list": ("listing:list_runs", "List the runs on this machine."),
    "judge": ("backtest:judge", "Judge a table of minutes offline with a plan's gates."),
    "backtest": ("backtest:backtest", "Try a plan's gates on the past: are they too twitchy for this service?"),
    "finish": ("finish:finish", "End a completed run: the destination keeps the traffic."),
    "version": ("about:version", "Print the version."),
}  # fmt: skip
"""Command -> (module:function below this package, one line of help). Nothing here is imported for `--help`."""


class EscapedError(Exception):
    """What a command let through that click would take for a reader who left, or for a wish to end."""


class Commands(click.Group):
    """The commands of the table, imported one by one when they are called."""

    def invoke(self, ctx: click.Context) -> object:
        """The command.

        Raises:
            EscapedError: from what click must not see: it ends with 0 or 1, in silence, on a broken pipe of any kind.
        """
        try:
            return super().invoke(ctx)
        except OSError as error:
            if _by_click(error):
                raise
            raise EscapedError from error
        except SystemExit as error:
            raise EscapedError from error

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Every name, in the table's order."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the command's module and return it; None for a name that is not in the table."""
        if cmd_name not in COMMANDS:
            return None
        module, _, function = COMMANDS[cmd_name][0].partition(":")
        command: click.Command = getattr(
            importlib.import_module(f"cutover.cli.{module}"), function
        )
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command of the first argument.

        Raises:
            click.UsageError: for a name that is none, with the nearest ones.
        """
        name = args[0]
        command = self.get_command(ctx, name)
        if command is None:
            near = difflib.get_close_matches(name, COMMANDS, n=2)
            meant = f"; did you mean {' or '.join(near)}?" if near else ""
            raise click.UsageError(f"there is no command {name!r}{meant}", ctx)
        return name, command, args[1:]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list of commands in `--help`, from the table alone."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in COMMANDS.items()])


@click.group(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit codes: 0 done, 2 usage or plan, 3 rolled back, 4 needs a human, 5 held, 6 another run "
    "holds the route, 7 refused, 8 AWS credentials, 9 unexpected rehearsal.",
)
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=lambda ctx, _, asked: _version(ctx) if asked else None,
    help="Print the version, as `cutover version` does.",
)
@click.option("--debug", is_flag=True, help="Show the traceback of a bug in cutover.")
@click.pass_obj
def commands(frame: Frame, debug: bool) -> None:
    """Move live traffic from EC2 to EKS behind an ALB: by plan, on evidence, with a way back."""
    frame.debug = debug


def _version(ctx: click.Context) -> None:
    from cutover.cli.about import version

    ctx.exit(ctx.invoke(version))


def run(arguments: Sequence[str]) -> tuple[int, bool]:
    """Run one command line.

    Returns:
        the exit code, and whether a stuck stream forbids an ordinary end of the process.
    """
    frame = Frame.of_process(json="--json" in arguments)

    def call() -> int:
        try:
            result = commands.main(
                list(arguments), prog_name="cutover", standalone_mode=False, obj=frame
            )
        except EscapedError as escaped:
            if isinstance(escaped.__cause__, OSError):
                raise escaped.__cause__ from None
            raise
        except SystemExit:
            return 0  # so click ends when the reader of a help has left
        except OSError as error:  # there is no room for a help
            frame.out.lose(error)
            return 0
        return int(result or 0)

    code = guarded(frame, call)
    frame.close()
    code = without_output(frame, code)
    return code, frame.stuck


def _by_click(error: OSError) -> bool:
    """It was raised where click prints a help: not by a command."""
    last = [walked for walked, _ in traceback.walk_tb(error.__traceback__)][-1]
    return last.f_globals.get("__name__") == "click.utils"
