"""The product in the simulated world: its real gates, its real `decide` and fold, nothing copied.

No ports, no files, no journal: each turn makes the observation that CloudWatch and the load balancer would have given
at that moment, `decide` decides, its records are folded, and a `SetWeight` changes who gets the requests. Nobody answers a
hold: one that clears by itself goes on, one that does not goes back at its deadline.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from benchmarks.gating import latency, reference
from benchmarks.gating.results import ACT, Outcome
from benchmarks.gating.rows import SLO_MS, SLOWER_THAN_TAU, Row
from benchmarks.gating.scenarios import BAKES, WEIGHTS, Course, Kind
from benchmarks.gating.world import BEFORE, HORIZON, World
from cutover.core.actions import End, RestoreRoutes, SetWeight
from cutover.core.engine import decide, first_look
from cutover.core.journal.events import (
    Event,
    GateJudged,
    Intent,
    LeaseTaken,
    PhaseChanged,
    Record,
    RunOpen,
)
from cutover.core.journal.events import (
    Outcome as Wrote,
)
from cutover.core.moment import Moment
from cutover.core.observation import (
    NOT_ASKED,
    Absent,
    Count,
    Identity,
    Known,
    Minute,
    Observation,
    Reading,
    Survey,
)
from cutover.core.plan import Plan
from cutover.core.reasons import Code
from cutover.core.routing import config_body
from cutover.core.state import Phase, RunState, evolve
from cutover.core.values import MINUTE, Weight
from tests.fakes import START, Bench, config, plan_of

ORIGIN_MS = START.wall_ms // MINUTE * MINUTE
"""Minute 0 of the world begins here; the run starts in some second of it, as runs do."""

ERRORS = {"max": "1%", "versus_source": {"ratio": 2.0, "floor": "0.2%"}}
RELATIVE = {"percentile": 95, "versus_source": {"ratio": 1.25}}
ABSOLUTE = {"percentile": 99, "max": f"{SLO_MS}ms"}
HOLD_BACK = "5%"


@dataclass(frozen=True)
class Variant:
    """One way to configure the product: a row of the tables."""

    name: str
    judge: str = ""
    hold_back: str = HOLD_BACK

    def plan(self) -> Plan:
        """The gates of gating.md section 4 on the benchmark's steps; all else is default."""
        said = {"judge": self.judge} if self.judge else {}
        extra: dict[str, Any] = {}
        if self.hold_back and "hold_back" in Plan.model_fields:
            extra["hold_back"] = self.hold_back
        steps = [
            {"weight": round(100 * weight), "bake": f"{bake}m"}
            for weight, bake in zip(WEIGHTS, BAKES, strict=True)
        ]
        return plan_of(
            steps=steps,
            gates=[
                {"errors": ERRORS | said},
                {"latency": RELATIVE | said},
                {"latency": ABSOLUTE | said},
                {"healthy": {"min": 2}},
            ],
            **extra,
        )


VARIANTS = (
    Variant("cutover"),
    Variant("cutover no hold_back", hold_back=""),
    Variant("cutover threshold", judge="threshold"),
)


class Product:
    """One configuration, ready to run in many worlds."""

    def __init__(self, variant: Variant) -> None:
        self.plan = plan = variant.plan()
        bench = Bench(plan)
        self.comparison = plan.comparisons[0]
        self.route = plan.routes[0].id
        self.identity: Reading[Identity] = bench.surveyor.identity()
        self.survey: Survey = bench.surveyor.survey(plan)
        self.health = bench.health.read([self.comparison.source, self.comparison.destination])
        measured = {self.comparison.id: {"p50": 65, "p95": latency.P95_MS, "p99": latency.P99_MS}}
        wanted = plan.series(measured)[self.comparison]
        self.quiet: dict[str, Count] = dict.fromkeys(
            (one.key for one in wanted), Absent.NO_DATAPOINT
        )

    def run(self, world: World) -> Outcome:
        """One cutover from the first look to its end."""
        return _Run(self, world).go()


