"""Gate `errors`: requests that the destination failed or never answered.

Bad are its 5xx, and the requests it was chosen for that no target answered (`RequestCount` minus all answers: 502 and
504 are made by the load balancer and appear in no target metric; connection errors are among them and are the
least there can be). Where the source itself leaves requests unanswered in normal times (WebSockets, long polls) that
term says nothing and is switched off. A destination that has no target to choose gets no `RequestCount` at all: 503s
above the load balancer's usual count, up to what the weight should have brought, are then its failures. At 100 % on a
load balancer that serves others too, they are so only where its own requests are missing, and not the others'
(AWS docs: CloudWatch metrics for your Application Load Balancer).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from math import ceil
from typing import Annotated

from pydantic import Field

from cutover.core.gates import columns, counting, judge
from cutover.core.gates.api import Counts, Early, GateContext, Hooks, Judgement
from cutover.core.gates.counting import Sample, Terms, Weighing
from cutover.core.gates.spec import Budget, CountingSpec, Judge, VersusSource
from cutover.core.gates.threshold import policy
from cutover.core.observation import Comparison, Minute, Series, Side
from cutover.core.units import Share
from cutover.core.values import FULL, PPM, with_fields

UNANSWERED_PPM = 1_000
"""A source that leaves more than 0.1 % unanswered in normal times does so by design."""

FIRST_MINUTES = 5
WEIGHING = Weighing("errors", share=0.5, cv=0.5, fast=0.05, bounded=True)
UNREAD_503 = "the load balancer's 503s could not be read in the newest minute"
OTHERS_503 = "the load balancer serves other groups too, requests of both are missing, and nobody can tell whose its 503s are"
NOT_ANSWERED = (
    Series(Side.BALANCER, "elb_502"),
    columns.ELB_503,
    Series(Side.BALANCER, "elb_504"),
)
"""What the load balancer says to clients whose request no target answered."""


class ErrorsSpec(CountingSpec):
    """Failed requests of the destination: its 5xx, connection errors and requests nobody answered."""

    max: Annotated[
        Share,
        Field(
            gt=0,
            lt=1_000_000,
            description="The highest share of failed requests ever allowed, unless the source itself is above it.",
        ),
    ]
    versus_source: Annotated[
        VersusSource | None,
        Field(
            description="Allow only max(floor, ratio x the source's concurrent rate), still at most `max`."
        ),
    ] = None
    budget: Budget = None
    judge: Judge = "sequential"

    @property
    def requests_to_pass(self) -> int:
        """Enough clean requests to exclude `max`."""
        return self.fewest(self.max)


@dataclass(frozen=True)
class Memory:
    """The counting memory, and what is usual on this load balancer.

    Attributes:
        unanswered: (requests, unanswered) of the source's minutes before the first raise.
        usual_503: (requests, 503) of the load balancer in the same minutes.
    """

    counting: judge.Memory
    unanswered: tuple[Counts, ...] = ()
    usual_503: tuple[Counts, ...] = ()


class ErrorsGate(Hooks):
    """Destination's failed and unanswered requests against `max` and the source."""

    Spec = ErrorsSpec

    def needs(
        self, spec: ErrorsSpec, comparison: Comparison, calibration: Mapping[str, int]
    ) -> tuple[Series, ...]:
        """Requests, answers and connection errors of both sides; the balancer's 503s."""
        both = (*columns.group_series(Side.SOURCE), *columns.group_series(Side.DESTINATION))
        return (*both, columns.BALANCER_REQUESTS, *NOT_ANSWERED)

    def no_column(self, spec: ErrorsSpec) -> str:
        """A table has `errors`, and perhaps `unanswered`."""
        return ""

    def start(self, spec: ErrorsSpec) -> Memory:
        """Nothing seen."""
        return Memory(judge.start(spec))

    def restart(self, memory: Memory) -> Memory:
        """What is usual stays; so does evidence against."""
        return replace(memory, counting=judge.restart(memory.counting))

    def fold(
        self, spec: ErrorsSpec, memory: Memory, minute: Minute, context: GateContext
    ) -> Memory:
        """The memory after one settled minute."""
        memory = _learn(memory, minute, context)
        sample = _sample(memory, minute, context)
        return with_fields(
            memory, counting=judge.fold(_terms(spec), memory.counting, sample, minute, context)
        )

    def verdict(
        self, spec: ErrorsSpec, memory: Memory, comparison: Comparison, context: GateContext
    ) -> Judgement:
        """See the judges."""
        return judge.verdict(_terms(spec), memory.counting, context)

    def early(
        self, spec: ErrorsSpec, memory: Memory, minutes: Sequence[Minute], context: GateContext
    ) -> Early | None:
        """By what is already published: 5xx and connection errors (answers may still be on their way).

        Of the source whatever its published answers do not account for counts as failed: a datapoint of its own
        5xx may be a moment behind the destination's.
        """
        terms = _terms(spec)
        if terms.weighing is None:
            sampled = [(Sample(_published(m, Side.DESTINATION), _at_worst(m)), m) for m in minutes]
        else:
            sampled = [(_sample(memory, m, context, whole=False), m) for m in minutes]
        return judge.early(terms, memory.counting, sampled, context)

    def learned(self, spec: ErrorsSpec, memory: Memory) -> Mapping[str, int]:
        """How much the source's rate varies, and what share of its requests nobody answers."""
        total = sum(c.total for c in memory.unanswered)
        missing = sum(c.bad for c in memory.unanswered)
        unanswered = {"unanswered_ppm": round(PPM * missing / total)} if total else {}
        return {**judge.learned(_terms(spec), memory.counting), **unanswered}

    def alpha(self, spec: ErrorsSpec) -> float:
        """Half of alpha."""
        return judge.alpha(_terms(spec))


