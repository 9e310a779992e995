"""Runs that are killed at random moments, again and again, until somebody's command brings them to an end.

`python -m tests.crash.kill_loop --budget SECONDS --seed N` goes on for a while, several runs at a time;
a failure names the seed that repeats its choices (the operating system's own timing it cannot repeat).
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

from tests.e2e.emulator import Emulator, serving
from tests.e2e.stage import GaveUpError, Process, Stage
from tests.e2e.witness import Call, Does
from tests.proofs.commit import commit

STEPS = ("weight: 10, bake: 2s", "weight: 40, bake: 2s")
DEATHS: tuple[Does, ...] = ("kill", "kill_after")
MOST_DEATHS = 4
KILLED = f"({-signal.SIGKILL})"
"""How a life tells of a process that was killed."""


def one_life(path: Path, emulator: Emulator, seed: int) -> str:
    """One run with its deaths; what happened, in a line.

    Raises:
        AssertionError: when what is left does not converge, or a promise was broken on the way.
    """
    chance = random.Random(seed)
    stage = Stage.build(
        path, emulator, rules=chance.choice((1, 2)), listener=chance.random() < 0.3
    )
    told: list[str] = [f"seed {seed}:"]
    try:
        _live(stage, chance, told)
        _judge(stage, told)
        stage.close()
    except Exception as error:
        raise AssertionError(f"{' '.join(told)}\n{error}\n{stage.view()}") from error
    finally:
        stage.stop()
    return " ".join(told)


def _live(stage: Stage, chance: random.Random, told: list[str]) -> None:
    plan = stage.plan(*STEPS)
    _arm(stage, chance, told)
    process = stage.run(plan)
    for _ in range(MOST_DEATHS):
        code = _end(stage, process, chance)
        told.append(f"({code})")
        if code != -signal.SIGKILL:
            break
        _undisturbed(stage)
        if not stage.records():
            return
        command = chance.choice(("resume", "resume", "rollback"))
        told.append(command)
        _arm(stage, chance, told)
        process = stage.drive(command, "one")
    if process.popen.poll() in (None, -signal.SIGKILL):
        _undisturbed(stage)
        process.popen.kill()
        process.ends()
        told.append("at last rollback")
        code = stage.drive("rollback", "one").ends()
        assert code in (2, 3, 7), f"the last rollback ended with {code}"


def _arm(stage: Stage, chance: random.Random, told: list[str]) -> None:
    """Choose the next death: at a call of the witness's count, or at a moment after a record."""
    _undisturbed(stage)
    if chance.random() < 0.5:
        does, writes = chance.choice(DEATHS), chance.random() < 0.7
        left = [chance.randint(1, 4) if writes else chance.randint(1, 60)]
        lock = threading.Lock()

        def due(call: Call) -> bool:
            if writes and not call.mutates:
                return False
            with lock:
                left[0] -= 1
                return left[0] == 0

        told.append(f"{does} at {'write' if writes else 'call'} {left[0]}")
        stage.witness.happens(does, due)


def _undisturbed(stage: Stage) -> None:
    for fault in stage.witness.faults:
        fault.times = 0


def _end(stage: Stage, process: Process, chance: random.Random) -> int | None:
    """The process's end, of itself, by the witness, or by us a random while after a random record.

    None when it holds, for a person: the call that it was to be killed at may never come then.
    """
    if any(fault.times for fault in stage.witness.faults):
        stage.until(
            "the end, or a hold", lambda: process.popen.poll() is not None or _holds(stage)
        )
        return process.popen.poll()
    wanted = len(stage.records()) + chance.randint(1, 110)
    stage.until(
        "as many records or the end",
        lambda: process.popen.poll() is not None or len(stage.records()) >= wanted,
    )
    time.sleep(chance.random() * 0.3)
    if process.popen.poll() is None:
        os.kill(process.pid, signal.SIGKILL)
    return process.ends()


STAYS = 15
"""So many records after a hold began it waits for a person."""


def _holds(stage: Stage) -> bool:
    records = stage.records()
    hold = next((one["hold"] for one in reversed(records) if one["type"] == "phase"), "")
    turned = (n for n, one in enumerate(records) if one["type"] in ("phase", "lease"))
    return bool(hold) and len(records) - max(turned, default=0) > STAYS


def _judge(stage: Stage, told: list[str]) -> None:
    """Every promise holds, and the run came to an end: that is what its last process was for."""
    stage.sound()
    records = stage.records()
    if not records:
        assert not stage.witness.writes(), "written before the first record"
        return
    phase = stage.phase()
    told.append(phase)
    assert phase in ("COMPLETED", "ROLLED_BACK", "REFUSED", "PREFLIGHT", ""), phase
    if phase != "COMPLETED":
        assert stage.is_restored(), f"{phase}, and not as it was: {stage.live()}"
    stage.verified()
    replayed = stage.say("journal", "replay", "one")
    assert replayed.code == 0, replayed.said


@dataclass(frozen=True)
class Lives:
    """What a while of it came to.

    Attributes:
        lives: runs that were brought to an end.
        kills: processes that were killed on the way.
        failed: runs that did not converge, or broke a promise.
    """

    lives: int
    kills: int
    failed: int


def prove(budget: float, seed: int, at_once: int, *, each: bool = True) -> Lives:
    """As many lives as the budget (seconds) allows, at least `at_once`; `each`: a line for each of them."""
    deadline = time.monotonic() + budget
    lives = kills = failed = 0
    with (
        serving() as emulator,
        tempfile.TemporaryDirectory(prefix="kill-loop-") as place,
        ThreadPoolExecutor(at_once) as pool,
    ):
        while not lives or time.monotonic() < deadline:
            batch = [
                pool.submit(one_life, Path(place) / str(number), emulator, number)
                for number in range(seed + lives, seed + lives + at_once)
            ]
            for future in as_completed(batch):
                lives += 1
                try:
                    told = future.result()
                    kills += told.count(KILLED)
                    if each:
                        print(told, flush=True)
                except (AssertionError, GaveUpError) as error:
                    failed += 1
                    print(f"FAILED kill loop, commit {commit()}: {error}", flush=True)
                    print("again: python -m tests.crash.kill_loop --at-once 1 --budget 1 --seed N")
    print(
        f"kill loop: seeds {seed} to {seed + lives - 1}, {lives} runs brought to an end over {kills} kills, "
        f"{failed} violations",
        flush=True,
    )
    return Lives(lives, kills, failed)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--budget", type=float, default=60, help="seconds")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--at-once", type=int, default=6)
    asked = parser.parse_args()
    return int(prove(asked.budget, asked.seed, asked.at_once).failed > 0)


if __name__ == "__main__":
    sys.exit(main())
