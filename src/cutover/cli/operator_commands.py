"""`pause` and `approve`, and how every command reaches a run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from cutover.cli.console import Frame
from cutover.cli.options import json_option, run_argument, why_option
from cutover.core.errors import (
    CutoverError,
    ExitCode,
    NeedsHumanError,
    RefusedError,
    UsageError,
    printable,
)

if TYPE_CHECKING:
    from cutover.app.commands import Acknowledged, NoReply
    from cutover.core.observation import OperatorCommand
    from cutover.local.run_directory import RunDirectory

_OVER = frozenset({"FINISHED", "ROLLED_BACK", "REFUSED", "ABANDONED"})


def command_of(name: str, why: str, detail: str = "") -> OperatorCommand:
    """The command as this user says it, with an id of its own."""
    from cutover.app.offline import operator
    from cutover.core.observation import CommandName, OperatorCommand
    from cutover.local.disk import unguessable

    return OperatorCommand(
        CommandName(name), operator(), why, "first", detail=detail, id=unguessable()
    )


def tell_run(
    frame: Frame, text: str | None, command: OperatorCommand
) -> tuple[RunDirectory, int | None]:
    """Leave the command for the run's process.

    Returns:
        the run, and the exit code when its process answered; None when no process drives it.

    Raises:
        UsageError: for a run that is over, or none, or a rehearsal, or one whose phase has no use for the command.
        NeedsHumanError: when a living process did not hear a rollback.
        RefusedError: when it did not hear, or did not follow, another command.
    """
    from cutover.app import api as app_api
    from cutover.app.commands import Acknowledged, NoReply, Queued, take_back

    run = listening_run(text)
    _refuse_meaningless(run, command)
    frame.acts = True
    answer = app_api.say(run, command)
    if isinstance(answer, Acknowledged | NoReply):
        return run, answered(frame, run, command, answer)
    waits = command.name == "approve" and _asks(run)
    if isinstance(answer, Queued) and not waits:
        # whoever becomes the runner brings the command along; lying there it would be heard twice
        take_back(answer, run)
    if command.name == "approve" and not waits:
        raise _undriven(run, command)
    return run, None


def _refuse_meaningless(run: RunDirectory, command: OperatorCommand) -> None:
    from cutover.app.resume import refuse_meaningless
    from cutover.core.state import Phase

    phase = run.phase()
    if phase in Phase.__members__:
        refuse_meaningless(run, Phase(phase), command)


def listening_run(text: str | None) -> RunDirectory:
    """The run that is meant.

    Raises:
        UsageError: for a run that is over, or none, or a rehearsal: it hears no command.
    """
    from cutover.app import api as app_api

    run = app_api.find_run(text)
    if run.rehearsal:
        raise UsageError(
            f"{run.id} is a rehearsal: it takes commands from its scenario only",
            hint="`cutover list` shows the runs",
        )
    if run.phase() in _OVER:
        raise UsageError(
            f"run {run.id} has ended: {run.phase()}",
            hint="`cutover run PLAN` starts another; `cutover rollback --plan PLAN --no-run` takes traffic back without a run",
        )
    return run


def answered(
    frame: Frame, run: RunDirectory, command: OperatorCommand, answer: Acknowledged | NoReply
) -> int:
    """Say how the run's process answered a command, and give the exit code.

    Raises:
        NeedsHumanError, RefusedError: as `tell_run`.
    """
    from cutover.app.commands import Acknowledged

    if isinstance(answer, Acknowledged):
        return _heard(frame, run, command, answer)
    raise _silence(run, command, answer)


def _heard(frame: Frame, run: RunDirectory, command: OperatorCommand, heard: Acknowledged) -> int:
    """Say what the run's process did with the command."""
    frame.tell(f"{command.name}: heard by run {run.id}, process {heard.by.pid} on {heard.by.host}")
    phases = [one for one in heard.followed if one.get("type") == "phase"]
    notes = [one for one in heard.followed if one.get("type") == "note"]
    for one in (*phases, *notes):
        text = one.get("why") if one.get("type") == "phase" else one.get("text")
        after = f"{one['after']}: " if one.get("type") == "phase" else ""
        frame.tell(printable(f"{after}{text}", 1_000))
    if frame.json:
        frame.give(
            "cutover.command.v1",
            _command_body(run, command, "heard", [str(one.get("after")) for one in phases]),
        )
    if (
        command.name == "approve"
        and heard.followed
        and str(heard.followed[0].get("detail", "")).startswith("-")
    ):
        raise RefusedError(
            f"run {run.id} does not ask for approval now, so nothing was approved",
            hint=f"`cutover status {run.id}` shows where it is; approve when it holds and asks",
        )
    if notes and not phases:
        raise RefusedError(
            f"run {run.id} heard {command.name}, and did not follow it: {notes[0].get('text')}",
            hint=f"`cutover status {run.id}`",
        )
    phase = run.phase()
    if command.name == "resume" and not phases and phase == "ROLLING_BACK":
        raise RefusedError(
            f"run {run.id} is rolling back already: there is nothing to resume",
            hint=f"`cutover status {run.id}` shows how far it is",
        )
    if command.name == "pause" and not phases and phase == "HOLDING":
        frame.tell("it was holding already, and waits for a person: nothing else changes")
    return int(ExitCode.COMPLETED)


