"""Writes docs/exit-codes.md from the one table: `python -m tests.generate_exit_codes`."""

from __future__ import annotations

from pathlib import Path

from cutover.core.errors import EXIT_CODE_MEANING, ExitCode

PAGE = Path(__file__).parent.parent / "docs" / "exit-codes.md"

_WHAT_NOW: dict[ExitCode, str] = {
    ExitCode.COMPLETED: "Nothing. After a completed run: `cutover finish` when you will not go back.",
    ExitCode.BUG: "Read the line on stderr; the traceback is in the run's directory. `cutover rollback` and "
    "`cutover resume` work from the journal.",
    ExitCode.USAGE: "Correct what the `error:` lines name, and run it again.",
    ExitCode.ROLLED_BACK: "Traffic is on the source. `cutover journal show RUN` says why.",
    ExitCode.NEEDS_HUMAN: "Look at the routes now: `cutover status RUN`, then `cutover rollback RUN`, or "
    "`sh restore.sh` in the run's directory.",
    ExitCode.HELD: "`cutover resume RUN` or `cutover rollback RUN`; nobody watches its gates meanwhile.",
    ExitCode.CLAIMED: "The message names the run, its process and since when; end that run first.",
    ExitCode.REFUSED: "Mend what the message names. A finding of preflight says its own fix.",
    ExitCode.CREDENTIALS: "Log in again, or give `--profile`; `cutover validate` and `rehearse` need none.",
    ExitCode.UNEXPECTED_REHEARSAL: "What differs or never happened is named, and how to rehearse it again; the run's journal is kept: `cutover list --rehearsals`.",
    ExitCode.HANGUP: "A rehearsal is not resumed: begin it again. A run goes on when its terminal is closed.",
    ExitCode.INTERRUPTED: "The run holds at its weight, unless the plan says `on_interrupt: rollback`. "
    "`cutover resume RUN` or `cutover rollback RUN`. A rehearsal ends there and is not resumed.",
    ExitCode.TERMINATED: "As 130.",
}


def page() -> str:
    """The whole page."""
    rows = "\n".join(
        f"| {int(code)} | {meaning} | {_WHAT_NOW[code]} |"
        for code, meaning in EXIT_CODE_MEANING.items()
    )
    return f"""# Exit codes

Every command ends with one of these. They are never reused, and the exit code of a run is in its journal.
This page is made from the table in the code: `python -m tests.generate_exit_codes`.

| Code | Meaning | What to do |
|---:|---|---|
{rows}

With `--json` an error is also an object on stdout, `{{"schema": "cutover.error.v1", "exit_code": ...}}`.
"""


if __name__ == "__main__":
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(page(), encoding="utf-8")
