"""A route that AWS says does not exist: drift at once, and a rollback that restores the others and says so."""

from __future__ import annotations

from collections.abc import Callable

from cutover.core.errors import ExitCode
from cutover.core.journal import events as ev
from cutover.core.observation import CommandName, Unknown
from cutover.core.values import HOUR, MINUTE, SECOND, RouteId
from tests.core.engine.test_doubt import sentences
from tests.core.engine.test_safety import holds
from tests.fakes import TWO_ROUTES, Bench, WriteFault, plan_of

GONE = Unknown("RuleNotFound: One or more rules not found", "RuleNotFound", gone=True)


def delete(bench: Bench, gone: RouteId, *, until: Callable[[], bool] = lambda: True) -> None:
    """The rule is deleted now."""
    bench.router.read_fails = lambda route: GONE if route == gone and until() else None


def test_a_rule_that_is_deleted_in_mid_bake_holds_at_the_next_look_and_says_where_its_requests_go() -> (
    None
):
    bench = Bench(plan_of(routes=TWO_ROUTES))
    rule = bench.plan.routes[0].id
    at: list[int] = []

    def now() -> None:
        delete(bench, rule)
        at.append(bench.clock.at.boot_ms)

    bench.at_weight(50, now, 5 * MINUTE)
    bench.inbox.say_in(HOUR, CommandName.INTERRUPT, signal=15)
    assert bench.run() == ExitCode.TERMINATED
    assert holds(bench)[0] == "drift"
    held = next(when for when, one in bench.stamped(ev.PhaseChanged) if one.hold == "drift")
    assert held.boot_ms - at[0] <= bench.plan.observe.poll + SECOND
    why = next(one.why for one in bench.events(ev.PhaseChanged) if one.hold == "drift")
    assert "does not exist any more" in why
    assert "default action" in why


def test_a_rollback_restores_the_others_and_needs_a_human_when_a_rule_stays_gone() -> None:
    bench = Bench(plan_of(routes=TWO_ROUTES))
    rule, listener = (route.id for route in bench.plan.routes)
    bench.at_weight(500, lambda: delete(bench, rule), MINUTE)
    bench.at_weight(500, lambda: bench.inbox.say(CommandName.ROLLBACK), MINUTE)
    assert bench.run() == ExitCode.NEEDS_HUMAN
    assert bench.router.configs[listener].weight in (0, None)
    last = bench.events(ev.PhaseChanged)[-1]
    assert last.after == "NEEDS_HUMAN"
    assert "does not exist any more" in last.why
    sent = [one for one in bench.events(ev.Intent) if one.kind == "restore"]
    assert {one.route for one in sent} == {listener}
    assert any("does not exist" in one for one in sentences(bench))


def test_a_rollback_does_not_end_for_a_deleted_rule_while_aws_refuses_to_restore_the_other_route() -> (
    None
):
    bench = Bench(plan_of(routes=TWO_ROUTES))
    rule, listener = (route.id for route in bench.plan.routes)
    bench.at_weight(500, lambda: delete(bench, rule), MINUTE)
    refused = WriteFault("throttle", times=10**6, route=listener)
    bench.at_weight(500, lambda: bench.router.faults.append(refused), MINUTE)
    bench.at_weight(500, lambda: bench.inbox.say(CommandName.ROLLBACK), MINUTE)
    bench.at_weight(500, lambda: setattr(refused, "times", 0), 10 * MINUTE)
    assert bench.run() == ExitCode.NEEDS_HUMAN
    assert bench.router.configs[listener].weight in (0, None)
    assert [one.result for one in bench.events(ev.Outcome)][-1] == "applied"


def test_a_rule_that_is_only_missed_by_one_read_is_restored_like_the_others() -> None:
    bench = Bench(plan_of(routes=TWO_ROUTES))
    rule = bench.plan.routes[0].id
    bench.at_weight(500, lambda: bench.inbox.say(CommandName.ROLLBACK), MINUTE)

    def blink() -> None:
        began = bench.clock.at.boot_ms
        delete(bench, rule, until=lambda: bench.clock.at.boot_ms < began + 5 * SECOND)

    bench.at_weight(500, blink, MINUTE)
    assert bench.run() == ExitCode.ROLLED_BACK


def test_a_rule_that_is_deleted_while_a_rollback_waits_to_say_so_needs_a_human() -> None:
    bench = Bench(plan_of(routes=TWO_ROUTES))
    rule = bench.plan.routes[0].id
    bench.at_weight(500, lambda: bench.inbox.say(CommandName.ROLLBACK), MINUTE)
    bench.at_weight(500, lambda: delete(bench, rule), MINUTE + 20 * SECOND)
    assert bench.run() == ExitCode.NEEDS_HUMAN
    assert "does not exist any more" in bench.events(ev.PhaseChanged)[-1].why


def test_a_route_called_gone_once_and_then_not_read_is_still_restored() -> None:
    bench = Bench()
    rule = bench.plan.routes[0].id
    throttled = Unknown("Throttling: Rate exceeded", "Throttling")
    said: list[Unknown] = [GONE]

    def fails(route: RouteId) -> Unknown | None:
        return said.pop() if said else throttled

    def weather() -> None:
        bench.router.read_fails = fails

    bench.at_weight(500, weather, MINUTE)
    bench.at_weight(500, lambda: bench.inbox.say(CommandName.ROLLBACK), MINUTE + SECOND)
    bench.at_weight(
        500, lambda: setattr(bench.router, "read_fails", lambda _route: None), 10 * MINUTE
    )
    assert bench.run() == ExitCode.ROLLED_BACK
    first = next(at for at, one in bench.stamped(ev.Intent) if one.kind == "restore")
    asked = next(at for at, one in bench.stamped(ev.CommandGiven) if one.command == "rollback")
    assert first.after(asked) < MINUTE
    assert rule in bench.router.configs
