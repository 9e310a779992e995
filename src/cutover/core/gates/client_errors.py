"""Gate `client_errors`: 4xx that only the destination gives (lost sessions, wrong paths, protocol mismatch).

Bad are its 4xx. A protocol mismatch is answered by the load balancer itself with 464, which no target metric counts:
its own 4xx above its usual count are added, up to what the weight should have brought the destination and no target
answered (AWS docs: Troubleshoot your Application Load Balancers).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Self

from pydantic import Field, model_validator

from cutover.core.gates import columns, counting, judge
from cutover.core.gates.api import Counts, Early, GateContext, Hooks, Judgement
from cutover.core.gates.counting import Sample, Terms, Weighing
from cutover.core.gates.spec import Answer, CountingSpec, VersusSource
from cutover.core.observation import Comparison, Minute, Series, Side
from cutover.core.units import Share
from cutover.core.values import FULL

WEIGHING = Weighing("client_errors", share=0.25, cv=0.5, fast=0.25)
ELB_4XX = Series(Side.BALANCER, "elb_4xx")


class ClientErrorsSpec(CountingSpec):
    """4xx of the destination drifting away from the source's: lost sessions, wrong paths, 464."""

    versus_source: Annotated[
        VersusSource | None,
        Field(description="Allow max(floor, ratio x the source's concurrent rate of 4xx)."),
    ] = None
    max: Annotated[
        Share | None,
        Field(
            gt=0,
            lt=1_000_000,
            description="The highest share of 4xx allowed, unless the source itself is above it.",
        ),
    ] = None
    on_breach: Answer = "hold"

    @model_validator(mode="after")
    def _has_a_limit(self) -> Self:
        if self.max is None and self.versus_source is None:
            raise ValueError(
                "client_errors needs `versus_source`, `max` or both: there is no limit to judge by"
            )
        return self

    @property
    def requests_to_pass(self) -> int:
        """Enough clean requests to exclude the smallest limit that can apply."""
        floor = 2 * self.versus_source.floor if self.versus_source else 1_000_000
        return self.fewest(min(floor, self.max or floor))


@dataclass(frozen=True)
class Memory:
    """The counting memory, and (requests, 4xx) of the load balancer in the minutes before the first raise."""

    counting: judge.Memory
    usual_4xx: tuple[Counts, ...] = ()


class ClientErrorsGate(Hooks):
    """Destination's 4xx against the source's in the same minutes."""

    Spec = ClientErrorsSpec

    def needs(
        self, spec: ClientErrorsSpec, comparison: Comparison, calibration: Mapping[str, int]
    ) -> tuple[Series, ...]:
        """Requests and answers of both sides; the balancer's own 4xx."""
        answers = (
            Series(side, name)
            for side in (Side.SOURCE, Side.DESTINATION)
            for name in columns.ANSWERS
        )
        return (*columns.REQUESTS, *answers, ELB_4XX)

    def no_column(self, spec: ClientErrorsSpec) -> str:
        """A table counts no client errors."""
        return "4xx"

    def start(self, spec: ClientErrorsSpec) -> Memory:
        """Nothing seen."""
        return Memory(judge.start(spec))

    def restart(self, memory: Memory) -> Memory:
        """What is usual stays; so does evidence against."""
        return replace(memory, counting=judge.restart(memory.counting))

    def fold(
        self, spec: ClientErrorsSpec, memory: Memory, minute: Minute, context: GateContext
    ) -> Memory:
        """The memory after one settled minute."""
        requests = minute.number(columns.BALANCER_REQUESTS.key)
        made = minute.zero_if_requests(ELB_4XX.key, columns.BALANCER_REQUESTS.key)
        if columns.before_first_raise(context) and requests and made is not None:
            usual = (*memory.usual_4xx, Counts(requests, made))[-counting.BASELINE_MINUTES :]
            memory = replace(memory, usual_4xx=usual)
        sample = _sample(memory, minute, context)
        return replace(
            memory, counting=judge.fold(_terms(spec), memory.counting, sample, minute, context)
        )

    def verdict(
        self, spec: ClientErrorsSpec, memory: Memory, comparison: Comparison, context: GateContext
    ) -> Judgement:
        """See the judges."""
        return judge.verdict(_terms(spec), memory.counting, context)

    def early(
        self,
        spec: ClientErrorsSpec,
        memory: Memory,
        minutes: Sequence[Minute],
        context: GateContext,
    ) -> Early | None:
        """By the 4xx already published; of the source whatever its answers do not account for may be one more."""
        sampled = [(Sample(_refused(m, Side.DESTINATION), _at_worst(m)), m) for m in minutes]
        return judge.early(_terms(spec), memory.counting, sampled, context)

    def learned(self, spec: ClientErrorsSpec, memory: Memory) -> Mapping[str, int]:
        """How much the source's rate of 4xx varies."""
        return judge.learned(_terms(spec), memory.counting)

    def alpha(self, spec: ClientErrorsSpec) -> float:
        """A quarter, with the sequential judge."""
        return judge.alpha(_terms(spec))


CLIENT_ERRORS = ClientErrorsGate()


def _terms(spec: ClientErrorsSpec) -> Terms:
    versus = spec.versus_source
    return Terms(
        max_ppm=spec.max,
        ratio=versus.ratio if versus else None,
        floor_ppm=versus.floor if versus else 0,
        what="got a 4xx",
        limit_ppm=spec.max,
        alone_ppm=spec.max,
        min_requests=spec.min_requests,
        weighing=WEIGHING if spec.judge == "sequential" else None,
    )


def _refused(minute: Minute, side: Side) -> Counts | None:
    """Requests and 4xx; Counts(0, 0) without requests, None when nobody knows."""
    requests = columns.side_requests(minute, Series(side, "requests"))
    if not requests:
        return None if requests is None else Counts(0, 0)
    refused = minute.zero_if_requests(Series(side, "target_4xx").key, Series(side, "requests").key)
    return None if refused is None else Counts(requests, min(requests, refused))


def _at_worst(minute: Minute) -> Counts | None:
    """The source in an unsettled minute, with all refused that is not seen to be answered otherwise."""
    known = _refused(minute, Side.SOURCE)
    if known is None:
        return None
    return Counts(
        known.total, min(known.total, known.bad + columns.unanswered(minute, Side.SOURCE))
    )


def _sample(memory: Memory, minute: Minute, context: GateContext) -> Sample:
    source, destination = _refused(minute, Side.SOURCE), _refused(minute, Side.DESTINATION)
    if source is None or destination is None:
        which = "the destination's" if destination is None else "the source's"
        return Sample(
            destination,
            source,
            unread=f"{which} requests and 4xx could not be read in the newest minute",
        )
    return Sample(_with_464(memory, minute, context, destination), source)


def _with_464(memory: Memory, minute: Minute, context: GateContext, destination: Counts) -> Counts:
    """With the balancer's own 4xx above its usual count that only the destination's missing requests explain."""
    made = minute.number(ELB_4XX.key) or 0
    balancer = minute.number(columns.BALANCER_REQUESTS.key) or 0
    usual = counting.usual_most(memory.usual_4xx, None, balancer)
    answers = columns.answered(minute, Side.DESTINATION) if destination.total else 0
    if context.weight <= 0 or usual is None or answers is None:
        return destination
    neighbours = memory.counting.neighbours
    due = (
        answers + made
    )  # at 100 % every one of the balancer's is the destination's, unless others are served too
    if context.weight < FULL or neighbours.shared:
        due = neighbours.due(minute, context.weight)
    added = max(0, min(made - usual, due - answers))
    return Counts(max(destination.total, answers + added), destination.bad + added)
