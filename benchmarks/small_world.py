"""The leanest world that a run can live in: no ports, no journal, no files, only `decide` and the fold."""

from __future__ import annotations

from collections.abc import Mapping

from cutover.core.actions import End, RestoreRoutes, SetWeight
from cutover.core.engine import decide, first_look
from cutover.core.journal.events import Event, Intent, LeaseTaken, Outcome, Record, RunOpen
from cutover.core.moment import Moment
from cutover.core.observation import NOT_ASKED, Absent, Count, Known, Minute, Observation, Reading
from cutover.core.plan import Plan
from cutover.core.reasons import Code
from cutover.core.routing import RouteConfig, config_body
from cutover.core.state import RunState, evolve
from cutover.core.values import Weight
from tests.fakes import START, Bench, config

REQUESTS = 6_000


class SmallWorld:
    """One healthy cutover of one route."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        bench = Bench(plan)
        self.identity = bench.surveyor.identity()
        self.survey = bench.surveyor.survey(plan)
        groups = [plan.routes[0].source, plan.routes[0].destination]
        self.health = bench.health.read(groups)
        self.configs = {
            weight: config(weight) for weight in (0, *(int(step.weight) for step in plan.steps))
        }
        wanted = plan.series({})[plan.comparisons[0]]
        self.quiet: dict[str, Count] = dict.fromkeys(
            (one.key for one in wanted), Absent.NO_DATAPOINT
        )
        self.turns = 0

    def run(self) -> int:
        """Drive the run to its end; the exit code."""
        plan, route = self.plan, self.plan.routes[0].id
        now, self.turns = START, 0
        live = config(0, attached=False)
        weights: list[tuple[int, int]] = [(0, 0)]
        minutes: dict[int, Minute] = {}
        state = self._record(RunState(), _opening(plan), now)
        state = self._record(state, LeaseTaken("bench", "bench", 1), now)
        look, previous, due = first_look(plan, state, now), None, None
        while True:
            self.turns += 1
            observation = Observation(
                configs={route: Known(live, now)} if look.configs else {},
                minutes=self._minutes(look.minutes_from_ms, now, weights, minutes),
                health=self.health if look.health else {},
                identity=self.identity if look.identity else NOT_ASKED,
                survey=Known(self.survey, now) if look.survey else NOT_ASKED,
                lease=Known(None, now),
                previous=previous,
                due=due,
            )
            decision = decide(plan, state, observation, now)
            for event in decision.records:
                state = self._record(state, event, now)
            if isinstance(decision.effect, End):
                return int(decision.effect.exit_code)
            if isinstance(decision.effect, RestoreRoutes):
                raise RuntimeError(f"a healthy cutover went back: {decision.effect.reason}")
            if isinstance(decision.effect, SetWeight):
                weight = decision.effect.weight
                state = self._wrote(state, live, weight, now)
                live = self.configs[int(weight)]
                weights.append((now.wall_ms, int(weight)))
            previous, look, now = now, decision.look, _later(now, decision.wake)
            due = now

    def _record(self, state: RunState, event: Event, now: Moment) -> RunState:
        return evolve(self.plan, state, Record(state.seq + 1, 1, now, event))

    def _wrote(self, state: RunState, pre: RouteConfig, weight: Weight, now: Moment) -> RunState:
        route = self.plan.routes[0].id
        post = config_body(self.configs[int(weight)])
        intent = Intent(
            route, "move", state.target, 1, pre.hash, post, int(weight), Code.SET_WEIGHT, ""
        )
        state = self._record(state, intent, now)
        return self._record(state, Outcome(route, 1, "applied"), now)

    def _minutes(
        self,
        start_ms: int | None,
        now: Moment,
        weights: list[tuple[int, int]],
        kept: dict[int, Minute],
    ) -> Reading[tuple[Minute, ...]]:
        if start_ms is None:
            return NOT_ASKED
        period, settle = self.plan.observe.period, self.plan.observe.settle
        found = []
        for at in range(start_ms, now.wall_ms - settle - period + 1, period):
            if at not in kept:
                weight = next(w for since, w in reversed(weights) if since <= at)
                kept[at] = Minute(
                    self.plan.comparisons[0].id, at, {**self.quiet, **counts(weight)}, settled=True
                )
            found.append(kept[at])
        return Known(tuple(found), now)


def counts(weight: int) -> Mapping[str, int]:
    """A healthy minute at a weight."""
    destination = REQUESTS * weight // 1000
    found = {"balancer.requests": REQUESTS}
    for side, requests in (("source", REQUESTS - destination), ("destination", destination)):
        if requests:
            found[f"{side}.requests"] = requests
            found[f"{side}.target_2xx"] = requests
    return found


def _opening(plan: Plan) -> RunOpen:
    aws = plan.aws
    return RunOpen(
        plan.name, plan.hash, aws.account, aws.region, "rehearsal", "0", (plan.routes[0].id,)
    )


def _later(now: Moment, wake: Moment) -> Moment:
    return now.plus(max(0, wake.after(now)))
