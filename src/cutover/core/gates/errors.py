"""Gate `errors`: requests that the destination failed or never answered.

Bad are its 5xx, and the requests it was chosen for that no target answered (`RequestCount` minus all answers: 502 and
504 are made by the load balancer and appear in no target metric; connection errors are among them and are the
least there can be). Where the source itself leaves requests unanswered in normal times (WebSockets, long polls) that
term says nothing and is switched off. A destination that has no target to choose gets no `RequestCount` at all: 503s
above the load balancer's usual count, up to what the weight should have brought, are then its failures
(AWS docs: CloudWatch metrics for your Application Load Balancer).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Annotated

from pydantic import Field

from cutover.core.gates import columns, counting
from cutover.core.gates.counting import Sample, Terms
from cutover.core.gates.judging import Counts, Judgement, Scene
from cutover.core.gates.spec import Budget, CountingSpec, VersusSource, fewest_requests
from cutover.core.observation import Minute, Pair, Series, Side
from cutover.core.units import Share
from cutover.core.values import FULL, PPM

UNANSWERED_PPM = 1_000
"""A source that leaves more than 0.1 % unanswered in normal times does so by design."""

FIRST_MINUTES = 5
ELB_503 = Series(Side.BALANCER, "elb_503")
NOT_ANSWERED = (Series(Side.BALANCER, "elb_502"), ELB_503, Series(Side.BALANCER, "elb_504"))
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

    @property
    def requests_to_pass(self) -> int:
        """Enough clean requests to exclude `max`."""
        return max(self.min_requests, fewest_requests(self.max))


@dataclass(frozen=True)
class Memory:
    """The counting memory, and what is usual on this load balancer.

    Attributes:
        unanswered: (requests, unanswered) of the source's minutes before the first raise.
        usual_503: (requests, 503) of the load balancer in the same minutes.
    """

    counting: counting.Memory = counting.START
    unanswered: tuple[Counts, ...] = ()
    usual_503: tuple[Counts, ...] = ()


class ErrorsGate:
    """Destination's failed and unanswered requests against `max` and the source."""

    Spec = ErrorsSpec

    def needs(
        self, spec: ErrorsSpec, pair: Pair, calibration: Mapping[str, int]
    ) -> tuple[Series, ...]:
        """Requests, answers and connection errors of both sides; the balancer's 503s."""
        both = (*columns.group_series(Side.SOURCE), *columns.group_series(Side.DESTINATION))
        return (*both, columns.BALANCER_REQUESTS, *NOT_ANSWERED)

    def start(self) -> Memory:
        """Nothing seen."""
        return Memory()

    def restart(self, memory: Memory) -> Memory:
        """What is usual stays; so does evidence against."""
        return replace(memory, counting=counting.restart(memory.counting))

    def fold(self, spec: ErrorsSpec, memory: Memory, minute: Minute, scene: Scene) -> Memory:
        """The memory after one settled minute."""
        memory = _learn(memory, minute, scene)
        sample = _sample(memory, minute, scene)
        return replace(
            memory, counting=counting.fold(_terms(spec), memory.counting, sample, minute, scene)
        )

    def verdict(self, spec: ErrorsSpec, memory: Memory, pair: Pair, scene: Scene) -> Judgement:
        """See `counting.verdict`."""
        return counting.verdict(_terms(spec), memory.counting, scene)

    def alarming(
        self, spec: ErrorsSpec, memory: Memory, minute: Minute, scene: Scene
    ) -> Judgement | None:
        """By what is already published: 5xx and connection errors (answers may still be on their way)."""
        destination, source = _published(minute, Side.DESTINATION), _published(minute, Side.SOURCE)
        return counting.alarming(
            _terms(spec), memory.counting, Sample(destination, source), minute, scene
        )


ERRORS = ErrorsGate()


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
    )


def _learn(memory: Memory, minute: Minute, scene: Scene) -> Memory:
    """Minutes before the first raise say what is usual; without them the source's first few do."""
    before = columns.before_first_raise(scene)
    if before or len(memory.unanswered) < FIRST_MINUTES:
        requests, answers = (
            minute.number(columns.SOURCE_REQUESTS.key),
            columns.answered(minute, Side.SOURCE),
        )
        if requests and answers is not None:
            seen = Counts(requests, max(0, requests - answers))
            memory = replace(
                memory, unanswered=(*memory.unanswered, seen)[-counting.BASELINE_MINUTES :]
            )
    requests = minute.number(columns.BALANCER_REQUESTS.key)
    made = minute.zero_if_requests(ELB_503.key, columns.BALANCER_REQUESTS.key)
    if before and requests and made is not None:
        memory = replace(
            memory,
            usual_503=(*memory.usual_503, Counts(requests, made))[-counting.BASELINE_MINUTES :],
        )
    return memory


def _trusts_unanswered(memory: Memory) -> bool:
    total, missing = sum(c.total for c in memory.unanswered), sum(c.bad for c in memory.unanswered)
    return missing <= 3 or missing * PPM <= UNANSWERED_PPM * total


def _sample(memory: Memory, minute: Minute, scene: Scene) -> Sample:
    trusted = _trusts_unanswered(memory)
    source = _failed(minute, Side.SOURCE, trusted=trusted)
    destination = _failed(minute, Side.DESTINATION, trusted=trusted)
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
    lost = _lost(memory, minute, scene, destination.total)
    if lost is None:
        return Sample(
            destination,
            source,
            unread="the load balancer's 503s could not be read in the newest minute",
        )
    return Sample(destination + Counts(lost, lost), source)


def _failed(minute: Minute, side: Side, *, trusted: bool) -> Counts | None:
    """Requests and failed ones; Counts(0, 0) without requests, None when nobody knows."""
    requests = columns.side_requests(minute, Series(side, "requests"))
    if not requests:
        return None if requests is None else Counts(0, 0)
    answers = columns.answered(minute, side)
    key = Series(side, "requests").key
    failed = minute.zero_if_requests(Series(side, "target_5xx").key, key)
    refused = minute.zero_if_requests(Series(side, "connection_errors").key, key)
    if answers is None or failed is None or refused is None:
        return None
    unanswered = max(0, requests - answers) if trusted else 0
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
    requests = minute.number(Series(side, "requests").key)
    failed = minute.number(Series(side, "target_5xx").key) or 0
    refused = minute.number(Series(side, "connection_errors").key) or 0
    return None if requests is None else Counts(requests, failed + refused)


def _lost(memory: Memory, minute: Minute, scene: Scene, requests: int) -> int | None:
    """Requests that found no target of the destination; None when nobody knows.

    Only when the destination got less than half of what its weight should have brought, and only 503s above the
    load balancer's usual count.
    """
    made = columns.side_requests(minute, ELB_503)
    due = columns.requests_due(minute, scene.weight)
    if scene.weight >= FULL:
        due = requests + (made or 0)
    if scene.weight <= 0 or 2 * requests >= due:
        return 0
    if made is None:
        return None
    balancer = minute.number(columns.BALANCER_REQUESTS.key) or 0
    usual = (
        counting.usual_most(memory.usual_503, scene.calibration.get("elb_bad_ppm", 0), balancer)
        or 0
    )
    return max(0, min(made - usual, due - requests))