ERRORS = ErrorsGate()


@lru_cache(maxsize=64)
def _terms(spec: ErrorsSpec) -> Terms:
    versus = spec.versus_source
    return Terms(
        max_ppm=spec.max,
        ratio=versus.ratio if versus else None,
        floor_ppm=versus.floor if versus else 0,
        what="failed",
        limit_ppm=spec.max,
        alone_ppm=spec.max,
        min_requests=spec.min_requests,
        budget_ppm=spec.budget,
        weighing=WEIGHING if spec.judge == "sequential" else None,
    )


def _learn(memory: Memory, minute: Minute, context: GateContext) -> Memory:
    """Minutes before the first raise say what is usual; without them the source's first few do."""
    before = columns.before_first_raise(context)
    if before or len(memory.unanswered) < FIRST_MINUTES:
        requests, answers = (
            minute.number(columns.SOURCE_REQUESTS.key),
            columns.answered(minute, Side.SOURCE),
        )
        if requests and answers is not None:
            seen = Counts(requests, max(0, requests - answers))
            memory = with_fields(
                memory, unanswered=(*memory.unanswered, seen)[-counting.BASELINE_MINUTES :]
            )
    requests = minute.number(columns.BALANCER_REQUESTS.key)
    made = minute.zero_if_requests(columns.ELB_503.key, columns.BALANCER_REQUESTS.key)
    if before and requests and made is not None:
        memory = with_fields(
            memory,
            usual_503=(*memory.usual_503, Counts(requests, made))[-counting.BASELINE_MINUTES :],
        )
    return memory


def _trusts_unanswered(memory: Memory) -> bool:
    total, missing = sum(c.total for c in memory.unanswered), sum(c.bad for c in memory.unanswered)
    return missing <= 3 or missing * PPM <= UNANSWERED_PPM * total


def _sample(memory: Memory, minute: Minute, context: GateContext, *, whole: bool = True) -> Sample:
    """The minute as counts; not `whole`: answers may still be published later than their requests."""
    most = None if whole else sum(minute.number(series.key) or 0 for series in NOT_ANSWERED)
    if not _trusts_unanswered(memory):
        most = 0
    source = _failed(minute, Side.SOURCE, most) if whole else _at_worst(minute)
    destination = _failed(minute, Side.DESTINATION, most)
    if source is None or destination is None:
        which = "the destination's" if destination is None else "the source's"
        return Sample(
            destination,
            source,
            unread=f"{which} requests and errors could not be read in the newest minute",
        )
    if _torn(minute, destination):
        return Sample(
            None,
            source,
            unread="the destination has requests but no answer is published, and no error of the load balancer explains it",
        )
    lost = _lost(memory, minute, context, destination.total, whole=whole)
    if isinstance(lost, str):
        return Sample(destination, source, unread=lost)
    return Sample(destination + Counts(lost, lost, lost) if lost else destination, source)


