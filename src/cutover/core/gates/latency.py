"""Gate `latency`: requests that the destination answered too slowly.

A percentile is never averaged or compared: "p95 is at most 800 ms" is exactly "at most 5 % of requests took longer than
800 ms", and requests slower than a limit can be counted, added up and judged like errors (CloudWatch statistic `TC`).
"p95 is at most 1.25 x the source's" is "at most 5 % of the destination's requests took longer than 1.25 x the source's
p95 before the run"; what share of the source's own requests is slower than that p95 in the same minute is allowed
too, so a slow-down that both share is nobody's fault. Minutes in which a weight just changed are cold: only an outage
counts in them. Unlike errors, a missing count is not zero.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import Annotated, Self

from pydantic import Field, model_validator

from cutover.core.gates import columns, judge
from cutover.core.gates.api import Counts, Early, GateContext, Hooks, Judgement, Verdict
from cutover.core.gates.counting import Sample, Terms, Weighing
from cutover.core.gates.spec import CountingSpec, Judge
from cutover.core.observation import Comparison, Minute, Series, Side
from cutover.core.units import Duration, Model
from cutover.core.values import duration_text

SOURCE_ABOVE = 1.5
"""When the source itself breaks `max`, the destination may be this much worse."""

STAND_IN = "stand_in"
"""Set in a calibration whose percentiles nobody measured: they only name columns, so no sentence may name them."""


class LatencyVersusSource(Model):
    """The destination's percentile compared with the source's own before the run."""

    ratio: Annotated[
        float,
        Field(
            ge=1,
            le=1000,
            description="How many times the source's percentile the destination's may be.",
        ),
    ]


class LatencySpec(CountingSpec):
    """Slow requests of the destination, counted as requests slower than a limit: no percentile is averaged."""

    percentile: Annotated[
        float,
        Field(
            ge=50,
            le=99.9,
            description="The percentile to hold: 95 means that 5 % of requests may be slower.",
        ),
    ] = 95
    max: Annotated[
        Duration | None,
        Field(gt=0, description="The percentile must not be above this."),
    ] = None
    versus_source: Annotated[
        LatencyVersusSource | None,
        Field(
            description="The percentile must not be above ratio x the source's, measured before the run."
        ),
    ] = None
    judge: Judge = "sequential"

    @model_validator(mode="after")
    def _has_a_limit(self) -> Self:
        if self.max is None and self.versus_source is None:
            raise ValueError(
                "latency needs `max`, `versus_source` or both: there is no limit to judge by"
            )
        return self

    @property
    def tail(self) -> int:
        """The share of requests that may be slower than the limit, in ppm."""
        return round((100 - self.percentile) * 10_000)

    @property
    def name_of_percentile(self) -> str:
        """`p95`: its name in the calibration."""
        return f"p{self.percentile:g}"

    @property
    def requests_to_pass(self) -> int:
        """Enough fast requests to exclude a fatter tail."""
        limit = self.tail if self.max is not None else 2 * self.tail
        return self.fewest(limit)


@dataclass(frozen=True)
class Memory:
    """One counting memory for each limit."""

    absolute: judge.Memory
    relative: judge.Memory


@dataclass(frozen=True)
class _Limit:
    """One limit: what is slow on each side, and what share may be."""

    destination_ms: int
    source_ms: int
    terms: Terms

    @cached_property
    def series(self) -> tuple[Series, Series]:
        return Series(Side.DESTINATION, "slower", self.destination_ms), Series(
            Side.SOURCE, "slower", self.source_ms
        )


class LatencyGate(Hooks):
    """Slow requests of the destination against a fixed limit, and against the source."""

    Spec = LatencySpec

    def needs(
        self, spec: LatencySpec, comparison: Comparison, calibration: Mapping[str, int]
    ) -> tuple[Series, ...]:
        """Requests, and those slower than each limit, on both sides."""
        limits = (_absolute(spec), _relative(spec, calibration))
        return (
            *columns.REQUESTS,
            *(series for limit in limits if limit for series in limit.series),
        )

    def percentiles(self, spec: LatencySpec) -> tuple[str, ...]:
        """The one that it holds the destination to."""
        return (spec.name_of_percentile,)

    def no_column(self, spec: LatencySpec) -> str:
        """A table may have `slow` and `over_slo`."""
        return ""

    def start(self, spec: LatencySpec) -> Memory:
        """Nothing seen."""
        return Memory(judge.start(spec), judge.start(spec))

    def restart(self, memory: Memory) -> Memory:
        """Evidence against stays."""
        return Memory(judge.restart(memory.absolute), judge.restart(memory.relative))

    def fold(
        self, spec: LatencySpec, memory: Memory, minute: Minute, context: GateContext
    ) -> Memory:
        """The memory after one settled minute."""
        absolute, relative = _absolute(spec), _relative(spec, context.calibration)
        if absolute is not None:
            folded = judge.fold(
                absolute.terms, memory.absolute, _sample(absolute, minute), minute, context
            )
            memory = replace(memory, absolute=folded)
        if relative is not None:
            folded = judge.fold(
                relative.terms, memory.relative, _sample(relative, minute), minute, context
            )
            memory = replace(memory, relative=folded)
        return memory

    def verdict(
        self, spec: LatencySpec, memory: Memory, comparison: Comparison, context: GateContext
    ) -> Judgement:
        """The worse of the two limits'."""
        judgements = []
        absolute, relative = _absolute(spec), _relative(spec, context.calibration)
        if absolute is not None:
            judgements.append(judge.verdict(absolute.terms, memory.absolute, context))
        if relative is not None:
            judgements.append(judge.verdict(relative.terms, memory.relative, context))
        elif spec.versus_source is not None:
            why = f"the source's {spec.name_of_percentile} before the run is not known: nothing to compare with"
            judgements.append(Judgement(Verdict.UNKNOWN, why, code="source_unknown"))
        worst = max(judgements, key=_urgency)
        return replace(worst, signals=tuple(one for j in judgements for one in j.signals))

    def early(
        self, spec: LatencySpec, memory: Memory, minutes: Sequence[Minute], context: GateContext
    ) -> Early | None:
        """By the slow requests already published, not in the cold minutes of a change."""
        limits = (
            (_absolute(spec), memory.absolute),
            (_relative(spec, context.calibration), memory.relative),
        )
        found = [
            judge.early(
                limit.terms,
                known,
                [(_sample(limit, minute), minute) for minute in minutes],
                context,
            )
            for limit, known in limits
            if limit is not None
        ]
        said = [one for one in found if one is not None]
        return max(said, key=lambda one: _urgency(one.judgement), default=None)

    def learned(self, spec: LatencySpec, memory: Memory) -> Mapping[str, int]:
        """How much the source's shares of slow requests vary."""
        absolute, relative = _absolute(spec), _relative(spec, _any_calibration(spec))
        return {
            **(judge.learned(absolute.terms, memory.absolute) if absolute else {}),
            **(judge.learned(relative.terms, memory.relative) if relative else {}),
        }

    def alpha(self, spec: LatencySpec) -> float:
        """A quarter for each limit."""
        limits = (_absolute(spec), _relative(spec, _any_calibration(spec)))
        return sum(judge.alpha(limit.terms) for limit in limits if limit is not None)


