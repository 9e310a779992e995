"""What is durable, what a journal's bytes mean, and what a disk that fails may stop."""

from __future__ import annotations

from tests.planted.bug import Edit, Planted

_WRITE = "cutover.local.journal:FileJournal._write"
_FORWARD = "cutover.runner:Runner._forward"

JOURNAL = (
    Planted(
        id="append-without-fsync",
        breaks="a record counts as durable without fsync",
        edits=(
            Edit(
                _WRITE,
                "            if self._durable:\n                self._disk.sync(handle)\n",
                "            pass\n",
            ),
        ),
        near=("tests/local/test_journal.py",),
    ),
    Planted(
        id="fsync-after-the-send",
        breaks="each record is synced with the next one, so a write leaves before its intent is durable",
        edits=(
            Edit(
                _WRITE,
                "            self._disk.write_all(handle, line)\n",
                "            if self._durable:\n                self._disk.sync(handle)\n            self._disk.write_all(handle, line)\n",
            ),
            Edit(
                _WRITE,
                "            if self._durable:\n                self._disk.sync(handle)\n        except OSError as error:\n            self._give_up",
                "            pass\n        except OSError as error:\n            self._give_up",
            ),
        ),
        near=("tests/local/test_journal.py",),
    ),
    Planted(
        id="failed-fsync-believed",
        breaks="an fsync that fails is taken for a success",
        edits=(
            Edit(
                _WRITE,
                "            self._give_up(error)\n            return error\n        return None",
                "            return None\n        return None",
            ),
        ),
        near=("tests/local/test_journal.py",),
    ),
    Planted(
        id="rename-without-directory-fsync",
        breaks="a replaced file (snapshot.json, restore.sh) is not durable when it is said to be",
        edits=(
            Edit(
                "cutover.local.disk:Disk.keep",
                "        if durable:\n            self.sync_directory(path.parent)\n",
                "",
            ),
        ),
        near=("tests/local",),
    ),
    Planted(
        id="send-before-intent",
        breaks="a raise is sent first and its intent journalled afterwards",
        edits=(
            Edit(
                _FORWARD,
                """        durable &= self._record_all(intents, self._ports.clock.now())
        if not durable:
            self._cancel(changes, _NOT_TAKEN)
        elif why := self._refused(permit, effect.routes):
            self._cancel(changes, why)
        else:
            self._send(changes, permit)
""",
                """        if not durable or self._refused(permit, effect.routes):
            return
        said = self._ports.router.write(changes, permit)
        self._record_all(intents, self._ports.clock.now())
        self._record_all(
            [
                self._outcome(
                    route, one, "cancelled" if one.code == NOT_SENT else str(one.result)
                )
                for route, one in said.items()
            ],
            self._ports.clock.now(),
        )
""",
            ),
        ),
        near=("tests/runner",),
    ),
    Planted(
        id="raise-without-a-journal",
        breaks="a raise is sent although the journal did not take its intent",
        edits=(
            Edit(_FORWARD, "        durable &= self._record_all(", "        self._record_all("),
        ),
        near=("tests/runner", "tests/core/engine/test_safety.py"),
    ),
    Planted(
        id="rollback-waits-for-the-disk",
        breaks="a rollback writes nothing while the journal takes nothing",
        edits=(
            Edit(
                "cutover.runner:Runner._restore",
                "        self._record_all(events, self._ports.clock.now())\n",
                "        if not self._record_all(events, self._ports.clock.now()):\n            return\n",
            ),
        ),
        near=("tests/runner", "tests/core/engine/test_back.py"),
    ),
    Planted(
        id="torn-tail-is-damage",
        breaks="a half-written last line is damage, so a run that lost power cannot go on",
        edits=(
            Edit(
                "cutover.local.journal_file:read_journal",
                "if end < 0 or (last and",
                "if end >= 0 and (last and",
            ),
        ),
        near=("tests/local/test_journal_file.py",),
    ),
    Planted(
        id="damage-is-a-torn-tail",
        breaks="a changed line in the middle is taken for a torn tail: what came after it is forgotten",
        edits=(
            Edit(
                "cutover.local.journal_file:read_journal",
                "good, damage=damage)",
                "good, torn=data[good:])",
            ),
        ),
        near=("tests/local/test_journal_file.py",),
    ),
    Planted(
        id="absurd-record-believed",
        breaks="a record with null or a time in the year 9000 is believed",
        edits=(
            Edit(
                "cutover.local.journal_file:_refuse_absurd",
                "    while left:",
                "    while left and not data:",
            ),
        ),
        origin="issue 7, 1.8",
        near=("tests/local/test_journal_file.py", "tests/proofs/test_slices.py"),
        lacks="absurd journals are a proof of their own (tests/proofs/absurd.py, kind `journals` of `make prove`): no adversary forges records",
    ),
)
