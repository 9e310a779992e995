"""Another process takes the run after the look, while a write connects: nothing leaves, forward or back."""

from __future__ import annotations

from cutover.core.errors import ExitCode
from cutover.core.journal import events as ev
from cutover.core.observation import OWNED, CommandName, Unknown
from cutover.core.values import MINUTE
from tests.fakes import TWO_ROUTES, Bench, plan_of

OTHER = "bob@elsewhere"


def taken_while_it_connects(bench: Bench, kind: str, weight: int) -> None:
    """Another process takes the run between the intent of such a write and its first byte."""

    def connects() -> None:
        newest = bench.events(ev.Intent)[-1]
        if (newest.kind, newest.weight) == (kind, weight):
            bench.lease.owner = OTHER
            bench.lease.doubt = Unknown(f"{OTHER} has it", OWNED)

    bench.router.at_the_wire = connects


def test_a_raise_does_not_leave_when_another_process_took_the_run_after_the_look() -> None:
    bench = Bench(plan_of(routes=TWO_ROUTES))
    taken_while_it_connects(bench, "move", 500)
    assert bench.run() == ExitCode.NEEDS_HUMAN
    assert 500 not in bench.router.weights()
    newest = bench.events(ev.Outcome)[-2:]
    assert [one.result for one in newest] == ["cancelled", "cancelled"]


def test_a_restore_does_not_leave_when_another_process_took_the_run_after_the_look() -> None:
    bench = Bench(plan_of(routes=TWO_ROUTES))
    taken_while_it_connects(bench, "restore", 0)
    bench.at_weight(500, lambda: bench.inbox.say(CommandName.ROLLBACK), MINUTE)
    assert bench.run() == ExitCode.NEEDS_HUMAN
    assert bench.router.weights()[-1] == 500, "what the other process does with it is its own"
    assert {route.weight for route in bench.router.configs.values()} == {500}
