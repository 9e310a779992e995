"""Gate `metric`: a CloudWatch metric of yours, per request if it grows with traffic.

With `per: request` a minute's value is divided by the destination's requests in it: what the new side does per request
(log bytes, records, credits) must not grow with its weight. Only minutes with at least `min_requests` of them count.

The baseline of `max_growth` is the last 30 such minutes before the first raise. Before the first raise the destination
usually has no request, and often writes no datapoint at all: the first 5 minutes after it then are the baseline. What is
wrong from the first request on is therefore not growth; `max` is for that.

BREACH when 2 of the last 3 minutes are above the limit. A missing datapoint is not zero: 3 in a row are UNKNOWN. Where
absence does mean zero (a counter that is published only when there is something to count) the plan says so with
`missing: zero`, and then it does in minutes in which the destination's `RequestCount` shows that it had requests.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from cutover.core.gates.api import GateContext, Judgement, Verdict, WithoutCounts
from cutover.core.gates.columns import (
    DESTINATION_REQUESTS,
    before_first_raise,
    in_step,
    side_requests,
)
from cutover.core.gates.counting import BASELINE_MINUTES, STALE_PERIODS
from cutover.core.gates.spec import Answer, GateSpec
from cutover.core.observation import Comparison, CustomMetric, Minute, Series, Side
from cutover.core.values import MINUTE

FIRST_MINUTES = 5
LEAST_BASELINE = 3
PROOF_MINUTES = 3
BAD_MINUTES, OF_MINUTES = 2, 3
MISSING_MINUTES = 3


class MetricSpec(GateSpec):
    """A CloudWatch metric of your own, absolute or against its own value at the start."""

    name: Annotated[
        str,
        Field(
            pattern="^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$",
            description="Its name in the plan, unique among the plan's metric gates.",
        ),
    ]
    namespace: Annotated[
        str,
        Field(
            min_length=1, max_length=255, description="CloudWatch namespace, for example AWS/Logs."
        ),
    ]
    metric: Annotated[
        str, Field(min_length=1, max_length=255, description="CloudWatch metric name.")
    ]
    dimensions: Annotated[
        dict[str, str],
        Field(
            default_factory=dict,
            max_length=30,
            description="Exactly the metric's dimensions: CloudWatch matches no subset.",
        ),
    ]
    statistic: Annotated[
        str,
        Field(
            pattern=r"^(Sum|Average|Minimum|Maximum|SampleCount|p[0-9]{1,2}(\.[0-9]+)?)$",
            description="Sum, Average, Minimum, Maximum, SampleCount or a percentile such as p99.",
        ),
    ] = "Sum"
    per: Annotated[
        Literal["request"] | None,
        Field(description="`request` divides by the destination's requests in the same minute."),
    ] = None
    max_growth: Annotated[
        float | None,
        Field(
            ge=1,
            le=1_000_000,
            description="How many times its baseline it may be (see the gate's baseline).",
        ),
    ] = None
    max: Annotated[
        float | None,
        Field(
            ge=0,
            le=1e15,
            description="The highest value allowed, in the metric's unit (per request with `per`).",
        ),
    ] = None
    missing: Annotated[
        Literal["zero"] | None,
        Field(
            description="`zero`: a minute without a datapoint counts as 0 if the destination had requests in it "
            "(`RequestCount`). For sums and counters that exist only when they are not zero. Without it such a minute is unknown."
        ),
    ] = None
    min_requests: Annotated[
        int,
        Field(
            ge=1,
            description="With `per: request`: minutes with fewer destination requests are not judged.",
        ),
    ] = 20
    on_breach: Answer = "hold"

    @model_validator(mode="after")
    def _has_a_limit(self) -> Self:
        if self.max is None and self.max_growth is None:
            raise ValueError(
                "metric needs `max_growth`, `max` or both: there is no limit to judge by"
            )
        if self.missing == "zero" and self.statistic not in ("Sum", "SampleCount"):
            raise ValueError(
                f"`missing: zero` is for Sum and SampleCount: without samples there is no {self.statistic}, and it is not 0"
            )
        return self


@dataclass(frozen=True)
class Value:
    """One minute: milli-units, and the requests they are divided by (1 without `per`)."""

    milli: int
    requests: int


@dataclass(frozen=True)
class Memory:
    """What the gate keeps.

    Attributes:
        before: usable minutes before the first raise.
        first: the first usable minutes after it, while `before` has too few.
        recent: the last usable minutes; evidence against.
        step, proof: how many usable minutes this step has had.
        missing: minutes of this step in a row without a usable value.
    """

    before: tuple[Value, ...] = ()
    first: tuple[Value, ...] = ()
    recent: tuple[Value, ...] = ()
    step: int = 0
    proof: int = 0
    missing: int = 0
    why_missing: str = ""
    newest_ms: int = 0


class MetricGate(WithoutCounts):
    """A metric of the operator's own against a limit, or against itself."""

    Spec = MetricSpec

    def needs(
        self, spec: MetricSpec, comparison: Comparison, calibration: Mapping[str, int]
    ) -> tuple[Series, ...]:
        """The metric, and the destination's requests."""
        return (_series(spec), DESTINATION_REQUESTS)

    def no_column(self, spec: MetricSpec) -> str:
        """A table has no metrics of anybody's own."""
        return "metric of the plan's own"

    def start(self, spec: MetricSpec) -> Memory:
        """Nothing seen."""
        return Memory()

    def restart(self, memory: Memory) -> Memory:
        """The baseline and evidence against stay."""
        return replace(memory, proof=0, missing=0, why_missing="", newest_ms=0)

    def fold(
        self, spec: MetricSpec, memory: Memory, minute: Minute, context: GateContext
    ) -> Memory:
        """The memory after one settled minute."""
        value = _value(spec, minute)
        before = before_first_raise(context)
        if isinstance(value, Unusable):
            if before or not in_step(minute, context):
                return memory
            same_step = context.step_began_ms == memory.step
            # few requests say little about a destination that is not being used yet: WAITING, not UNKNOWN
            missing = 1 if value.few else (memory.missing if same_step else 0) + 1
            memory = memory if same_step else replace(memory, step=context.step_began_ms, proof=0)
            return replace(memory, missing=missing, why_missing=value.why)
        if before:
            return replace(memory, before=(*memory.before, value)[-BASELINE_MINUTES:])
        if in_step(minute, context):
            proof = memory.proof if context.step_began_ms == memory.step else 0
            memory = replace(memory, step=context.step_began_ms, proof=proof + 1)
            if len(memory.before) < LEAST_BASELINE and len(memory.first) < FIRST_MINUTES:
                memory = replace(memory, first=(*memory.first, value))
        recent = (*memory.recent, value)[-OF_MINUTES:]
        return replace(memory, recent=recent, missing=0, why_missing="", newest_ms=minute.at_ms)

    def verdict(
        self, spec: MetricSpec, memory: Memory, comparison: Comparison, context: GateContext
    ) -> Judgement:
        """BREACH, UNKNOWN, WAITING or PASS."""
        limit, baseline = _limit(spec, memory)
        facts = {"limit_milli": round(limit or 0), "baseline_milli": round(baseline or 0)}
        if memory.recent:
            facts["newest_milli"] = round(_rate(memory.recent[-1]))
        bad = [limit is not None and _rate(value) > limit for value in memory.recent]
        unit = " per request" if spec.per else ""
        newest = (
            f"{spec.name} is {_text(_rate(memory.recent[-1]))}{unit}"
            if memory.recent
            else spec.name
        )
        against = "" if limit is None else f", limit {_text(limit)}"
        if baseline is not None:
            against += f" (baseline {_text(baseline)})"
        if sum(bad) >= BAD_MINUTES:
            worst = max(_rate(value) for value in memory.recent)
            why = f"{spec.name} reached {_text(worst)}{unit}{against} in {sum(bad)} of {len(bad)} minutes"
            return Judgement(Verdict.BREACH, why, facts, code="above_limit")
        if memory.step == context.step_began_ms and memory.missing >= MISSING_MINUTES:
            return Judgement(
                Verdict.UNKNOWN,
                f"{spec.name}: {memory.why_missing} for {memory.missing} minutes",
                facts,
                code="missing",
            )
        age = context.now.wall_ms - memory.newest_ms
        if memory.newest_ms and age > max(STALE_PERIODS * context.period_ms, 2 * MINUTE):
            return Judgement(
                Verdict.UNKNOWN,
                f"{spec.name}: the newest value is {age // MINUTE} minutes old",
                facts,
                code="stale",
            )
        proof = memory.proof if memory.step == context.step_began_ms else 0
        if spec.max_growth is not None and baseline is None:
            return Judgement(
                Verdict.WAITING,
                f"{spec.name} has no baseline above zero to grow from yet",
                facts,
                code="no_baseline",
            )
        if proof < PROOF_MINUTES:
            return Judgement(
                Verdict.WAITING,
                f"{spec.name} has {proof} of {PROOF_MINUTES} minutes of this step",
                facts,
                suspects=any(bad[-1:]),
                code="few_minutes",
            )
        if bad[-1] or memory.missing:
            why = (
                f"{newest}{against}: watching" if bad[-1] else f"{spec.name}: {memory.why_missing}"
            )
            code = "watching" if bad[-1] else "missing"
            return Judgement(Verdict.WAITING, why, facts, suspects=bad[-1], code=code)
        return Judgement(Verdict.PASS, f"{newest}{against}", facts, code="within_limit")


