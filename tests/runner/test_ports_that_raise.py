"""A port that raises is a bug of ours: its traceback is kept, what it says is unknown, and the loop goes on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NoReturn

import pytest

from cutover.core.errors import ExitCode
from cutover.core.journal import events as ev
from cutover.core.observation import CommandName
from cutover.core.values import MINUTE
from tests.fakes import Bench, config


class Broken:
    """Raises as often as it is told, then does what it did before."""

    def __init__(self, times: int, well: Callable[..., object]) -> None:
        self.times, self.well = times, well

    def __call__(self, *said: object, **more: object) -> object:
        if self.times:
            self.times -= 1
            raise ZeroDivisionError("a bug")
        return self.well(*said, **more)


def bugs(bench: Bench) -> Sequence[str]:
    """What the journal says of them."""
    return [one.text for one in bench.events(ev.Note) if "a bug in cutover" in one.text]


@pytest.mark.parametrize(
    ("port", "call"),
    [
        ("metrics", "read"),
        ("health", "read"),
        ("router", "read"),
        ("surveyor", "skew_ms"),
        ("lease", "renew"),
        ("told", "on_tick"),
        ("told", "on_record"),
    ],
)
def test_a_run_goes_on_and_completes_after_a_port_raised_once_in_a_bake(
    port: str, call: str
) -> None:
    bench = Bench()
    bench.journal.bears_bugs = True
    broken = getattr(bench, port)
    bench.at_weight(50, lambda: setattr(broken, call, Broken(1, getattr(broken, call))), MINUTE)
    assert bench.run() == ExitCode.COMPLETED
    assert [type(one) for one in bench.journal.bugs] == [ZeroDivisionError]
    assert bugs(bench) == [
        "a bug in cutover, its traceback is beside the journal: ZeroDivisionError: a bug"
    ]


@pytest.mark.parametrize("times", [1, 3])
@pytest.mark.parametrize("call", ["read", "write", "restored"])
def test_a_rollback_restores_every_route_though_the_router_raises(call: str, times: int) -> None:
    bench = Bench()
    bench.journal.bears_bugs = True
    router = bench.router

    def rollback() -> None:
        setattr(router, call, Broken(times, getattr(router, call)))
        bench.inbox.say(CommandName.ROLLBACK)

    bench.at_weight(500, rollback, MINUTE)
    assert bench.run() == ExitCode.ROLLED_BACK
    assert set(router.configs.values()) == {config(0, attached=False)}
    assert bugs(bench)


def test_a_raise_whose_write_raises_is_never_called_applied() -> None:
    bench = Bench()
    bench.journal.bears_bugs = True

    def refuses(*_said: object) -> NoReturn:
        raise ZeroDivisionError("a bug")

    bench.at_weight(50, lambda: setattr(bench.router, "write", refuses), MINUTE)
    bench.inbox.say_in(60 * MINUTE, CommandName.INTERRUPT, signal=15)
    bench.run()
    results = [one.result for one in bench.events(ev.Outcome)]
    assert results[:2] == ["applied", "applied"]
    assert set(results[2:]) == {"ambiguous"}
