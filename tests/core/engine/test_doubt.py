"""A read proves nothing while a write of the run may have reached the route: nobody says that it is restored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

import pytest

from cutover.core.errors import ExitCode
from cutover.core.journal import events as ev
from cutover.core.messages import RunView, fold
from cutover.core.observation import CommandName, Known, Reading, Unknown
from cutover.core.routing import RouteConfig
from cutover.core.state import Phase
from cutover.core.values import HOUR, MINUTE, SECOND, RouteId
from tests.core.engine.test_safety import holds
from tests.fakes import TWO_ROUTES, Bench, FakeRouter, Killed, WriteFault, config, plan_of


class StaleRouter(FakeRouter):
    """Reads show what was live before the newest write, until `stale_ms` after it."""

    stale_ms = 0
    fresh: tuple[RouteId, ...] = ()

    def read(
        self, routes: Sequence[RouteId], *, once: bool = False
    ) -> Mapping[RouteId, Reading[RouteConfig]]:
        now = self.clock.now()
        found = dict(super().read(routes))
        for route in routes:
            mine = [(at, post) for at, one, post in self.writes if one == route]
            if route not in self.fresh and mine and now.wall_ms - mine[-1][0] < self.stale_ms:
                before = mine[-2][1] if len(mine) > 1 else self.found
                found[route] = Known(before, now)
        return found


def stale(bench: Bench, ms: int) -> None:
    """From now on reads are that old."""
    bench.router.__class__ = StaleRouter
    bench.router.found = config(0, attached=False)
    bench.router.stale_ms = ms  # type: ignore[attr-defined]


def killed_at_the_write(bench: Bench, weight: int, where: str = "after write") -> None:
    """The process dies when a write of this weight has just been sent, before its outcome is journalled."""

    def watch(at: str) -> None:
        if at == where and bench.router.writes and bench.router.writes[-1][2].weight == weight:
            bench.router.killed_at = lambda _where: None
            raise Killed

    bench.router.killed_at = watch
    with pytest.raises(Killed):
        bench.run()


def sentences(bench: Bench) -> list[str]:
    """What people are told of the run, all of it."""
    view, said = RunView.begin(bench.plan), []
    for record in bench.journal.records:
        view = fold(view, record)
        said += [line.text for line in view.lines[-1:]]
    return said


@pytest.mark.parametrize("stale_ms", [20 * SECOND, 3 * MINUTE])
def test_a_rollback_after_a_kill_at_the_first_raise_writes_though_stale_reads_show_the_snapshot(
    stale_ms: int,
) -> None:
    bench = Bench(plan_of(routes=TWO_ROUTES), found=config(0))
    stale(bench, stale_ms)
    bench.router.stale_ms = 0  # type: ignore[attr-defined]
    bench.router.found = config(0)
    killed_at_the_write(bench, 50)
    bench.router.stale_ms = stale_ms  # type: ignore[attr-defined]
    assert bench.run(CommandName.ROLLBACK) == ExitCode.ROLLED_BACK
    assert {one.weight for one in bench.router.configs.values()} == {0}
    restores = [one for one in bench.events(ev.Intent) if one.kind == "restore"]
    assert {one.route for one in restores} == {route.id for route in bench.plan.routes}
    verified = [at for at, _ in bench.stamped(ev.Verified)][-1]
    answered = [at for at, one in bench.stamped(ev.Outcome) if one.result == "applied"][-1]
    assert verified.after(answered) >= 2 * SECOND


@pytest.mark.parametrize(
    ("stale_ms", "said"),
    [(0, "rolling back from 5 %"), (MINUTE, "a write of 5 % may have reached a route")],
)
def test_the_sentence_of_such_a_rollback_names_the_weight_that_is_or_may_be_live(
    stale_ms: int, said: str
) -> None:
    bench = Bench(found=config(0))
    killed_at_the_write(bench, 50)
    stale(bench, stale_ms)
    bench.router.found = config(0)
    bench.run(CommandName.ROLLBACK)
    assert "no step was raised" not in " ".join(sentences(bench))
    assert said in " ".join(sentences(bench))


def test_a_rollback_before_anything_was_sent_writes_nothing_and_says_so() -> None:
    asks = plan_of(
        steps=[{"weight": 5, "bake": "10m", "approve": "ready?"}, {"weight": 100, "bake": "10m"}]
    )
    bench = Bench(asks, found=config(0))
    bench.inbox.say_in(10 * MINUTE, CommandName.ROLLBACK)
    assert bench.run() == ExitCode.ROLLED_BACK
    assert bench.router.writes == []
    assert any("no step was raised" in one for one in sentences(bench))


def test_a_restore_without_an_answer_is_sent_again_though_a_read_shows_the_snapshot() -> None:
    bench = Bench(found=config(0))
    bench.at_weight(50, lambda: stale(bench, 0), 1)
    bench.at_weight(50, lambda: setattr(bench.router, "found", config(0)), 2)
    bench.at_weight(500, lambda: bench.router.faults.append(WriteFault("lost", times=2)), MINUTE)
    bench.at_weight(500, lambda: bench.inbox.say(CommandName.ROLLBACK), MINUTE)
    assert bench.run() == ExitCode.ROLLED_BACK
    results = [one.result for one in bench.events(ev.Outcome)]
    assert results[-3:] == ["ambiguous", "ambiguous", "applied"]


def test_a_raise_without_an_answer_keeps_a_rollback_writing_though_its_first_restore_was_refused() -> (
    None
):
    bench = Bench(found=config(0))
    route = bench.plan.routes[0].id
    bench.at_weight(50, lambda: bench.router.faults.append(WriteFault("timeout")), 1)
    raised = [0]

    def refuses() -> None:
        newest = bench.events(ev.Intent)[-1]
        if newest.weight == 500 and not raised[0]:
            raised[0] = 1
            bench.inbox.say_in(10 * SECOND, CommandName.ROLLBACK)
        elif newest.kind == "restore" and raised[0] == 1:
            raised[0] = 2
            bench.router.faults.append(WriteFault("throttle"))
            bench.router.configs[route] = config(
                0
            )  # what a read shows: the raise has not arrived yet

    bench.router.at_the_wire = refuses
    assert bench.run() == ExitCode.ROLLED_BACK
    sent = [(one.result, one.attempt) for one in bench.events(ev.Outcome)][-3:]
    assert [result for result, _ in sent] == ["ambiguous", "not_applied", "applied"]


def test_a_restore_that_changes_nothing_is_not_shown_by_a_read_of_what_somebody_else_made_there() -> (
    None
):
    bench = Bench(found=config(0))
    route = bench.plan.routes[0].id
    bench.at_weight(50, lambda: bench.router.faults.append(WriteFault("timeout", times=2)), 1)
    somebody: list[bool] = []

    def changes_it() -> None:
        bench.router.configs[route] = config(0, tag="foreign")
        bench.inbox.say(CommandName.ROLLBACK)

    def sent() -> None:
        if bench.events(ev.Intent)[-1].weight == 500 and not somebody:
            somebody.append(True)
            bench.clock.call_in(10 * SECOND, changes_it)

    bench.router.at_the_wire = sent
    assert bench.run() == ExitCode.ROLLED_BACK
    results = [one.result for one in bench.events(ev.Outcome)]
    assert results[-3:] == ["ambiguous", "ambiguous", "applied"]
    assert bench.router.configs[route] == config(0, tag="foreign")


def test_a_restore_that_aws_answers_in_other_words_is_believed_once_it_is_read_back() -> None:
    bench = Bench(found=config(0))
    bench.at_weight(
        500, lambda: bench.router.faults.append(WriteFault("mismatch", times=10**6)), MINUTE
    )
    bench.at_weight(500, lambda: bench.inbox.say(CommandName.ROLLBACK), MINUTE)
    assert bench.run() == ExitCode.ROLLED_BACK
    assert len([one for one in bench.events(ev.Intent) if one.kind == "restore"]) == 1


def test_a_route_that_a_person_put_back_after_our_weight_was_read_is_restored_without_a_write() -> (
    None
):
    bench = Bench(found=config(0))
    route = bench.plan.routes[0].id
    bench.at_weight(
        500, lambda: bench.router.faults.append(WriteFault("denied", times=500)), MINUTE
    )
    bench.at_weight(500, lambda: bench.inbox.say(CommandName.ROLLBACK), MINUTE)
    bench.at_weight(500, lambda: bench.router.configs.update({route: config(0)}), 2 * MINUTE)
    assert bench.run() == ExitCode.ROLLED_BACK
    assert "applied" not in [o.result for o in bench.events(ev.Outcome)][3:]


def test_a_resume_after_a_kill_at_a_raise_reads_on_and_bakes_at_the_weight_that_is_really_live() -> (
    None
):
    bench = Bench(found=config(0))
    stale(bench, 0)
    bench.router.found = config(0)
    killed_at_the_write(bench, 500)
    written = len(bench.router.writes)
    bench.router.stale_ms = 25 * SECOND  # type: ignore[attr-defined]
    bench.at_weight(1000, lambda: setattr(bench.router, "stale_ms", 0))
    baked: list[tuple[int, int]] = []
    bench.inbox.say_in(8 * MINUTE, CommandName.PAUSE)

    def look() -> None:
        baked.append((len(bench.router.writes), 0))

    bench.clock.call_in(5 * MINUTE, look)
    bench.inbox.say_in(9 * MINUTE, CommandName.INTERRUPT, signal=15)
    bench.run(CommandName.RESUME)
    assert baked[0][0] == written  # nothing was written to find out
    assert bench.state.weight == 500
    assert bench.state.phase is Phase.HOLDING
    assert "drift" not in holds(bench)


def test_a_resume_after_a_kill_at_the_attach_waits_for_the_read_that_shows_it() -> None:
    bench = Bench()
    killed_at_the_write(bench, 0)
    stale(bench, 25 * SECOND)
    bench.at_weight(50, lambda: setattr(bench.router, "stale_ms", 0))
    bench.inbox.say_in(5 * MINUTE, CommandName.INTERRUPT, signal=15)
    bench.run(CommandName.RESUME)
    assert bench.router.weights()[:2] == [0, 50]  # attached once, then raised


def test_a_raise_without_an_answer_that_a_person_undid_is_not_sent_again() -> None:
    bench = Bench(found=config(0))
    route = bench.plan.routes[0].id

    def lose_the_raise() -> None:
        bench.router.faults.append(WriteFault("lost"))
        bench.router.killed_at = undo

    def undo(where: str) -> None:
        if where == "after write" and bench.router.configs[route].weight == 500:
            bench.router.configs[route] = config(50)
            bench.router.killed_at = lambda _where: None

    bench.at_weight(50, lose_the_raise, MINUTE)
    bench.inbox.say_in(40 * MINUTE, CommandName.INTERRUPT, signal=15)
    assert bench.run() == ExitCode.TERMINATED
    assert [w for w in bench.router.weights() if w == 500] == [500]
    assert "not_written" in [str(one) for one in holds(bench)]
    assert bench.router.configs[route].weight == 50


def test_a_rollback_that_ends_agrees_on_the_weight_though_one_route_was_attached_before() -> None:
    bench = Bench(plan_of(routes=TWO_ROUTES), found=config(None, attached=False))
    first = bench.plan.routes[0].id
    bench.router.configs[first] = config(0)
    bench.at_weight(500, lambda: bench.inbox.say(CommandName.ROLLBACK), MINUTE)
    assert bench.run() == ExitCode.ROLLED_BACK
    assert bench.state.weight == 0


def test_a_raise_is_not_sent_when_a_stopping_command_came_after_its_intent() -> None:
    for command in (CommandName.PAUSE, CommandName.ROLLBACK, CommandName.INTERRUPT):
        bench = Bench(found=config(0))

        def watch(event: ev.Event, bench: Bench = bench, command: CommandName = command) -> None:
            if isinstance(event, ev.Intent) and event.weight == 500:
                bench.inbox.say(command, signal=15 if command is CommandName.INTERRUPT else 0)

        handed_over: list[int] = []

        def connect(bench: Bench = bench, handed_over: list[int] = handed_over) -> None:
            handed_over.append(bench.events(ev.Intent)[-1].weight)

        bench.journal.killed_at = watch
        bench.router.at_the_wire = connect
        bench.inbox.say_in(3 * 60 * MINUTE, CommandName.INTERRUPT, signal=15)
        bench.run()
        assert 500 not in handed_over  # no route of the step is even handed over
        assert 500 not in bench.router.weights()
        assert "cancelled" in [one.result for one in bench.events(ev.Outcome)]


def test_a_raise_is_not_sent_when_a_stopping_command_comes_while_it_connects() -> None:
    bench = Bench(found=config(0))
    said: list[bool] = []

    def connect() -> None:
        if bench.events(ev.Intent)[-1].weight == 500 and not said:
            said.append(True)
            bench.inbox.say(CommandName.ROLLBACK)

    bench.router.at_the_wire = connect
    assert bench.run() == ExitCode.ROLLED_BACK
    assert 500 not in bench.router.weights()


def test_a_detach_is_not_sent_twice_while_its_fate_is_unknown() -> None:
    bench = Bench()
    assert bench.run() == ExitCode.COMPLETED
    bench.router.faults.append(WriteFault("timeout"))
    assert bench.finish_detached() == ExitCode.REFUSED
    detaches = [one for one in bench.events(ev.Intent) if one.kind == "detach"]
    assert len(detaches) == 1
    assert bench.finish_detached() == ExitCode.COMPLETED
    assert bench.state.phase is Phase.FINISHED


def test_finish_is_refused_while_a_write_may_still_take_effect() -> None:
    bench = Bench()
    assert bench.run() == ExitCode.COMPLETED

    def kill(where: str) -> None:
        if where == "before write":
            raise Killed

    bench.router.killed_at = kill
    with pytest.raises(Killed):
        bench.finish_detached()
    bench.router.killed_at = lambda _where: None
    assert bench.run(CommandName.FINISH) == ExitCode.REFUSED
    bench.clock.sleep(2 * MINUTE)
    assert bench.run(CommandName.FINISH) == ExitCode.COMPLETED


def test_another_owner_of_the_routes_ends_the_process_without_a_record_or_a_write() -> None:
    from cutover.core.observation import OWNED

    for phase_weight, say in ((500, None), (500, CommandName.ROLLBACK)):
        bench = Bench(found=config(0))
        counts: list[tuple[int, int]] = []

        def lose(bench: Bench = bench, counts: list[tuple[int, int]] = counts) -> None:
            bench.lease.doubt = Unknown("run checkout-2 holds the lock", OWNED)
            bench.lease.owner = "run checkout-2"
            counts.append((len(bench.journal.records), len(bench.router.writes)))

        bench.at_weight(phase_weight, lose, 5 * MINUTE)
        if say is not None:
            bench.at_weight(phase_weight, partial(bench.inbox.say, say), 5 * MINUTE)
        assert bench.run() == ExitCode.NEEDS_HUMAN
        assert (len(bench.journal.records), len(bench.router.writes)) == counts[0]


def test_a_rollback_by_a_new_process_writes_though_no_route_can_be_read() -> None:
    bench = Bench(found=config(0))
    bench.at_weight(500, die, MINUTE)
    with pytest.raises(Killed):
        bench.run()
    bench.clock._due.clear()
    throttled = Unknown("Throttling: Rate exceeded", "Throttling")
    bench.router.read_fails = lambda _route: throttled
    began = bench.clock.at
    bench.clock.call_in(5 * MINUTE, lambda: setattr(bench.router, "read_fails", lambda _r: None))
    assert bench.run(CommandName.ROLLBACK) == ExitCode.ROLLED_BACK
    restored = next(at for at, one in bench.stamped(ev.Intent) if one.kind == "restore")
    assert restored.after(began) < 10 * SECOND


def test_no_config_that_somebody_else_set_is_written_over_unread() -> None:
    bench = Bench(found=config(0))
    route = bench.plan.routes[0].id
    bench.at_weight(500, lambda: bench.router.configs.update({route: config(20, tag="x")}), MINUTE)
    bench.at_weight(500, die, 5 * MINUTE)
    with pytest.raises(Killed):
        bench.run()
    bench.clock._due.clear()
    bench.router.read_fails = lambda _route: Unknown("Throttling", "Throttling")
    bench.inbox.say_in(2 * MINUTE, CommandName.INTERRUPT, signal=15)
    bench.inbox.say_in(2 * MINUTE + SECOND, CommandName.INTERRUPT, signal=15)
    bench.inbox.say_in(2 * MINUTE + 2 * SECOND, CommandName.INTERRUPT, signal=15)
    assert bench.run(CommandName.ROLLBACK) == ExitCode.NEEDS_HUMAN
    assert not [one for one in bench.events(ev.Intent) if one.kind == "restore"]


def test_a_restore_that_changes_nothing_of_somebody_elses_config_does_not_make_it_ours() -> None:
    bench = Bench(found=config(0))
    route = bench.plan.routes[0].id
    theirs = config(0, tag="x")

    def changes_it() -> None:
        bench.router.configs[route] = theirs
        bench.inbox.say(CommandName.ROLLBACK)

    def sent() -> None:
        if bench.events(ev.Intent)[-1].kind == "restore":
            bench.clock.call_in(
                SECOND, lambda: setattr(bench.router, "read_fails", lambda _route: unread)
            )

    unread = Unknown("Throttling", "Throttling")
    bench.at_weight(500, changes_it, MINUTE)
    bench.at_weight(
        500, lambda: setattr(bench.router, "read_fails", lambda _route: None), 5 * MINUTE
    )
    bench.router.at_the_wire = sent
    assert bench.run() == ExitCode.ROLLED_BACK
    assert bench.router.configs[route] == theirs, "it was not written over unread"


def test_a_pause_while_one_route_does_not_show_its_raise_yet_takes_nothing_back() -> None:
    bench = Bench(plan_of(routes=TWO_ROUTES), found=config(0))
    stale(bench, 20 * SECOND)
    bench.router.found = config(0)
    bench.router.fresh = (bench.plan.routes[0].id,)  # type: ignore[attr-defined]
    bench.at_weight(500, lambda: bench.inbox.say(CommandName.PAUSE))
    bench.inbox.say_in(HOUR, CommandName.INTERRUPT, signal=15)
    assert bench.run() == ExitCode.TERMINATED
    assert {one.weight for one in bench.router.configs.values()} == {500}
    assert bench.state.weight == 500


def test_a_resume_whose_reads_never_show_the_raise_holds_instead_of_raising_again() -> None:
    bench = Bench(found=config(0))
    killed_at_the_write(bench, 50)
    stale(bench, HOUR)
    bench.router.found = config(0)
    sent = len(bench.router.writes)
    bench.inbox.say_in(20 * MINUTE, CommandName.INTERRUPT, signal=15)
    assert bench.run(CommandName.RESUME) == ExitCode.TERMINATED
    assert len(bench.router.writes) == sent
    assert holds(bench)[-1] == "not_written"


def test_leaving_a_run_as_it_is_says_what_was_read_and_is_refused_while_nobody_knows() -> None:
    bench = Bench(found=config(0))
    killed_at_the_write(bench, 50)
    stale(bench, 30 * SECOND)
    bench.router.found = config(0)
    assert bench.run(CommandName.LEAVE) == ExitCode.REFUSED
    bench.clock.sleep(2 * MINUTE)
    bench.router.stale_ms = 0  # type: ignore[attr-defined]
    assert bench.run(CommandName.LEAVE) == ExitCode.COMPLETED
    assert bench.state.phase is Phase.ABANDONED
    assert bench.state.weight == 50


def die() -> None:
    """The process is killed."""
    raise Killed