METRIC = MetricGate()


def _series(spec: MetricSpec) -> Series:
    asked = CustomMetric(
        spec.namespace, spec.metric, tuple(sorted(spec.dimensions.items())), spec.statistic
    )
    return Series(Side.CUSTOM, spec.name, custom=asked)


@dataclass(frozen=True)
class Unusable:
    """Why a minute has no value. `few`: too few requests to say anything, and no fault of the metric."""

    why: str
    few: bool = False


NO_DATAPOINT = Unusable("no datapoint")


def _value(spec: MetricSpec, minute: Minute) -> Value | Unusable:
    """The minute's value, or what is missing."""
    key = _series(spec).key
    milli = minute.number(key)
    if spec.missing == "zero":
        milli = minute.zero_if_requests(key, DESTINATION_REQUESTS.key)
    if spec.per is None:
        return NO_DATAPOINT if milli is None else Value(milli, 1)
    requests = side_requests(minute, DESTINATION_REQUESTS)
    if requests is None:
        return Unusable("the destination's requests could not be read")
    if requests == 0:
        return Unusable("the destination has no requests")
    if requests < spec.min_requests:
        return Unusable(f"fewer than {spec.min_requests} destination requests a minute", few=True)
    return NO_DATAPOINT if milli is None else Value(milli, requests)


def _rate(value: Value) -> float:
    return value.milli / value.requests


def _limit(spec: MetricSpec, memory: Memory) -> tuple[float | None, float | None]:
    """(limit, baseline), both in milli-units (per request); None while there is none."""
    absolute = None if spec.max is None else spec.max * 1000
    if spec.max_growth is None:
        return absolute, None
    values = memory.before
    if len(values) < LEAST_BASELINE:
        values = memory.first if len(memory.first) >= LEAST_BASELINE else ()
    total, requests = sum(value.milli for value in values), sum(value.requests for value in values)
    if total <= 0:
        return absolute, None
    baseline = total / requests
    growth = baseline * spec.max_growth
    return (growth if absolute is None else min(growth, absolute)), baseline


def _text(milli: float) -> str:
    return f"{milli / 1000:,.4g}" if abs(milli) < 1_000_000 else f"{milli / 1000:,.0f}"