def _command_body(
    run: RunDirectory, command: OperatorCommand, became: str, phases: list[str]
) -> dict[str, Any]:
    return {
        "run": run.id,
        "command": command.name.value,
        "id": command.id,
        "who": command.who,
        "why": command.why,
        "became": became,
        "phases": phases,
    }


def _silence(run: RunDirectory, command: OperatorCommand, silent: NoReply) -> CutoverError:
    """A process holds the lock and does not listen: say what works all the same."""
    who = f"process {silent.by.pid} on {silent.by.host}"
    stays = "the command waits in its pipe" if silent.piped else "the command stays for it"
    if command.name == "rollback" and run.phase() == "ROLLING_BACK":
        return NeedsHumanError(
            f"{who} is rolling run {run.id} back already; {stays}",
            hint=f"`cutover status {run.id}` shows how far it is; or sh {run.restore}",
        )
    if command.name == "rollback":
        return NeedsHumanError(
            f"{who} drives run {run.id} but has not heard the rollback yet; {stays}",
            hint=f"if it hangs: kill -9 {silent.by.pid}, then `cutover rollback {run.id}`; or sh {run.restore}",
        )
    return RefusedError(
        f"{who} drives run {run.id} but has not heard {command.name} yet; {stays}",
        hint=f"`cutover status {run.id}` shows when it looks next",
    )


def _undriven(run: RunDirectory, command: OperatorCommand) -> RefusedError:
    """No process hears the command, and none will: what is so without it, and what helps."""
    from cutover.app import api as app_api

    phase, nobody = (
        run.phase(),
        f"no process drives run {run.id}, so nothing is {_DONE[command.name]}",
    )
    back = f"`cutover rollback {run.id}`"
    read = app_api.read_run(run)
    if read.trouble:
        return RefusedError(
            f"{nobody}, and its files cannot be believed: {read.trouble}", hint=read.way_back
        )
    if phase in ("", "PREFLIGHT"):
        ends = "" if run.never_started() else f"{back} ends it; "
        return RefusedError(
            f"{nobody}: it ended before it changed anything",
            hint=f"{ends}`cutover run PLAN` starts another",
        )
    if phase == "ROLLING_BACK":
        return RefusedError(
            f"{nobody}: its rollback does not go on by itself", hint=f"{back} goes on with it"
        )
    return RefusedError(
        f"{nobody}: it stays at its weight, and nobody watches its gates or keeps its deadlines",
        hint=f"`cutover resume {run.id}` goes on with a fresh bake, {back} goes back",
    )


_DONE = {"pause": "paused", "approve": "approved"}


@click.command()
@run_argument
@why_option
@json_option
@click.pass_obj
def pause(frame: Frame, run: str | None, why: str) -> int:
    """Hold a run at its weight. Its gates go on judging: a breach still rolls back.

    Exit 7 when nobody drives the run, or it does not follow.
    """
    command = command_of("pause", why)
    found, code = tell_run(frame, run, command)
    if code is not None:
        return code
    raise _undriven(found, command)


@click.command()
@run_argument
@why_option
@json_option
@click.pass_obj
def approve(frame: Frame, run: str | None, why: str) -> int:
    """Answer the next step of a run that asks for approval. Exit 7 when it does not ask."""
    command = command_of("approve", why)
    found, code = tell_run(frame, run, command)
    if code is not None:
        return code
    frame.tell(
        f"no process drives run {found.id}: the approval waits for `cutover resume {found.id}`, which bakes afresh first"
    )
    if frame.json:
        frame.give("cutover.command.v1", _command_body(found, command, "waits", []))
    return int(ExitCode.COMPLETED)


def _asks(run: RunDirectory) -> bool:
    """The run's next step waits for an approval, as far as its files can be believed."""
    from cutover.app import api as app_api

    state = app_api.read_run(run).state
    if state is None:
        return False
    following = state.step + 1
    return following in state.asked and following not in state.approved
