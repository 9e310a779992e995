"""The core on fakes, killed at random records and writes, until somebody's command brings it to an end."""

from __future__ import annotations

import random

from cutover.core.journal.events import Event, Intent
from cutover.core.observation import CommandName
from cutover.core.state import Phase, replay
from cutover.core.values import HOUR
from tests.fakes import TWO_ROUTES, Bench, Killed, WriteFault, plan_of
from tests.promises.from_bench import watched

MOST_DEATHS = 4


class Reaper:
    """Kills the process after so many more records, or around its next writes."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self.left = 0
        self.at_write = ""

    def arm(self) -> None:
        """Choose the next death."""
        self.left = self._chance.randrange(1, 90)
        self.at_write = self._chance.choice(("", "", "before write", "after write"))

    def disarm(self) -> None:
        """Nobody dies any more."""
        self.left, self.at_write = 1_000_000, ""

    def recorded(self, _event: Event) -> None:
        """Called after each durable record.

        Raises:
            Killed: when it is the last.
        """
        self.left -= 1
        if self.left == 0:
            raise Killed

    def wrote(self, where: str) -> None:
        """Called before and after each write.

        Raises:
            Killed: at the chosen one.
        """
        if where == self.at_write and self._chance.random() < 0.5:
            raise Killed


class Somebody:
    """Looks every hour, and says go on: a lost answer holds until then."""

    def __init__(self, bench: Bench) -> None:
        self.looks = True
        self._bench = bench
        bench.clock.call_in(HOUR, self._look)

    def _look(self) -> None:
        if self.looks:
            self._bench.inbox.say(CommandName.RESUME)
        self._bench.clock.call_in(HOUR, self._look)


def life(seed: int) -> str:
    """One run with its deaths; how it ended.

    Raises:
        AssertionError: when it does not converge, or a promise was broken on the way.
    """
    with watched():
        return _life(seed)


def _life(seed: int) -> str:
    chance = random.Random(seed)
    bench = Bench(plan_of(routes=list(TWO_ROUTES)) if chance.random() < 0.5 else plan_of())
    if chance.random() < 0.3:
        bench.router.faults.append(
            WriteFault(chance.choice(("throttle", "lost", "timeout")), chance.randint(1, 3))
        )
    if chance.random() < 0.4:
        bench.at_weight(500, lambda: setattr(bench.traffic, "destination_errors", 0.05), 60_000)
    reaper = Reaper(chance)
    bench.journal.killed_at, bench.router.killed_at = reaper.recorded, reaper.wrote
    somebody = Somebody(bench)
    commands: tuple[CommandName, ...] = ()
    for _ in range(MOST_DEATHS):
        reaper.arm()
        try:
            bench.run(*commands)
            break
        except Killed:
            somebody.looks = False
            _untouched_without_a_word(bench, reaper, seed)
            somebody.looks = True
            commands = (
                chance.choice((CommandName.RESUME, CommandName.RESUME, CommandName.ROLLBACK)),
            )
    reaper.disarm()
    if bench.state.phase not in (Phase.COMPLETED, Phase.ROLLED_BACK, Phase.REFUSED):
        bench.run(*(commands or (CommandName.RESUME,)))
    # a process that died after its last record had not folded it any more: what counts is the journal
    state = bench.state
    if state.seq < bench.journal.records[-1].seq:
        state = replay(bench.plan, bench.journal.records)
    wrong = list(bench.log.broken)
    if state != replay(bench.plan, bench.journal.records):
        wrong.append("the journal does not fold to what the process had")
    if bench.state.phase not in (Phase.COMPLETED, Phase.ROLLED_BACK, Phase.REFUSED):
        wrong.append(f"did not converge: {bench.state.phase}")
    if wrong:
        raise AssertionError(f"seed {seed}: {'; '.join(wrong)}")
    return f"{bench.state.phase} after {bench.journal.epoch} processes"


def _untouched_without_a_word(bench: Bench, reaper: Reaper, seed: int) -> None:
    """A process that finds a dead one's run, and hears nothing, moves nothing forward."""
    reaper.disarm()
    before = sum(
        isinstance(record.event, Intent) and record.event.kind == "move"
        for record in bench.journal.records
    )
    if bench.state.phase in (Phase.COMPLETED, Phase.ROLLED_BACK, Phase.PREFLIGHT):
        return
    bench.inbox.say_in(60_000, CommandName.INTERRUPT, signal=15)
    bench.run()
    after = sum(
        isinstance(record.event, Intent) and record.event.kind == "move"
        for record in bench.journal.records
    )
    if after != before:
        raise AssertionError(
            f"seed {seed}: something moved forward after a crash, and nobody said so"
        )
