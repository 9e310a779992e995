"""The loop: what it asks, what it refuses to send, and what it writes down first."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import pytest

from cutover.core.errors import ExitCode
from cutover.core.journal import events as ev
from cutover.core.moment import Moment
from cutover.core.observation import CommandName, Unknown
from cutover.core.routing import RouteConfig
from cutover.core.state import Phase, replay
from cutover.core.values import HOUR, MINUTE, SECOND, RouteId, Weight
from cutover.ports import Change, Permit
from tests.fakes import TWO_ROUTES, Bench, FakeJournal, FakeRouter, config, plan_of


def outcomes(bench: Bench) -> list[str]:
    """The results of every write, in order."""
    return [one.result for one in bench.events(ev.Outcome)]


def test_intents_of_all_routes_stand_before_the_write_and_outcomes_in_plan_order_after_it() -> (
    None
):
    bench = Bench(plan_of(routes=TWO_ROUTES))
    at_write: list[list[str]] = []

    def watch(where: str) -> None:
        if where == "before write":
            at_write.append([r.event.type for r in bench.journal.records[-2:]])

    bench.router.killed_at = watch
    assert bench.run() == ExitCode.COMPLETED
    assert at_write == [["intent", "intent"]] * 4
    routes = [one.route for one in bench.events(ev.Outcome)]
    assert routes == [route.id for route in bench.plan.routes] * 4


class SlowJournal(FakeJournal):
    """Takes its time for every intent of a move."""

    def __init__(self, bench: Bench, ms: int, times: int) -> None:
        super().__init__()
        self._bench, self._ms, self._times = bench, ms, times

    def append(self, event: ev.Event, at: Moment):  # type: ignore[no-untyped-def]  # noqa: ANN201
        if isinstance(event, ev.Intent) and event.kind == "move" and self._times > 0:
            self._times -= 1
            self._bench.clock.sleep(self._ms)
        return super().append(event, at)


def test_a_write_that_waited_too_long_behind_its_intents_is_cancelled_and_looked_at_again() -> (
    None
):
    bench = Bench(plan_of(routes=TWO_ROUTES))
    bench.journal = SlowJournal(bench, 1_100, 2)
    assert bench.run() == ExitCode.COMPLETED
    assert outcomes(bench)[:4] == ["cancelled", "cancelled", "applied", "applied"]
    assert bench.router.weights() == [0, 0, 50, 50, 500, 500, 1000, 1000]


def test_an_intent_in_time_is_sent_though_the_disk_is_slow() -> None:
    bench = Bench(plan_of(routes=TWO_ROUTES))
    bench.journal = SlowJournal(bench, 900, 2)
    assert bench.run() == ExitCode.COMPLETED
    assert "cancelled" not in outcomes(bench)


def test_a_lease_that_ends_before_a_write_can_have_ended_stops_the_write() -> None:
    bench = Bench()
    bench.at_weight(50, lambda: setattr(bench.lease, "end", bench.clock.at.plus(4 * MINUTE)), 1)
    bench.inbox.say_in(30 * MINUTE, CommandName.INTERRUPT, signal=15)
    assert bench.run() == ExitCode.TERMINATED
    assert bench.router.weights() == [0, 50]
    assert set(outcomes(bench)[2:]) == {"cancelled"}


def test_a_lease_that_ends_late_enough_does_not() -> None:
    bench = Bench()
    bench.lease.end = bench.clock.at.plus(48 * HOUR)
    assert bench.run() == ExitCode.COMPLETED


@pytest.mark.parametrize("nth", range(1, 4))
def test_a_journal_that_fails_at_an_intent_sends_nothing(nth: int) -> None:
    bench = Bench(plan_of(routes=TWO_ROUTES))
    seen = [0]

    def watch(event: ev.Event) -> None:
        seen[0] += isinstance(event, ev.Intent)
        if seen[0] == nth:
            bench.journal.fails = Unknown("no space left on device", "disk_full")

    bench.journal.killed_at = watch
    bench.inbox.say_in(60 * MINUTE, CommandName.INTERRUPT, signal=15)
    code = bench.run()
    assert len(bench.router.writes) in (0, 2)
    assert 50 not in bench.router.weights()
    assert code in (ExitCode.TERMINATED, ExitCode.ROLLED_BACK)


def test_a_journal_that_fails_in_the_records_of_the_deciding_turn_stops_its_raise() -> None:
    bench = Bench()

    def watch(event: ev.Event) -> None:
        if isinstance(event, ev.PhaseChanged) and event.after == "SHIFTING" and event.step == 1:
            bench.journal.fails = Unknown("no space left on device", "disk_full")

    bench.journal.killed_at = watch
    bench.inbox.say_in(60 * MINUTE, CommandName.INTERRUPT, signal=15)
    assert bench.run() == ExitCode.TERMINATED
    assert bench.router.weights() == [0, 50]
    held = [r.event for r in bench.journal.fallback if isinstance(r.event, ev.PhaseChanged)]
    assert held[0].hold == "journal"


class NoSnapshotJournal(FakeJournal):
    """Takes records; snapshot.json only from the nth try on."""

    def __init__(self, tries: int) -> None:
        super().__init__()
        self.tries = tries

    def keep_snapshot(self, snapshot: ev.Snapshot, commands: Sequence[str]):  # type: ignore[no-untyped-def]  # noqa: ANN201
        self.tries -= 1
        if self.tries > 0:
            return Unknown("no space left on device", "snapshot")
        return super().keep_snapshot(snapshot, commands)


def test_without_a_kept_snapshot_nothing_is_written_and_the_next_process_keeps_it_first() -> None:
    bench = Bench()
    bench.journal = NoSnapshotJournal(2)
    bench.inbox.say_in(30 * MINUTE, CommandName.INTERRUPT, signal=15)
    assert bench.run() == ExitCode.TERMINATED
    assert bench.router.writes == []
    assert bench.journal.commands == ()
    # the failure made the whole journal doubtful: what it took is what counts
    assert replay(bench.plan, bench.journal.records).phase is Phase.HOLDING
    assert bench.run(CommandName.RESUME) == ExitCode.COMPLETED
    assert len(bench.journal.commands) == 1


def test_a_full_disk_at_the_start_of_a_process_stops_raises_and_not_a_rollback() -> None:
    bench = Bench()
    bench.at_weight(50, lambda: bench.inbox.say(CommandName.INTERRUPT, signal=15), 5 * MINUTE)
    assert bench.run() == ExitCode.TERMINATED
    runner = bench.start()
    bench.journal.fails = Unknown("no space left on device", "disk_full")
    bench.inbox.say(CommandName.ROLLBACK)
    commands = bench.inbox.wait(bench.clock.at)
    wake = runner.turn(commands)
    assert isinstance(wake, Moment)
    assert runner.run() == ExitCode.ROLLED_BACK
    assert bench.router.configs[bench.plan.routes[0].id] == config(0, attached=False)


class FullRouter(FakeRouter):
    """A third group leaves no room for the next weight."""

    def with_weight(self, route: RouteId, config: RouteConfig, weight: Weight) -> RouteConfig:
        if "tf" in config.text and weight > 50:
            raise ValueError("50 % cannot be set beside a third target group")
        return super().with_weight(route, config, weight)


def test_a_config_that_can_not_carry_the_weight_holds_instead_of_ending_the_process() -> None:
    bench = Bench()
    route = bench.plan.routes[0].id
    bench.router.__class__ = FullRouter
    bench.at_weight(
        50, lambda: bench.router.configs.update({route: config(50, tag="tf")}), 5 * MINUTE
    )
    bench.at_weight(50, lambda: bench.inbox.say(CommandName.ACCEPT_DRIFT, "known"), 9 * MINUTE)
    bench.inbox.say_in(90 * MINUTE, CommandName.INTERRUPT, signal=15)
    assert bench.run() == ExitCode.TERMINATED
    assert any("cannot be set beside" in note.text for note in bench.events(ev.Note))
    assert bench.state.held is not None
    assert bench.state.held.reason == "not_written"
    assert bench.router.configs[route] == config(50, tag="tf")


def test_detaching_without_a_durable_intent_is_cancelled() -> None:
    bench = Bench()
    bench.run()

    def watch(event: ev.Event) -> None:
        if isinstance(event, ev.CommandGiven):
            bench.journal.fails = Unknown("no space left on device", "disk_full")

    bench.journal.killed_at = watch
    assert bench.finish_detached() == ExitCode.REFUSED
    assert bench.router.configs[bench.plan.routes[0].id].source_present


def test_listeners_are_told_every_record_once_and_the_end() -> None:
    bench = Bench()
    bench.run()
    assert [r.seq for r in bench.told.records] == [r.seq for r in bench.journal.records[2:]]
    assert bench.told.ended
    close = bench.journal.records[-1].event
    assert isinstance(close, ev.Close)
    assert (close.exit_code, close.phase) == (0, "COMPLETED")


def test_the_same_world_gives_the_same_journal() -> None:
    one, other = Bench(plan_of(routes=TWO_ROUTES)), Bench(plan_of(routes=TWO_ROUTES))
    for bench in (one, other):
        bench.at_weight(500, partial(setattr, bench.traffic, "source_errors", 0.02))
        bench.run()
    assert one.journal.records == other.journal.records


def test_routes_of_a_step_are_sent_in_one_call() -> None:
    bench = Bench(plan_of(routes=TWO_ROUTES))
    sizes: list[int] = []

    class Counting(FakeRouter):
        def write(self, changes: Sequence[Change], permit: Permit):  # type: ignore[no-untyped-def]  # noqa: ANN202
            sizes.append(len(changes))
            return super().write(changes, permit)

    bench.router.__class__ = Counting
    bench.at_weight(500, lambda: bench.inbox.say(CommandName.ROLLBACK), 10 * SECOND)
    assert bench.run() == ExitCode.ROLLED_BACK
    assert sizes == [2, 2, 2, 2]
