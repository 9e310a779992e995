"""The effects that are active now, added up for each side of the balancer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

from cutover.core.values import PPM
from cutover.emulator.injections import Effect
from cutover.emulator.occurrences import Occurrence
from cutover.emulator.scenario import Scenario


@dataclass(frozen=True)
class Fare:
    """How requests of one side fare now, beyond what is normal; chances from 0 to 1."""

    errors: float = 0.0
    client_errors: float = 0.0
    connection_errors: float = 0.0
    unanswered: float = 0.0
    elb_502: float = 0.0
    elb_503: float = 0.0
    elb_504: float = 0.0
    latency_factor: float = 1.0
    slow: float = 0.0
    slow_ms: float = 3000.0
    quiet: bool = False
    delay_ms: int = 0
    torn: bool = False
    first: float | None = (
        None  # the part of RequestCount that is visible early, together with every 5xx
    )


@dataclass(frozen=True, eq=False)
class Active:
    """An effect that is in force, and where it is noted what it meets."""

    effect: Effect
    occurrence: Occurrence


def _of(effect: Effect, side: str) -> bool:
    """The effect is about this side; `both` are the plan's own two."""
    return effect.side == side or (effect.side == "both" and side in ("source", "destination"))


class ActiveInjections:
    """Which effects are active; `before_change` lets traffic catch up first."""

    def __init__(self, scenario: Scenario) -> None:
        self._scenario = scenario
        self.before_change: Callable[[], None] = lambda: None
        self._in_force: list[Active] = []

    def begin(self, effect: Effect, occurrence: Occurrence) -> Active:
        """From now on."""
        self.before_change()
        active = Active(effect, occurrence)
        self._in_force.append(active)
        self._forget()
        return active

    def end(self, active: Active) -> None:
        """Not any more."""
        self.before_change()
        self._in_force = [one for one in self._in_force if one is not active]
        self._forget()

    def calm(self) -> None:
        """No effect is in force any more."""
        self.before_change()
        self._in_force.clear()
        self._forget()

    def meet(self, side: str, met: Mapping[str, int]) -> None:
        """So many requests, datapoints or writes of a side were met by each part of the effects in force."""
        for active in self._in_force:
            effect = active.effect
            if side and not _of(effect, side):
                continue
            for part in effect.parts:
                if count := met.get(part, 0):
                    active.occurrence.meet(part, count)

    @property
    def active(self) -> tuple[Effect, ...]:
        """In the order they began."""
        return tuple(one.effect for one in self._in_force)

    @cached_property
    def source(self) -> Fare:
        """Of requests to the source."""
        return self._fare("source")

    @cached_property
    def destination(self) -> Fare:
        """Of requests to the destination."""
        return self._fare("destination")

    @cached_property
    def balancer(self) -> Fare:
        """Of all requests, with no group to blame."""
        return self._fare("balancer")

    @cached_property
    def others(self) -> Fare:
        """Of requests to other services behind the same balancer."""
        return self._fare("others")

    @cached_property
    def requests_factor(self) -> float:
        """Of the request rate."""
        factor = 1.0
        for effect in self.active:
            factor *= effect.requests_factor
        return factor

    @cached_property
    def log_factor(self) -> float:
        """Of the plan's custom metrics."""
        factor = 1.0
        for effect in self.active:
            factor *= effect.log_bytes_factor
        return factor

    @cached_property
    def share(self) -> float | None:
        """The destination's real share, when it is not what the weights say."""
        said = [effect.share for effect in self.active if effect.share is not None]
        return said[-1] / PPM if said else None

    @cached_property
    def share_above(self) -> float:
        """How much more than its weight the destination really gets."""
        return sum(effect.share_above for effect in self.active) / PPM

    @cached_property
    def propagation_ms(self) -> int:
        """How long a weight takes to reach the data plane."""
        said = [effect.propagation for effect in self.active if effect.propagation is not None]
        return said[-1] if said else self._scenario.propagation

    def _fare(self, side: str) -> Fare:
        mine = [e for e in self.active if _of(e, side)]
        factor = 1.0
        for effect in mine:
            factor *= effect.latency_factor

        def chance(name: str) -> float:
            return min(1.0, sum(int(getattr(effect, name)) for effect in mine) / PPM)

        return Fare(
            chance("errors"), chance("client_errors"), chance("connection_errors"), chance("unanswered"),
            chance("elb_502"), chance("elb_503"), chance("elb_504"), factor, chance("slow"),
            max((float(e.slow_to) for e in mine if e.slow), default=3000.0),
            any(e.metrics_quiet for e in mine), max((e.metrics_delay for e in mine), default=0), any(e.metrics_torn for e in mine),
            min((e.errors_first / PPM for e in mine if e.errors_first is not None), default=None),
        )  # fmt: skip

    def _forget(self) -> None:
        for name in (
            "source",
            "destination",
            "balancer",
            "others",
            "requests_factor",
            "log_factor",
            "share",
            "share_above",
            "propagation_ms",
        ):
            self.__dict__.pop(name, None)
