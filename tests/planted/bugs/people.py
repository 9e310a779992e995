"""What people say, what they are told, and how long a run waits for them."""

from __future__ import annotations

from tests.planted.bug import Edit, Planted

_WORDS = "tests/core/engine/test_commands.py"
_MAILBOX = "tests/local/test_inbox.py"

PEOPLE = (
    Planted(
        id="approval-of-any-step",
        breaks="an approval that was given for one step raises every later one",
        edits=(
            Edit(
                "cutover.core.engine.stop_conditions:forbidden",
                "if wanted.approve and step not in turn.state.approved:",
                "if wanted.approve and not turn.state.approved:",
            ),
        ),
        near=(_WORDS, "tests/core/engine/test_forward.py"),
    ),
    Planted(
        id="approval-before-it-is-asked",
        breaks="an approval counts though no evidence led to the step yet",
        edits=(
            Edit(
                "cutover.core.engine.ingest:_approval_asked",
                "return following if following in turn.state.asked else -1",
                "return following",
            ),
        ),
        near=(_WORDS, "tests/core/engine/test_forward.py"),
    ),
    Planted(
        id="forward-command-heard-twice",
        breaks="an approval or resume that a process heard is heard again by the next one",
        edits=(
            Edit(
                "cutover.local.inbox:LocalInbox._one",
                "if commands and commands[0].name not in _STOPPING:",
                "if not commands:",
            ),
        ),
        near=(_MAILBOX,),
    ),
    Planted(
        id="stopping-command-lost-in-a-crash",
        breaks="a rollback that was read and not yet journalled is lost when the process dies",
        edits=(
            Edit(
                "cutover.local.inbox:LocalInbox._one",
                "if commands and commands[0].name not in _STOPPING:",
                "if commands:",
            ),
        ),
        near=(_MAILBOX,),
    ),
    Planted(
        id="rollback-behind-a-queue",
        breaks="a rollback waits until thousands of commands before it were heard",
        edits=(
            Edit(
                "cutover.local.inbox:LocalInbox._from_files",
                "        for name in new[A_TURN:]:\n",
                "        for name in new[:0]:\n",
            ),
        ),
        origin="issue 7, 1.14",
        near=(_MAILBOX,),
        lacks="a queue of thousands of commands",
    ),
    Planted(
        id="full-disk-rollback-unheard",
        breaks="on a full disk a rollback does not reach a living run",
        edits=(
            Edit(
                "cutover.local.inbox:LocalInbox._commands",
                "            commands += self._pipe.take()\n",
                "            self._pipe.take()\n",
            ),
        ),
        origin="issue 7, 1.5",
        near=(_MAILBOX, "tests/e2e/test_disk.py"),
    ),
    Planted(
        id="rollback-beside-another-command-lost",
        breaks="a rollback said together with another command changes nothing",
        edits=(
            Edit(
                "cutover.core.engine:_commands",
                "if back and phase not in",
                "if back and len(said) == 1 and phase not in",
            ),
        ),
        near=(_WORDS,),
    ),
    Planted(
        id="crashed-run-goes-on",
        breaks="after a crash the run goes forward though nobody said so",
        edits=(
            Edit(
                "cutover.core.engine:_began",
                "    if turn.state.phase in _FORWARD:\n        turn.hold(",
                "    if turn.state.phase in ():\n        turn.hold(",
            ),
        ),
        near=("tests/core/engine/test_corners.py", _WORDS),
    ),
    Planted(
        id="resume-forgets-a-breach",
        breaks="a breach that is seen in the look in which a resume is heard is forgotten with the evidence",
        edits=(
            Edit(
                "cutover.core.engine.holding:resume",
                "    if stopped := _breached(turn):\n        return stopped\n",
                "",
            ),
        ),
        origin="a walk",
        near=(_WORDS,),
    ),
    Planted(
        id="hold-without-a-deadline",
        breaks="a hold for missing evidence waits for ever",
        edits=(
            Edit(
                "cutover.core.engine.holding:holding",
                "if held.deadline_ms and turn.now.wall_ms >= held.deadline_ms:",
                "if held.deadline_ms < 0:",
            ),
        ),
        near=(
            "tests/core/engine/test_shared_incident.py",
            "tests/core/engine/test_uncompared.py",
            "tests/core/engine/test_back.py",
        ),
    ),
    Planted(
        id="pause-not-heard-in-a-hold",
        breaks="a pause said in a hold that clears by itself does not keep it from going on",
        edits=(
            Edit(
                "cutover.core.engine:_hear",
                "if rule.clears or rule.rolls_back:",
                "if rule.rolls_back and not rule.clears:",
            ),
        ),
        near=("tests/core/engine/test_uncompared.py", _WORDS),
    ),
    Planted(
        id="group-writable-state-accepted",
        breaks="a state directory that a group can write to is accepted by `run` and `resume`",
        edits=(
            Edit(
                "cutover.local.state_directory:StateDirectory._unsafe",
                "if found.mode & _OTHERS_WRITE:",
                "if found.mode & stat.S_IWOTH:",
            ),
        ),
        origin="issue 7, 3",
        near=("tests/local/test_state_directory.py",),
        lacks="other users of the machine",
    ),
    Planted(
        id="terminal-escapes-printed",
        breaks="control characters of a file or of AWS reach the terminal",
        edits=(
            Edit(
                "cutover.core.errors:_shown",
                "    if unicodedata.category(character)",
                "    if character or unicodedata.category(character)",
            ),
        ),
        origin="issue 7, 3",
        near=("tests/cli/test_printing.py",),
        lacks="nothing that AWS names holds control characters there, and no terminal is looked at",
    ),
)