class _Run:
    """One run's state: the journal's fold, the live config, and what CloudWatch has published."""

    def __init__(self, product: Product, world: World) -> None:
        self.product, self.world = product, world
        self.plan = product.plan
        self.poll = self.plan.observe.poll / MINUTE
        self.course = Course()
        self.state = RunState()
        self.live = config(0, attached=False)
        self._minutes: dict[tuple[int, object], Minute] = {}
        self.proof: float | None = None
        self.cause = ""
        self.held = 0.0
        self.holding: Moment | None = None

    def go(self) -> Outcome:
        """Turn after turn."""
        plan, now = self.plan, START.plus(1000 * self.world.begins + ORIGIN_MS - START.wall_ms)
        self._record(_opening(plan), now)
        self._record(LeaseTaken("bench", "bench", 1), now)
        look, previous, due = first_look(plan, self.state, now), None, None
        while True:
            at = _minute(now)
            seen = Observation(
                configs={self.product.route: Known(self.live, now)} if look.configs else {},
                minutes=self._published(look.minutes_from_ms, now),
                health=self.product.health if look.health else {},
                identity=self.product.identity if look.identity else NOT_ASKED,
                survey=Known(self.product.survey, now) if look.survey else NOT_ASKED,
                lease=Known(None, now),
                previous=previous,
                due=due,
            )
            decision = decide(plan, self.state, seen, now)
            for event in decision.records:
                self._heard(event, now)
                self._record(event, now)
            if isinstance(decision.effect, RestoreRoutes):
                return self._outcome(at, back=at)
            if isinstance(decision.effect, End):
                return self._outcome(at, back=None, code=int(decision.effect.exit_code))
            if isinstance(decision.effect, SetWeight):
                self._wrote(decision.effect, now)
            if at > HORIZON:
                return self._outcome(at, back=None, code=-1)
            previous, look = now, decision.look
            now = now.plus(max(0, decision.wake.after(now)))
            due = now

    def _outcome(self, at: float, back: float | None, code: int = 0) -> Outcome:
        world, course = self.world, self.course
        best = even = None
        if world.scenario.kind is Kind.DEFECT:
            best = reference.delay(world, course, self.poll)
            even = reference.delay(world, course, self.poll, reference.EVEN)
        proof_harm = 0.0 if self.proof is None else world.harm(course, self.proof + ACT)
        return Outcome(
            back=back,
            cause=self.cause,
            ended=at,
            onset=world.onset(course),
            harm=world.harm(course, at if back is None else at + ACT),
            finished=back is None and code == 0,
            proof=self.proof,
            proof_harm=proof_harm,
            best=best,
            even=even,
            held=self.held,
        )

    def _record(self, event: Event, now: Moment) -> None:
        self.state = evolve(self.plan, self.state, Record(self.state.seq + 1, 1, now, event))

    def _heard(self, event: Event, now: Moment) -> None:
        """What the outcome wants to know of the records."""
        if isinstance(event, PhaseChanged):
            if self.holding is not None:
                self.held += now.after(self.holding) / MINUTE
            self.holding = now if event.after == Phase.HOLDING else None
            if event.after == Phase.ROLLING_BACK:
                self.cause = event.cause
        if isinstance(event, GateJudged) and event.verdict == "BREACH" and self.proof is None:
            self.proof = _minute(now)

    def _wrote(self, move: SetWeight, now: Moment) -> None:
        weight, post = int(move.weight), config(int(move.weight))
        intent = Intent(
            self.product.route,
            "move",
            self.state.target,
            1,
            self.live.hash,
            config_body(post),
            weight,
            Code.SET_WEIGHT,
            "",
        )
        self._record(intent, now)
        self._record(Wrote(self.product.route, 1, "applied"), now)
        if weight != int(self.live.weight or Weight(0)):
            self.course.move(_minute(now), weight / 1000)
        self.live = post

    def _published(self, start_ms: int | None, now: Moment) -> Reading[tuple[Minute, ...]]:
        """Every minute from `start_ms` on, as GetMetricData would answer now."""
        if start_ms is None:
            return NOT_ASKED
        at = _minute(now)
        first = max(-BEFORE, -((ORIGIN_MS - start_ms) // MINUTE))
        return Known(tuple(self._minute(t, at) for t in range(first, int(at) + 1)), now)

    def _minute(self, t: int, at: float) -> Minute:
        settled = t + 1 + self.plan.observe.settle / MINUTE <= at
        shown = self.world.shown(t, at) if t + 1 <= at else None
        # a minute looks the same until more of it is published
        version = at if self.world.scenario.disorder and at < t + 8 else shown
        key = (t, (version, settled))
        found = self._minutes.get(key)
        if found is None:
            row = None if shown is None else self.world.visible(t, self.course, at)
            counts = self.product.quiet if row is None else {**self.product.quiet, **_counts(row)}
            start = ORIGIN_MS + t * MINUTE
            found = Minute(self.product.comparison.id, start, counts, settled=settled)
            self._minutes[key] = found
        return found


def _minute(now: Moment) -> float:
    """Minutes since the world's minute 0."""
    return (now.wall_ms - ORIGIN_MS) / MINUTE


def _counts(row: Row) -> Mapping[str, int]:
    """A row as CloudWatch's series: no datapoint for errors that did not happen, thousandths for slow requests."""
    found: dict[str, int] = {}
    if row.n_b + row.n_c:
        found["balancer.requests"] = row.n_b + row.n_c
    if row.u_c:
        found["balancer.elb_502"] = row.u_c
        found["balancer.elb_5xx"] = row.u_c
    sides = (
        ("source", row.n_b, row.e_b, 0, latency.P95_MS, row.tau_b, row.slo_b),
        ("destination", row.n_c, row.e_c, row.u_c, SLOWER_THAN_TAU, row.tau_c, row.slo_c),
    )
    for side, requests, errors, unanswered, limit, tau, slo in sides:
        ok = requests - errors - unanswered
        if requests:
            found[f"{side}.requests"] = requests
        if ok > 0:
            found[f"{side}.target_2xx"] = ok
        if errors:
            found[f"{side}.target_5xx"] = errors
        if requests > unanswered and tau >= 0:
            found[f"{side}.slower.{limit}"] = 1000 * tau
            found[f"{side}.slower.{SLO_MS}"] = 1000 * slo
    return found


def _opening(plan: Plan) -> RunOpen:
    aws = plan.aws
    return RunOpen(
        plan.name, plan.hash, aws.account, aws.region, "rehearsal", "0", (plan.routes[0].id,)
    )
