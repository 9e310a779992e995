"""One run, turn by turn, in any weather: whatever comes in whatever order, some things never happen."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from cutover.core import events as ev
from cutover.core.errors import ExitCode
from cutover.core.moment import Moment
from cutover.core.observation import GroupHealth, Unknown, WordName
from cutover.core.state import RESTING, TERMINAL, Phase, RunState, evolve, replay
from cutover.core.values import MINUTE, SECOND
from cutover.runner import Runner
from tests.fakes import DESTINATION, SOURCE, TWO_ROUTES, Bench, Killed, WriteFault, form, plan_of

WELL = GroupHealth(6, 6, {"a": 2, "c": 2, "d": 2})
SAID = (WordName.PAUSE, WordName.RESUME, WordName.APPROVE, WordName.ACCEPT_DRIFT, WordName.FINISH)
ENDING = (WordName.ROLLBACK, WordName.INTERRUPT, WordName.LEAVE)


class AnyWeather(RuleBasedStateMachine):
    """The rules are what may happen; what never may is in the catalogue of promises."""

    @initialize(
        two=st.booleans(),
        approve=st.booleans(),
        on_drift=st.sampled_from(["hold", "rollback"]),
        ends=st.tuples(st.booleans(), st.booleans()),
        calm=st.sampled_from([4, 20, 40, 65, 90]),
    )
    def begin(
        self,
        two: bool,
        approve: bool,
        on_drift: str,
        ends: tuple[bool, bool],
        calm: int,
    ) -> None:
        """A run of two short steps, some begin above zero, some hold back a sliver; the first turns are calm."""
        above_zero, held_back = ends
        last: dict[str, object] = {"weight": 100, "bake": "4m"}
        plan = plan_of(
            steps=[{"weight": 20, "bake": "4m"}, {**last, "approve": "ok?"} if approve else last],
            gates=[{"errors": {"max": "1%"}}, {"healthy": {"min": 2}}],
            safety={"on_drift": on_drift, "hold_timeout": "30m"},
            **({"routes": list(TWO_ROUTES)} if two else {}),
            **({"hold_back": "10%"} if held_back else {}),
        )
        self.found = form(20) if above_zero else form(0, attached=False)
        self.bench = Bench(plan, self.found)
        self.bench.mailbox.give_up_ms *= 4
        self.routes = [route.id for route in plan.routes]
        self.foreign = False
        self.checked, self.folded = 0, RunState()
        self.runner: Runner | None = self.bench.start()
        self.code: ExitCode | None = None
        for _ in range(calm):
            self._turn()

    # -- time goes by

    def _alive(self) -> bool:
        return self.runner is not None

    def _turn(self) -> None:
        runner = self.runner
        if runner is None:
            return
        try:
            words = self.bench.mailbox.wait(self._wake())
            result = runner.turn(words)
        except Killed:
            self._died()
            return
        if isinstance(result, Moment):
            self.wake = result
        else:
            self.code, self.runner = result, None

    def _wake(self) -> Moment:
        return getattr(self, "wake", self.bench.clock.at)

    def _died(self) -> None:
        self.runner = None
        self.bench.journal.killed_at = lambda _event: None
        self.bench.router.killed_at = lambda _where: None

    @precondition(lambda self: self.runner is not None)
    @rule(turns=st.sampled_from([1, 2, 5, 25, 60]))
    def time_goes_by(self, turns: int) -> None:
        """Some turns of the loop."""
        for _ in range(turns):
            self._turn()

    @precondition(lambda self: self.runner is not None)
    @rule(ms=st.sampled_from([-3_600_000, 3_000, 50_000, 3_600_000]), suspended=st.booleans())
    def clock_jumps(self, ms: int, suspended: bool) -> None:
        """Somebody sets the clock, or the machine sleeps."""
        at = self.bench.clock.at
        if suspended:
            self.bench.clock.at = at.plus(abs(ms))
        else:
            self.bench.clock.at = Moment(
                at.wall + timedelta(milliseconds=ms), at.boot_ms, "boot-1"
            )
        self._turn()

    # -- people

    @precondition(lambda self: self.runner is not None)
    @rule(words=st.lists(st.sampled_from(SAID), min_size=1, max_size=3))
    def words_are_said(self, words: list[WordName]) -> None:
        """Several at once, too."""
        for word in words:
            self.bench.mailbox.say(word)
        self._turn()

    @precondition(lambda self: self.runner is not None)
    @rule(word=st.sampled_from(ENDING), beside=st.sampled_from(SAID))
    def a_word_that_ends_it_is_said(self, word: WordName, beside: WordName) -> None:
        """Never lost, whatever is said beside it."""
        assert self.runner is not None
        runner, before = self.runner, self.runner.state.phase
        self.bench.mailbox.say(beside)
        self.bench.mailbox.say(word, signal=2)
        self._turn()
        if word is WordName.ROLLBACK and before is not Phase.PREFLIGHT:
            phase = runner.state.phase
            assert phase is Phase.ROLLING_BACK or phase in RESTING | TERMINAL
        if word is WordName.INTERRUPT and before is not Phase.ROLLING_BACK:
            assert not self._alive()

    @rule(route=st.integers(0, 1), weight=st.sampled_from([0, 20, 200, 500]))
    def somebody_else_writes(self, route: int, weight: int) -> None:
        """Terraform, a controller, a colleague."""
        name = self.routes[route % len(self.routes)]
        self.bench.router.forms[name] = form(weight, tag="foreign")
        self.foreign = True
        self._turn()

    @rule()
    def somebody_restores_by_hand(self) -> None:
        """With restore.sh, say."""
        self.bench.router.forms.update(dict.fromkeys(self.routes, self.found))
        self._turn()

    # -- weather

    @rule(
        kind=st.sampled_from(["throttle", "denied", "lost", "timeout"]),
        times=st.sampled_from([1, 2, 30]),
        route=st.sampled_from(["", 0, 1]),
    )
    def writes_fail(self, kind: str, times: int, route: str | int) -> None:
        """The next writes, on all routes or one."""
        name = self.routes[route % len(self.routes)] if isinstance(route, int) else ""
        self.bench.router.faults.append(WriteFault(kind, times, name))

    @rule(denied=st.booleans(), only_first=st.booleans())
    def reads_fail(self, denied: bool, only_first: bool) -> None:
        """Until the weather clears."""
        why = Unknown("no", "no", denied=denied)
        first = self.routes[0]
        self.bench.router.read_fails = lambda r: why if r == first or not only_first else None
        self._turn()

    @rule(group=st.sampled_from([SOURCE, DESTINATION]), healthy=st.sampled_from([0, 1, 5, None]))
    def targets_change(self, group: str, healthy: int | None) -> None:
        """Fewer healthy ones, or nobody knows."""
        self.bench.health.groups[group] = (
            Unknown("throttled") if healthy is None else GroupHealth(healthy, 6, {"a": healthy})
        )
        self._turn()

    @rule(rate=st.sampled_from([0.0005, 0.05, 0.6]), source=st.booleans())
    def errors_change(self, rate: float, source: bool) -> None:
        """On one side."""
        setattr(self.bench.traffic, "source_errors" if source else "destination_errors", rate)

    @rule(what=st.sampled_from(["dark", "quiet", "few"]))
    def metrics_change(self, what: str) -> None:
        """No answer, no destination datapoint, few requests."""
        if what == "dark":
            self.bench.traffic.fails = Unknown("throttled")
        elif what == "quiet":
            self.bench.traffic.quiet_destination = True
        else:
            self.bench.traffic.per_minute = 40

    @precondition(lambda self: self.runner is not None)
    @rule(lease=st.booleans())
    def doubt_comes(self, lease: bool) -> None:
        """The disk is full, or the lock file is gone."""
        if lease:
            self.bench.lease.doubt = Unknown("lock file deleted")
        self._turn()

    @rule()
    def the_weather_clears(self) -> None:
        """Everything works again; what was done stays done."""
        bench = self.bench
        bench.router.faults.clear()
        bench.router.read_fails = lambda _route: None
        bench.health.groups.update({SOURCE: WELL, DESTINATION: WELL})
        bench.traffic.source_errors = bench.traffic.destination_errors = 0.0005
        bench.traffic.fails, bench.traffic.quiet_destination = None, False
        bench.traffic.per_minute = 6_000
        bench.lease.doubt = None

    # -- processes die and others come

    @precondition(lambda self: self.runner is not None)
    @rule(nth=st.integers(1, 8), write=st.sampled_from(["", "before write", "after write"]))
    def it_is_killed(self, nth: int, write: str) -> None:
        """At the nth record from here, or around the next write."""
        left = [nth]

        def at_record(_event: ev.Event) -> None:
            left[0] -= 1
            if left[0] <= 0:
                raise Killed

        def at_write(where: str) -> None:
            if where == write:
                raise Killed

        if write:
            self.bench.router.killed_at = at_write
        else:
            self.bench.journal.killed_at = at_record
        for _ in range(8):
            self._turn()
        self._died()

    @precondition(lambda self: self.runner is None)
    @rule(
        word=st.sampled_from([None, WordName.RESUME, WordName.RESUME, WordName.ROLLBACK]),
        later=st.sampled_from([SECOND, MINUTE, 90 * MINUTE]),
    )
    def another_process_comes(self, word: WordName | None, later: int) -> None:
        """At once or much later, with a word or without."""
        if replay(self.bench.plan, self.bench.journal.records).phase in TERMINAL:
            return
        self.bench.clock.forward(self.bench.clock.at.plus(later))
        self.wake = self.bench.clock.at
        self.runner, self.code = self.bench.start(), None
        if word is not None:
            self.bench.mailbox.say(word)
        self._turn()

    # -- what never happens

    @invariant()
    def the_journal_is_the_state(self) -> None:
        """And no promise was broken on the way to it."""
        if not hasattr(self, "bench"):
            return
        assert not self.bench.log.broken
        records = self.bench.journal.records
        for record in records[self.checked :]:
            self.folded = evolve(self.bench.plan, self.folded, record)
        self.checked = len(records)
        if self.runner is not None:
            assert self.folded == self.runner.state

    def teardown(self) -> None:
        """With every fault gone and a person who resumes, the run ends (liveness)."""
        if not hasattr(self, "bench"):
            return
        self.the_weather_clears()
        self._died()
        bench = self.bench
        for _ in range(6):
            phase = replay(bench.plan, bench.journal.records).phase
            if phase in TERMINAL | RESTING:
                break
            bench.clock.forward(bench.clock.at.plus(5 * MINUTE))
            self.wake = bench.clock.at
            self.runner = bench.start()
            bench.mailbox.say(WordName.ACCEPT_DRIFT if self.foreign else WordName.RESUME)
            for turn in range(900):
                if not self._alive():
                    break
                if turn in (150, 300):
                    bench.mailbox.say(WordName.APPROVE)
                if turn == 500:
                    bench.mailbox.say(WordName.ROLLBACK)
                self._turn()
            self.the_journal_is_the_state()
        phase = replay(bench.plan, bench.journal.records).phase
        assert phase in TERMINAL | RESTING, f"it never ends: {phase}"
        if phase is Phase.ROLLED_BACK and not self.foreign:
            assert set(bench.router.forms.values()) == {self.found}


def test_in_any_weather_nothing_is_raised_without_proof_and_every_run_ends() -> None:
    """About a hundred random runs, always the same ones; a failure prints its steps."""
    run_state_machine_as_test(
        AnyWeather,
        settings=settings(
            max_examples=100,
            stateful_step_count=20,
            derandomize=True,
            database=None,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
