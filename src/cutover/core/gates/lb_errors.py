"""Gate `lb_errors`: 502, 503 and 504 that the load balancer made itself.

They carry no target group (AWS docs: CloudWatch metrics for your Application Load Balancer), so only the excess above
the load balancer's own rate of the 30 minutes before the first raise counts, less what chance explains, and it is held
against the destination's requests plus that excess. When the source's requests go unanswered or stay away in the same
minute the excess is the source's: SHARED.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated

from pydantic import Field

from cutover.core.gates import columns, counting, judge
from cutover.core.gates.api import Counts, Early, GateContext, Hooks, Judgement, Verdict
from cutover.core.gates.counting import Sample, Terms, Weighing
from cutover.core.gates.neighbours import OTHERS_SHARE, split_of
from cutover.core.gates.spec import Budget, CountingSpec
from cutover.core.observation import Comparison, Minute, Series, Side
from cutover.core.units import Share
from cutover.core.values import FULL

MADE = (
    Series(Side.BALANCER, "elb_502"),
    Series(Side.BALANCER, "elb_503"),
    Series(Side.BALANCER, "elb_504"),
)
WEIGHING = Weighing("lb_errors", share=0.25, cv=0.5, fast=0.05, compares=False)
OTHERS_MINUTES = 10


class LbErrorsSpec(CountingSpec):
    """ELB-made 502, 503 and 504 above the load balancer's own rate of the 30 minutes before the first raise."""

    max: Annotated[
        Share,
        Field(
            gt=0,
            lt=1_000_000,
            description="The highest share of the destination's requests that such an excess may be. On a load balancer "
            "that also serves other groups a breach holds, unless on_breach says otherwise.",
        ),
    ]
    budget: Budget = None

    @property
    def requests_to_pass(self) -> int:
        """Enough clean requests to exclude `max`."""
        return self.fewest(self.max)


@dataclass(frozen=True)
class Memory:
    """The counting memory, and what else is known of the load balancer.

    Attributes:
        usual: its (requests, errors) in the minutes before the first raise.
        others: (all its requests, those outside the comparison) in the last minutes.
    """

    counting: judge.Memory
    usual: tuple[Counts, ...] = ()
    others: tuple[Counts, ...] = ()


class LbErrorsGate(Hooks):
    """ELB-made 5xx above the load balancer's own rate, per destination request."""

    Spec = LbErrorsSpec

    def needs(
        self, spec: LbErrorsSpec, comparison: Comparison, calibration: Mapping[str, int]
    ) -> tuple[Series, ...]:
        """The balancer's errors; requests of both sides, and the source's answers."""
        return (
            *columns.REQUESTS,
            *MADE,
            *(Series(Side.SOURCE, name) for name in columns.ANSWERS),
        )

    def no_column(self, spec: LbErrorsSpec) -> str:
        """A table has the load balancer's 503 only."""
        return "502 and 504 of the load balancer"

    def start(self, spec: LbErrorsSpec) -> Memory:
        """Nothing seen."""
        return Memory(judge.start(spec))

    def restart(self, memory: Memory) -> Memory:
        """What is usual stays; so does evidence against."""
        return replace(memory, counting=judge.restart(memory.counting))

    def fold(
        self, spec: LbErrorsSpec, memory: Memory, minute: Minute, context: GateContext
    ) -> Memory:
        """The memory after one settled minute."""
        made, balancer = _made(minute), minute.number(columns.BALANCER_REQUESTS.key)
        if columns.before_first_raise(context) and made is not None and balancer:
            memory = replace(
                memory, usual=(*memory.usual, Counts(balancer, made))[-counting.BASELINE_MINUTES :]
            )
        memory = replace(memory, others=(*memory.others, _others(minute))[-OTHERS_MINUTES:])
        sample = _sample(memory, minute, context, made)
        return replace(
            memory, counting=judge.fold(_terms(spec), memory.counting, sample, minute, context)
        )

    def verdict(
        self, spec: LbErrorsSpec, memory: Memory, comparison: Comparison, context: GateContext
    ) -> Judgement:
        """See the judges; a breach on a balancer with other groups holds, unless the plan says otherwise."""
        judgement = judge.verdict(_terms(spec), memory.counting, context)
        if judgement.verdict is not Verdict.BREACH:
            return judgement
        return _on_shared_balancer(spec, judgement, memory.others)

    def early(
        self, spec: LbErrorsSpec, memory: Memory, minutes: Sequence[Minute], context: GateContext
    ) -> Early | None:
        """By the errors already published, above the rate that was measured before the run."""
        sampled = [
            (sample, minute)
            for minute in minutes
            if (sample := _published(memory, minute, context)) is not None
        ]
        found = judge.early(_terms(spec), memory.counting, sampled, context)
        if found is None:
            return None
        others = tuple(_others(minute) for minute in minutes if minute.at_ms == found.at_ms)
        return replace(found, judgement=_on_shared_balancer(spec, found.judgement, others))

    def learned(self, spec: LbErrorsSpec, memory: Memory) -> Mapping[str, int]:
        """Nothing: the source has no such errors of its own."""
        return {}

    def alpha(self, spec: LbErrorsSpec) -> float:
        """A quarter, with the sequential judge."""
        return judge.alpha(_terms(spec))


