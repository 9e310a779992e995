"""Words for the runner, from files, kill switches, signals and keys: the loop's only sleep.

A word in `words/` is one file, put there in one step. A word that stops (pause, rollback) is
removed only at the next wait, when the runner has journalled it: a crash in between says it again.
A word that goes forward is removed before it is said: a crash may lose it, but nothing is ever
approved twice. What cannot be read is taken for a pause (promises P26: unreadable means hold).
"""

from __future__ import annotations

import json
import os
import select
from collections.abc import Sequence
from pathlib import Path

from cutover.core.errors import RefusedError
from cutover.core.moment import Moment
from cutover.core.observation import Word, WordName
from cutover.core.values import canonical_json, digest
from cutover.local.keyboard import Keyboard
from cutover.local.run_directory import RunDirectory
from cutover.local.signals import Signals
from cutover.ports import Clock, Mailbox

POLL_MS = 250
"""How long a word in a file may wait to be seen."""

SWITCHES = {"HOLD": WordName.PAUSE, "ROLLBACK": WordName.ROLLBACK}
"""Kill switches: `touch`ed files in the run's or the state directory (promises P26)."""

_SAYABLE = frozenset(WordName) - {WordName.INTERRUPT}
_STOPPING = frozenset({WordName.PAUSE, WordName.ROLLBACK})
_FORWARD = frozenset({WordName.RESUME, WordName.APPROVE, WordName.ACCEPT_DRIFT})
_LONGEST = 16_384


def leave_word(run: RunDirectory, word: Word, at: Moment) -> Path:
    """Put a word where the run's process will find it, durably; returns its file.

    Raises:
        RefusedError: when the disk does not take it; the hint says what works without a disk.
    """
    said = {"name": word.name.value, "who": word.who, "why": word.why, "detail": word.detail}
    text = canonical_json(said).encode("ascii")
    # two processes may say the same in the same millisecond: a file for each
    unique = digest(f"{at.boot_ms} {os.getpid()} {text.decode('ascii')}")[:12]
    path = run.words / f"{at.wall_ms:015d}-{word.name.value}-{unique}.json"
    try:
        run.disk.keep(path, text, durable=not run.rehearsal)
    except OSError as error:
        pid = run.pid()
        raise RefusedError(
            f"the word cannot be left in {run.words}: {error.strerror or error}",
            hint=f"kill -TERM {pid or 'PID'} makes the run hold; sh {run.restore} takes the traffic back",
        ) from None
    return path


def waiting_words(run: RunDirectory) -> tuple[Word, ...]:
    """The words that nobody has heard yet, oldest first; for display, they stay where they are."""
    words: list[Word] = []
    try:
        names = [name for name in run.disk.list(run.words) if not name.startswith(".")]
    except OSError:
        return ()
    for name in names:
        try:
            words.append(_parsed(run.disk.read(run.words / name, _LONGEST + 1)))
        except FileNotFoundError:
            continue  # heard in this very moment
        except (OSError, ValueError):
            words.append(Word(WordName.PAUSE, "unknown", f"{name} cannot be read"))
    return tuple(words)


class WordsMailbox(Mailbox):
    """The mailbox of a live run. `switches` are directories whose HOLD and ROLLBACK files count."""

    def __init__(
        self,
        run: RunDirectory,
        clock: Clock,
        *,
        switches: Sequence[Path] = (),
        signals: Signals | None = None,
        keyboard: Keyboard | None = None,
        first: Sequence[Word] = (),
    ) -> None:
        self._run = run
        self._clock = clock
        self._switches = tuple(
            (directory / name, word)
            for directory in dict.fromkeys((run.path, *switches))
            for name, word in SWITCHES.items()
        )
        self._signals = signals
        self._keyboard = keyboard
        self._first = tuple(first)
        self._said: set[str] = set()  # files that were said and may still be there
        self._done: list[Path] = []  # to remove once the runner has journalled them
        self._on: set[Path] = set()  # switches that were said
        self._blind = False

    def wait(self, until: Moment) -> tuple[Word, ...]:
        self._remove_done()
        while True:
            words = self._words()
            left = until.after(self._clock.now())
            if words or left <= 0:
                return words
            self._sleep(min(left, POLL_MS))

    def stopping(self) -> str:
        return ""

    def _sleep(self, ms: int) -> None:
        sources = [
            source.fileno() for source in (self._signals, self._keyboard) if source is not None
        ]
        select.select([source for source in sources if source is not None], [], [], ms / 1000)

    def _words(self) -> tuple[Word, ...]:
        words, self._first = list(self._first), ()
        if self._signals is not None:
            words += self._signals.take()
        if self._keyboard is not None:
            words += self._keyboard.take(self._clock.now())
        words += self._from_files()
        switched = self._from_switches()
        if not switched and any(word.name in _FORWARD for word in words):
            # "go on" does not overrule a switch that is still on: say it again, after the word
            self._on.clear()
            switched = self._from_switches()
        return (*words, *switched)

    def _from_files(self) -> list[Word]:
        try:
            names = self._run.disk.list(self._run.words)
        except OSError as error:
            return self._unreadable(self._run.words, error)
        self._blind = False
        words: list[Word] = []
        for name in names:
            if name.startswith(".") or name in self._said:
                continue
            self._said.add(name)
            words += self._one(self._run.words / name)
        return words

    def _one(self, path: Path) -> list[Word]:
        try:
            word = _parsed(self._run.disk.read(path, _LONGEST + 1))
        except FileNotFoundError:
            return []  # taken back by whoever left it
        except (OSError, ValueError) as error:
            why = f"the word {path.name} cannot be read ({error}), so the run holds"
            self._done.append(path)
            return [Word(WordName.PAUSE, "unknown", why)]
        if word.name in _STOPPING:
            self._done.append(path)
        else:
            self._remove(path)
        return [word]

    def _unreadable(self, path: Path, error: OSError) -> list[Word]:
        if self._blind:
            return []
        self._blind = True
        return [
            Word(
                WordName.PAUSE,
                "unknown",
                f"{path} cannot be read ({error.strerror or error}), so the run holds",
            )
        ]

    def _from_switches(self) -> tuple[Word, ...]:
        words: list[Word] = []
        for path, switch in self._switches:
            name = switch
            try:
                on = self._run.disk.look(path) is not None
            except OSError:
                on, name = True, WordName.PAUSE  # unreadable means hold, never more
            if on and path not in self._on:
                self._on.add(path)
                words.append(
                    Word(
                        name,
                        "kill switch",
                        f"the file {path} exists; remove it to go on",
                        "switch",
                    )
                )
            elif not on:
                self._on.discard(path)
        return tuple(words)

    def _remove_done(self) -> None:
        done, self._done = self._done, []
        for path in done:
            self._remove(path)

    def _remove(self, path: Path) -> None:
        try:
            self._run.disk.remove(path)
        except OSError:
            return  # it was said once, and `_said` remembers
        self._said.discard(path.name)


def _parsed(text: bytes) -> Word:
    if len(text) > _LONGEST:
        raise ValueError("too long")
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        raise ValueError("not JSON") from None
    if not isinstance(data, dict) or not all(isinstance(value, str) for value in data.values()):
        raise ValueError("not a word")
    if data.get("name") not in _SAYABLE:
        raise ValueError(f"no such word: {str(data.get('name'))[:40]!r}")
    return Word(
        WordName(data["name"]),
        data.get("who", "unknown"),
        data.get("why", ""),
        detail=data.get("detail", ""),
    )