def _failed(minute: Minute, side: Side, most: int | None) -> Counts | None:
    """Requests and failed ones; Counts(0, 0) without requests, None when nobody knows.

    Of the unanswered ones at most `most` count: what the load balancer says it answered itself.
    """
    requests = columns.side_requests(minute, columns.series(side, "requests"))
    if not requests:
        return None if requests is None else Counts(0, 0)
    answers = columns.answered(minute, side)
    key = columns.series(side, "requests").key
    failed = minute.zero_if_requests(columns.series(side, "target_5xx").key, key)
    refused = minute.zero_if_requests(columns.series(side, "connection_errors").key, key)
    if answers is None or failed is None or refused is None:
        return None
    unanswered = max(0, requests - answers)
    if most is not None:
        unanswered = min(unanswered, most)
    return Counts(requests, min(requests, failed + max(unanswered, refused)))


def _torn(minute: Minute, destination: Counts) -> bool:
    """Requests are published and not one answer: late metrics, unless the load balancer answered instead.

    Whoever got no answer from a target got a 502, 503 or 504 (AWS docs: troubleshoot your Application Load
    Balancer). A request that hangs is answered when it times out, at most some minutes later.
    """
    if not destination.total or columns.answered(minute, Side.DESTINATION):
        return False
    refused = minute.number(Series(Side.DESTINATION, "connection_errors").key) or 0
    made = sum(minute.number(series.key) or 0 for series in NOT_ANSWERED)
    return 2 * max(made, refused) < destination.total


def _published(minute: Minute, side: Side) -> Counts | None:
    """What is known already of an unsettled minute."""
    requests = minute.number(columns.series(side, "requests").key)
    failed = minute.number(columns.series(side, "target_5xx").key) or 0
    refused = minute.number(columns.series(side, "connection_errors").key) or 0
    return None if requests is None else Counts(requests, failed + refused)


def _at_worst(minute: Minute) -> Counts | None:
    """The source in an unsettled minute, with all failed that is not seen to be answered."""
    known = _published(minute, Side.SOURCE)
    if known is None:
        return None if minute.is_unknown(columns.SOURCE_REQUESTS.key) else Counts(0, 0)
    failed = minute.number(columns.series(Side.SOURCE, "target_5xx").key) or 0
    missing = columns.unanswered(minute, Side.SOURCE)
    return Counts(known.total, min(known.total, max(known.bad, failed + missing)))


def _lost(
    memory: Memory, minute: Minute, context: GateContext, requests: float, *, whole: bool
) -> float | str:
    """Requests that found no target of the destination, or why nobody knows.

    Only when the destination got less than half of what its weight should have brought, and only 503s above the
    load balancer's usual count.
    """
    made = columns.side_requests(minute, columns.ELB_503)
    neighbours = memory.counting.neighbours
    if context.weight >= FULL and neighbours.shared:
        return _lost_among_others(memory, minute, context, requests, made, whole=whole)
    due = requests + (made or 0)
    if context.weight < FULL:
        source = minute.number(columns.SOURCE_REQUESTS.key) or 0
        due = source * context.weight / (FULL - context.weight)
    if context.weight <= 0 or 2 * requests >= due:
        return 0
    if made is None:
        return UNREAD_503
    return max(0, min(made - _usual_503(memory, minute, context), due - requests))


def _lost_among_others(
    memory: Memory,
    minute: Minute,
    context: GateContext,
    requests: float,
    made: int | None,
    *,
    whole: bool,
) -> float | str:
    """At 100 % on a load balancer that serves others too: whose 503s they are shows in whose requests are missing.

    A comparison that has half of its usual requests or more lost none. Beyond that the 503s are the destination's as far as
    the others' own missing requests do not explain them; where they explain all, nobody can tell.
    """
    neighbours = memory.counting.neighbours
    if 2 * requests >= neighbours.comparison:
        return 0
    theirs = neighbours.missing_others(minute)
    if made is None or theirs is None:
        return UNREAD_503
    excess = made - _usual_503(memory, minute, context)
    if excess <= 0:
        return 0
    if whole and excess > theirs:
        return min(excess - theirs, neighbours.comparison - requests)
    return OTHERS_503


def _usual_503(memory: Memory, minute: Minute, context: GateContext) -> int:
    """503s of an ordinary minute: the most of them for the threshold judge, their mean for the sequential one."""
    balancer = minute.number(columns.BALANCER_REQUESTS.key) or 0
    measured = context.calibration.get("elb_bad_ppm", 0)
    if isinstance(memory.counting, policy.Memory):
        return counting.usual_most(memory.usual_503, measured, balancer) or 0
    total = sum(c.total for c in memory.usual_503)
    rate = sum(c.bad for c in memory.usual_503) / total if total else measured / PPM
    return ceil(rate * balancer)