LB_ERRORS = LbErrorsGate()


def _terms(spec: LbErrorsSpec) -> Terms:
    return Terms(
        max_ppm=spec.max,
        ratio=None,
        floor_ppm=0,
        what="failed at the load balancer beyond its usual rate",
        limit_ppm=spec.max,
        alone_ppm=spec.max,
        min_requests=spec.min_requests,
        budget_ppm=spec.budget,
        weighing=WEIGHING if spec.judge == "sequential" else None,
    )


def _made(minute: Minute) -> int | None:
    """502 + 503 + 504; None when nobody knows one of them. A 503 needs no request that reached a target."""
    total = 0
    for series in MADE:
        count = columns.side_requests(minute, series)
        if count is None:
            return None
        total += count
    return total


def _published(memory: Memory, minute: Minute, context: GateContext) -> Sample | None:
    """What is known already of an unsettled minute; None when the excess cannot be told or is the source's."""
    made, balancer = _made(minute), minute.number(columns.BALANCER_REQUESTS.key)
    if made is None or balancer is None or _sources_fault(minute, context, made):
        return None
    usual = counting.usual_most(memory.usual, context.calibration.get("elb_bad_ppm"), balancer)
    if usual is None:
        return None
    excess = max(0, made - usual)
    requests = minute.number(columns.DESTINATION_REQUESTS.key) or 0
    return Sample(Counts(requests + excess, excess), None)


def _on_shared_balancer(
    spec: LbErrorsSpec, judgement: Judgement, others: tuple[Counts, ...]
) -> Judgement:
    """A breach on a balancer that serves other groups holds, unless the plan says otherwise."""
    if sum(c.bad for c in others) <= OTHERS_SHARE * sum(c.total for c in others):
        return judgement
    said = "on_breach" in spec.model_fields_set
    others_too = "; the load balancer serves other groups too, so it may not be the destination"
    reason = judgement.reason and replace(judgement.reason, said=others_too)
    return replace(
        judgement,
        why=f"{judgement.why}{others_too}",
        reason=reason,
        on_breach=spec.on_breach if said else "hold",
    )


def _others(minute: Minute) -> Counts:
    """(all requests of the balancer, those in neither group)."""
    split = split_of(minute)
    if split is None:
        return Counts(0, 0)
    return Counts(minute.number(columns.BALANCER_REQUESTS.key) or 0, split[1])


def _sample(memory: Memory, minute: Minute, context: GateContext, made: int | None) -> Sample:
    requests = columns.side_requests(minute, columns.DESTINATION_REQUESTS)
    balancer = columns.side_requests(minute, columns.BALANCER_REQUESTS)
    if made is None or requests is None or balancer is None:
        return Sample(
            None,
            None,
            unread="the load balancer's errors, or the requests they belong to, could not be read in the newest minute",
        )
    if context.weight <= 0:
        return Sample(None, None)
    usual = counting.usual_most(memory.usual, context.calibration.get("elb_bad_ppm"), balancer)
    if usual is None:
        return Sample(
            None, None, unread="the load balancer's own rate before the run is not known"
        )
    excess = max(0, made - usual)
    return Sample(
        Counts(requests + excess, excess),
        None,
        shared=excess > 0 and _sources_fault(minute, context, made),
    )


def _sources_fault(minute: Minute, context: GateContext, made: int) -> bool:
    """Half of the errors are requests that the source left unanswered, or its own requests stayed away."""
    requests, answers = (
        minute.number(columns.SOURCE_REQUESTS.key),
        columns.answered(minute, Side.SOURCE),
    )
    if requests and answers is not None and 2 * (requests - answers) >= made > 0:
        return True
    if context.weight >= FULL or minute.is_unknown(columns.SOURCE_REQUESTS.key):
        return False
    destination = minute.number(columns.DESTINATION_REQUESTS.key) or 0
    due = destination * (FULL - context.weight) // max(context.weight, 1)
    return due > 0 and 2 * (requests or 0) < due
