"""`pause` and `approve`, and how every word reaches a run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from cutover.cli.frame import Frame
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
    from cutover.core.observation import Word
    from cutover.local.run_directory import RunDirectory
    from cutover.wiring.words import Heard, Silent

_OVER = frozenset({"FINISHED", "ROLLED_BACK", "REFUSED", "ABANDONED"})


def word_of(name: str, why: str, detail: str = "") -> Word:
    """The word as this user says it."""
    from cutover.core.observation import Word, WordName
    from cutover.wiring.offline import operator

    return Word(WordName(name), operator(), why, "first", detail=detail)


def tell_run(frame: Frame, text: str | None, word: Word) -> tuple[RunDirectory, int | None]:
    """Leave the word for the run's process.

    Returns:
        the run, and the exit code when its process answered; None when no process drives it.

    Raises:
        UsageError: for a run that is over, or none, or a rehearsal.
        NeedsHumanError: when a living process did not hear a rollback.
        RefusedError: when it did not hear, or did not follow, another word.
    """
    from cutover import api
    from cutover.wiring.words import Heard, Silent, Waiting, take_back

    run = listening_run(text)
    frame.acts = True
    answer = api.say(run, word)
    if isinstance(answer, Heard | Silent):
        return run, answered(frame, run, word, answer)
    if isinstance(answer, Waiting) and word.name != "approve":
        # whoever becomes the runner brings the word along; lying there it would be heard twice
        take_back(answer, run)
    return run, None


def listening_run(text: str | None) -> RunDirectory:
    """The run that is meant.

    Raises:
        UsageError: for a run that is over, or none, or a rehearsal: it hears no word.
    """
    from cutover import api

    run = api.find_run(text)
    if run.rehearsal:
        raise UsageError(
            f"{run.id} is a rehearsal: it takes words from its scenario only",
            hint="`cutover list` shows the runs",
        )
    if run.phase() in _OVER:
        raise UsageError(
            f"run {run.id} has ended: {run.phase()}",
            hint="`cutover list` shows the runs; `cutover run PLAN` starts one",
        )
    return run


def answered(frame: Frame, run: RunDirectory, word: Word, answer: Heard | Silent) -> int:
    """Say how the run's process answered a word, and give the exit code.

    Raises:
        NeedsHumanError, RefusedError: as `tell_run`.
    """
    from cutover.wiring.words import Heard

    if isinstance(answer, Heard):
        return _heard(frame, run, word, answer)
    raise _silence(run, word, answer)


def _heard(frame: Frame, run: RunDirectory, word: Word, heard: Heard) -> int:
    """Say what the run's process did with the word."""
    frame.tell(f"{word.name}: heard by run {run.id}, process {heard.by.pid} on {heard.by.host}")
    phases = [one for one in heard.followed if one.get("type") == "phase"]
    notes = [one for one in heard.followed if one.get("type") == "note"]
    for one in (*phases, *notes):
        text = one.get("why") if one.get("type") == "phase" else one.get("text")
        after = f"{one['after']}: " if one.get("type") == "phase" else ""
        frame.tell(printable(f"{after}{text}", 1_000))
    if frame.json:
        frame.give(
            "cutover.word.v1",
            _word_body(run, word, "heard", [str(one.get("after")) for one in phases]),
        )
    if (
        word.name == "approve"
        and heard.followed
        and str(heard.followed[0].get("detail", "")).startswith("-")
    ):
        raise RefusedError(
            f"run {run.id} does not ask for approval now, so nothing was approved",
            hint=f"`cutover status {run.id}` shows where it is; approve when it holds and asks",
        )
    if notes and not phases:
        raise RefusedError(
            f"run {run.id} heard {word.name}, and did not follow it: {notes[0].get('text')}",
            hint=f"`cutover status {run.id}`",
        )
    return int(ExitCode.COMPLETED)


def _word_body(run: RunDirectory, word: Word, became: str, phases: list[str]) -> dict[str, Any]:
    return {
        "run": run.id,
        "word": word.name.value,
        "who": word.who,
        "why": word.why,
        "became": became,
        "phases": phases,
    }


def _silence(run: RunDirectory, word: Word, silent: Silent) -> CutoverError:
    """A process holds the lock and does not listen: say what works all the same."""
    who = f"process {silent.by.pid} on {silent.by.host}"
    stays = "the word waits in its pipe" if silent.piped else "the word stays for it"
    if word.name == "rollback" and run.phase() == "ROLLING_BACK":
        return NeedsHumanError(
            f"{who} is rolling run {run.id} back already; {stays}",
            hint=f"`cutover status {run.id}` shows how far it is; or sh {run.restore}",
        )
    if word.name == "rollback":
        return NeedsHumanError(
            f"{who} drives run {run.id} but has not heard the rollback yet; {stays}",
            hint=f"if it hangs: kill -9 {silent.by.pid}, then `cutover rollback {run.id}`; or sh {run.restore}",
        )
    return RefusedError(
        f"{who} drives run {run.id} but has not heard {word.name} yet; {stays}",
        hint=f"`cutover status {run.id}` shows when it looks next",
    )


def _waits(frame: Frame, run: RunDirectory, word: Word, said: str) -> int:
    frame.tell(said)
    if frame.json:
        frame.give(
            "cutover.word.v1",
            _word_body(run, word, "waits" if word.name == "approve" else "nothing", []),
        )
    return int(ExitCode.COMPLETED)


@click.command()
@run_argument
@why_option
@json_option
@click.pass_obj
def pause(frame: Frame, run: str | None, why: str) -> int:
    """Hold a run at its weight. Its gates go on judging: a breach still rolls back."""
    word = word_of("pause", why)
    found, code = tell_run(frame, run, word)
    if code is not None:
        return code
    return _waits(
        frame,
        found,
        word,
        f"no process drives run {found.id}: nothing is raised until `cutover resume {found.id}`",
    )


@click.command()
@run_argument
@why_option
@json_option
@click.pass_obj
def approve(frame: Frame, run: str | None, why: str) -> int:
    """Answer the next step of a run that asks for approval."""
    word = word_of("approve", why)
    found, code = tell_run(frame, run, word)
    if code is not None:
        return code
    return _waits(
        frame,
        found,
        word,
        f"no process drives run {found.id}: the approval waits for `cutover resume {found.id}`",
    )
