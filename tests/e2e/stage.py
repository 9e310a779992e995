"""One test's world: a place on the emulator, a witness before it, a state directory, and commands as processes."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.e2e.emulator import ACCOUNT, REGION, Emulator, Place, meaning
from tests.e2e.fork_server import Forked
from tests.e2e.traffic import Traffic
from tests.e2e.witness import Witness
from tests.promises.from_stage import SECRET, printed_broken, stage_broken

PATIENCE = 300.0
"""Seconds that anything may take on a busy machine before a test gives up waiting for it."""

Record = dict[str, Any]


class GaveUpError(AssertionError):
    """What a test waited for did not come."""


@dataclass
class Process:
    """A cutover command that runs."""

    name: str
    popen: subprocess.Popen[str] | Forked
    out: Path
    err: Path

    @property
    def pid(self) -> int:
        return self.popen.pid

    @property
    def said(self) -> str:
        """Everything it wrote so far."""
        return self.out.read_text("utf-8") + self.err.read_text("utf-8")

    def ends(self) -> int:
        """Its exit code; -9 when it was killed."""
        try:
            return self.popen.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            raise GaveUpError(f"{self.name} still runs\n{self.said}") from None

    def signal(self, number: signal.Signals) -> None:
        self.popen.send_signal(number)


@dataclass
class Done:
    """A command that ended."""

    code: int
    out: str
    err: str

    @property
    def said(self) -> str:
        return self.out + self.err


@dataclass
class Stage:
    """Everything a test touches."""

    path: Path
    emulator: Emulator
    place: Place
    state: Path
    witness: Witness
    processes: list[Process] = field(default_factory=list)
    breaks: frozenset[str] = frozenset()
    """Promises that the test breaks on purpose, by id."""
    status: dict[Path, dict[str, Any]] = field(default_factory=dict)
    """By journal, what `status --json` says of its run when the test has ended."""
    found: dict[str, tuple[Any, ...]] = field(default_factory=dict)

    @classmethod
    def build(
        cls,
        path: Path,
        emulator: Emulator,
        *,
        rules: int = 1,
        listener: bool = False,
        sticky: bool = False,
        destination_targets: int = 4,
    ) -> Stage:
        """A new world under `path`."""
        place = emulator.build(
            rules, listener=listener, sticky=sticky, destination_targets=destination_targets
        )
        path.mkdir(parents=True, exist_ok=True)
        (path / "tmp").mkdir(exist_ok=True)
        state = path / "state"
        routes = tuple(route.arn for route in place.routes)
        traffic = Traffic(place.source, place.destination, routes)
        stage = cls(path, emulator, place, state, Witness(emulator.url, traffic, state))
        stage.found = stage.live()
        return stage

    def close(self) -> None:
        """Nothing runs any more, and every promise was kept."""
        try:
            self._kill()
            self._last_status()
            self.sound()
        finally:
            self.stop()

    def stop(self) -> None:
        """Nothing runs any more, whatever it did."""
        self._kill()
        self.witness.close()

    def _kill(self) -> None:
        for process in self.processes:
            if process.popen.poll() is None:
                process.popen.kill()
            process.popen.wait()
            if process.popen.stdout is not None:
                process.popen.stdout.close()

    def _last_status(self) -> None:
        """What people are told of each run of the state directory, once nothing drives it any more."""
        for path in sorted(self.state.glob("runs/*/journal.jsonl")):
            done = self.say("status", path.parent.name, "--json")
            if done.code == 0:
                self.status[path] = json.loads(done.out)

    # what is there

    def live(self) -> dict[str, tuple[Any, ...]]:
        """What every route does to traffic now."""
        return {route.arn: meaning(self.emulator.actions(route)) for route in self.place.routes}

    def shares(self) -> set[float]:
        """The destination's share on every route."""
        found = set()
        for actions in self.live().values():
            weights = dict(next(one[1] for one in actions if one[0] == "forward"))
            found.add(weights.get(self.place.destination, 0) / sum(weights.values()))
        return found

    def is_restored(self) -> bool:
        """Every route does what it did when the stage was built."""
        return self.live() == self.found

    def plan(
        self,
        *steps: str,
        name: str = "shop",
        file: str = "plan.yaml",
        gates: Sequence[str] = ("errors: {max: 2%}", "healthy: {min: 2}"),
        safety: str = "{blind_budget: 60s}",
        confirm: str = "2s",
        more: str = "",
    ) -> Path:
        """A plan file over the stage's routes, in seconds instead of minutes."""
        routes = "".join(
            f"  - {route.by}: {route.arn}\n"
            f"    source: {self.place.source}\n    destination: {self.place.destination}\n"
            for route in self.place.routes
        )
        text = (
            f'version: 1\nname: {name}\naws: {{region: {REGION}, account: "{ACCOUNT}"}}\n'
            f"routes:\n{routes}steps:\n"
            + "".join(f"  - {{{step}}}\n" for step in steps or TWO_STEPS)
            + "gates:\n"
            + "".join(f"  - {gate}\n" for gate in gates)
            + f"observe: {{period: 1s, settle: 1s, poll: 1s, confirm: {confirm}}}\n"
            + f"safety: {safety}\nmanaged_by: none\n{more}"
        )
        path = self.path / file
        path.write_text(text, "utf-8")
        return path

    # commands

    def environment(self, changes: Mapping[str, str | None] | None = None) -> dict[str, str]:
        """As little of ours as a command needs; a change to None leaves the name out."""
        private = ("AWS_", "CUTOVER_", "XDG_", "PYTEST_", "COLUMNS", "LINES")
        wanted: dict[str, str | None] = {
            **{k: v for k, v in os.environ.items() if not k.startswith(private)},
            "HOME": str(self.path),
            # what a rollback leaves there would be read by every later run of the same name
            "TMPDIR": str(self.path / "tmp"),
            "CUTOVER_STATE_DIR": str(self.state),
            "AWS_ENDPOINT_URL": self.witness.url,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": "/dev/null",
            "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
            **(changes or {}),
        }
        return {name: value for name, value in wanted.items() if value is not None}

    def start(
        self,
        *commands: object,
        env: Mapping[str, str | None] | None = None,
        stdout: int | None = None,
    ) -> Process:
        """Start `cutover WORDS`; its output goes to files, or stdout to where it is told."""
        number = len(self.processes) + 1
        env = {"AWS_ACCESS_KEY_ID": f"process{number}", **(env or {})}
        out, err = self.path / f"{number}.out", self.path / f"{number}.err"
        popen: subprocess.Popen[str] | Forked
        with out.open("w") as out_file, err.open("w") as err_file:
            if stdout is None and self.emulator.forks is not None:
                popen = self.emulator.forks.start(
                    [*map(str, commands)], self.environment(env), out_file, err_file
                )
            else:
                popen = subprocess.Popen(
                    [sys.executable, "-m", "cutover", *map(str, commands)],
                    env=self.environment(env),
                    stdin=subprocess.DEVNULL,
                    stdout=out_file if stdout is None else stdout,
                    stderr=err_file,
                    text=True,
                    start_new_session=True,
                )
        process = Process(f"cutover {' '.join(map(str, commands))}", popen, out, err)
        self.processes.append(process)
        return process

    def drive(self, *commands: object, env: Mapping[str, str | None] | None = None) -> Process:
        """Start a command that becomes the runner: the witness kills this one when it is told to."""
        process = self.start(*commands, env=env)
        self.witness.serves(process.pid)
        return process

    def run(self, plan: Path, *commands: object) -> Process:
        """Start `cutover run PLAN --yes`."""
        return self.drive("run", plan, "--yes", "--run-id", "one", *commands)

    def say(self, *commands: object, env: Mapping[str, str | None] | None = None) -> Done:
        """Run a command to its end."""
        process = self.start(*commands, env=env)
        code = process.ends()
        return Done(code, process.out.read_text("utf-8"), process.err.read_text("utf-8"))

    # the journal

    @property
    def directory(self) -> Path:
        return self.state / "runs" / "one"

    def records(self) -> list[Record]:
        """The run's journal so far; a torn last line is left out."""
        try:
            data = (self.directory / "journal.jsonl").read_bytes()
        except OSError:
            return []
        return [json.loads(line) for line in data.split(b"\n")[:-1]]

    def phase(self) -> str:
        """The newest phase in the journal."""
        return next(
            (str(one["after"]) for one in reversed(self.records()) if one["type"] == "phase"), ""
        )

    def until(
        self, what: str, holds: Callable[[], object], process: Process | None = None
    ) -> None:
        """Wait for a condition, as long as the process that should bring it about lives."""
        deadline = time.monotonic() + PATIENCE
        while not holds():
            ended = process is not None and process.popen.poll() is not None
            if holds():
                return
            if ended or time.monotonic() > deadline:
                raise GaveUpError(
                    f"{'the process ended before' if ended else 'no'} {what}\n{self.view()}"
                )
            time.sleep(0.05)

    def until_phase(
        self, phase: str, process: Process | None = None, *, step: int | None = None
    ) -> None:
        """Wait until the journal names this phase, now or before."""

        def named() -> bool:
            return any(
                one["type"] == "phase"
                and one["after"] == phase
                and (step is None or one["step"] == step)
                for one in self.records()
            )

        self.until(f"{phase} of step {step}", named, process or self.processes[-1])

    def view(self) -> str:
        """What to read when a test fails."""
        lines = [
            json.dumps(
                {k: v for k, v in one.items() if k not in ("prev", "hash", "boot_id", "v", "run")}
            )[:400]
            for one in self.records()
            if one["type"] != "minute"
        ][-40:]
        writes = [f"{one.operation} {one.share} {one.became}" for one in self.witness.writes()]
        said = [f"$ {one.name}\n{one.said[-3000:]}" for one in self.processes]
        return "\n".join((*lines, *writes, *said, *self.witness.problems))

    # judging

    def expect(self, process: Process, code: int) -> None:
        """The process ends with this code, and everything it wrote was meant before it was sent."""
        found = process.ends()
        if found != code:
            raise GaveUpError(f"{process.name} ended with {found}, not {code}\n{self.view()}")
        self.sound()

    def sound(self) -> None:
        """Every promise holds so far, but for those that the test breaks on purpose; nothing was sent that AWS refuses."""
        broken = stage_broken(self) + printed_broken(self)
        unmeant = [one for one in broken if one.partition(":")[0] not in self.breaks]
        told = "\n".join(dict.fromkeys(unmeant))
        assert not unmeant, f"promises were broken:\n{told}\n{self.view()}"
        assert not self.witness.problems, self.witness.problems

    def verified(self, run: str = "one") -> None:
        """`journal verify` finds nothing."""
        done = self.say("journal", "verify", run)
        assert done.code == 0, done.said

    def climbs(self) -> list[float]:
        """The shares that were written, in order, without repetitions."""
        found: list[float] = []
        for call in self.witness.effects():
            if call.share is not None and (not found or found[-1] != round(call.share, 3)):
                found.append(round(call.share, 3))
        return found

    def copy(self) -> Path:
        """The state directory as it is, beside it."""
        place = self.path / f"copy-{len(list(self.path.glob('copy-*')))}"
        shutil.copytree(self.state, place, ignore=shutil.ignore_patterns("commands.pipe"))
        return place


TWO_STEPS = ("weight: 10, bake: 2s", "weight: 100, bake: 2s")
