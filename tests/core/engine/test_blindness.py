"""Slow answers and silence: neither is health, and neither may blind a run for ever."""

from __future__ import annotations

from collections.abc import Mapping

from cutover.core.errors import ExitCode
from cutover.core.journal import events as ev
from cutover.core.observation import CommandName, Comparison, Minute, Reading, Series, Unknown
from cutover.core.values import HOUR, MINUTE
from tests.fakes import Bench, FakeMetrics


class SlowMetrics(FakeMetrics):
    """From a moment on every read takes long and then fails."""

    takes_ms = 0

    def read(
        self, wanted: Mapping[Comparison, tuple[Series, ...]], start_ms: int, end_ms: int
    ) -> Reading[tuple[Minute, ...]]:
        if self.takes_ms:
            self._clock.sleep(self.takes_ms)
            return Unknown("no answer within 13 s", "timeout")
        return super().read(wanted, start_ms, end_ms)


def test_reads_that_take_long_and_fail_are_gaps_and_spend_the_blind_budget_all_the_same() -> None:
    bench = Bench()
    slow = SlowMetrics(bench.plan, bench.clock, bench.router, bench.traffic)
    bench.metrics = slow
    bench.at_weight(50, lambda: setattr(slow, "takes_ms", 50_000), 6 * MINUTE)
    assert bench.run() == ExitCode.ROLLED_BACK
    assert bench.events(ev.Gap)
    assert bench.events(ev.PhaseChanged)[-2].cause == "no_data"
    assert 500 not in bench.router.weights()


def test_silence_of_both_sides_is_blindness_and_never_lets_a_step_pass() -> None:
    bench = Bench()
    bench.at_weight(50, lambda: setattr(bench.traffic, "per_minute", 0), 6 * MINUTE)
    assert bench.run() == ExitCode.ROLLED_BACK
    assert 500 not in bench.router.weights()
    held = [e for e in bench.events(ev.PhaseChanged) if e.hold]
    assert held[0].hold == "no_data"
    assert "nothing is known of requests on either side" in held[0].why, "not that there was none"


def test_silence_right_after_a_raise_is_not_little_traffic() -> None:
    bench = Bench()
    bench.at_weight(50, lambda: setattr(bench.traffic, "per_minute", 0))
    bench.inbox.say_in(3 * HOUR, CommandName.INTERRUPT, signal=15)
    assert bench.run() == ExitCode.ROLLED_BACK
    assert "BAKING" not in bench.phases()