def _urgency(judgement: Judgement) -> tuple[Verdict, bool]:
    """The worse verdict; of equal breaches one that is proven, before one that only asks."""
    return judgement.verdict, judgement.on_breach != "escalate"


LATENCY = LatencyGate()


@lru_cache(maxsize=64)
def _absolute(spec: LatencySpec) -> _Limit | None:
    if spec.max is None:
        return None
    what = f"were slower than {duration_text(spec.max)}"
    terms = _terms(
        spec,
        what,
        _weighing(spec, "max", cv=0.5),
        max_ppm=None if spec.judge == "sequential" else spec.tail,
        ratio=SOURCE_ABOVE,
        floor_ppm=spec.tail,
        limit_ppm=spec.tail,
    )
    return _Limit(spec.max, spec.max, terms)


def _relative(spec: LatencySpec, calibration: Mapping[str, int]) -> _Limit | None:
    measured = STAND_IN not in calibration
    return _relative_to(spec, calibration.get(spec.name_of_percentile, 0), measured)


@lru_cache(maxsize=64)
def _relative_to(spec: LatencySpec, tau: int, measured: bool) -> _Limit | None:  # noqa: FBT001 - a part of the key
    if spec.versus_source is None or tau <= 0:
        return None
    slow = max(1, round(tau * spec.versus_source.ratio))
    limit = f"{spec.versus_source.ratio:g} x the source's {spec.name_of_percentile}"
    what = f"were slower than {f'{duration_text(slow)}, ' if measured else ''}{limit}"
    return _Limit(
        slow,
        tau,
        _terms(
            spec,
            what,
            _weighing(spec, "versus_source", cv=0.4),
            max_ppm=None,
            ratio=1.0,
            floor_ppm=spec.tail,
            limit_ppm=None,
        ),
    )


def _any_calibration(spec: LatencySpec) -> Mapping[str, int]:
    """What is true of a limit whatever the source's percentile turns out to be."""
    return {spec.name_of_percentile: 1}


def _terms(
    spec: LatencySpec,
    what: str,
    weighing: Weighing,
    *,
    max_ppm: int | None,
    ratio: float,
    floor_ppm: int,
    limit_ppm: int | None,
) -> Terms:
    return Terms(
        max_ppm=max_ppm,
        ratio=ratio,
        floor_ppm=floor_ppm,
        what=what,
        limit_ppm=limit_ppm,
        alone_ppm=spec.tail,
        min_requests=spec.min_requests,
        cold_start=True,
        weighing=weighing if spec.judge == "sequential" else None,
    )


def _weighing(spec: LatencySpec, limit: str, cv: float) -> Weighing:
    name = "latency" if spec.percentile == 95 else f"latency.{spec.name_of_percentile}"
    return Weighing(f"{name}.{limit}", share=0.25, cv=cv, fast=0.5, before=False)


def _slow(minute: Minute, series: Series) -> Counts | None:
    """Requests and slow ones; Counts(0, 0) without requests, None when nobody knows."""
    requests = columns.side_requests(minute, columns.series(series.side, "requests"))
    if not requests:
        return None if requests is None else Counts(0, 0)
    thousandths = minute.number(series.key)
    if thousandths is None:
        return None
    slow = thousandths // 1000 if thousandths % 1000 == 0 else thousandths / 1000
    return Counts(requests, min(requests, max(0, slow)))


def _sample(limit: _Limit, minute: Minute) -> Sample:
    destination, source = (_slow(minute, series) for series in limit.series)
    unread = ""
    if destination is None:
        unread = "the destination's slow requests could not be read in the newest minute"
    elif source is None:
        unread = "the source's slow requests could not be read in the newest minute"
    return Sample(destination, source, unread)
