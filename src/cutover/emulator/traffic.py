"""Clients, and how their requests fare: one draw per minute, route and side, never one per request."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from cutover.core.moment import floor_to
from cutover.core.plan import Plan
from cutover.core.values import DAY, HOUR, MINUTE, PPM
from cutover.emulator.active_injections import ActiveInjections, Fare
from cutover.emulator.balancer import Balancer
from cutover.emulator.harm import SLOW_SIGMA, Harm, limits_of
from cutover.emulator.latency import TAIL_OVER_MEDIAN, TAIL_SIGMA, Latencies, Part, body_sigma
from cutover.emulator.randomness import Randomness
from cutover.emulator.scenario import Scenario

PEAK_AT_MS = 14 * HOUR
LATENCY_JITTER = 0.03
SHARED_NOISE = 0.2
RARE_502 = 10e-6
"""The balancer's own 502 and 504 in good times, as chances per request."""
RARE_504 = 10e-6
REDIRECTED = 0.01
BURST_LEAST, BURST_SPAN = 5, 25


@dataclass
class GroupTally:
    """One target group behind one balancer in one minute."""

    requests: int = 0
    ok: int = 0
    redirected: int = 0
    client_errors: int = 0
    errors: int = 0
    connection_errors: int = 0
    answered: dict[tuple[float, float], int] = field(default_factory=lambda: defaultdict(int))

    def latencies(self, luck: float) -> Latencies:
        """The response times of what the targets answered."""
        return Latencies(tuple(Part(n, m, s) for (m, s), n in self.answered.items() if n), luck)


@dataclass
class BalancerTally:
    """What one balancer itself answered in one minute."""

    requests: int = 0
    elb_4xx: int = 0
    elb_502: int = 0
    elb_503: int = 0
    elb_504: int = 0


@dataclass
class Flow:
    """One route: its comparison, and the weights that the data plane obeys now."""

    route: str
    comparison: str
    balancer: str
    source: str
    destination: str
    weights: Mapping[str, int] = field(default_factory=dict)
    sticky: bool = False
    stuck: float = 0.0  # the share that sticky clients really give the destination


@dataclass
class TrafficMinute:
    """Everything that is published about one minute."""

    groups: dict[tuple[str, str], GroupTally] = field(
        default_factory=lambda: defaultdict(GroupTally)
    )
    balancers: dict[str, BalancerTally] = field(default_factory=lambda: defaultdict(BalancerTally))
    noise: dict[str, float] = field(default_factory=dict)
    destination_requests: dict[str, int] = field(default_factory=lambda: defaultdict(int))


class Traffic:
    """Requests per minute over the routes of a plan; `catch_up` before anything about them changes."""

    def __init__(
        self,
        flows: Sequence[Flow],
        scenario: Scenario,
        balancer: Balancer,
        *,
        plan: Plan,
        rate: float,
        seed: int,
        now_ms: int,
    ) -> None:
        self.flows = tuple(flows)
        self.minute = TrafficMinute()
        self.reached = 0  # requests that went to the destination
        self.weather = ActiveInjections(scenario)
        self._facts = scenario.traffic
        self._half_life_ms = scenario.cookie_half_life
        self._rate = rate
        self._balancer = balancer
        self._until = now_ms
        self._arrivals = Randomness(seed, "arrivals")
        self._luck = Randomness(seed, "outcomes")
        self._noise = Randomness(seed, "noise")
        self._bursts = Randomness(seed, "bursts")
        self._neighbours = Randomness(seed, "others")
        tail = self._facts.tail / PPM
        self._sigma = body_sigma(self._facts.latency, self._facts.latency_p95, tail)
        limits = limits_of(plan, self._facts, self._sigma)
        self.harm = Harm(self._facts, self._sigma, limits, seed)

    def mean_rate(self, ms: int) -> float:
        """Requests a minute at that time of day (UTC), over all routes."""
        day = math.cos(2 * math.pi * (ms % DAY - PEAK_AT_MS) / DAY)
        return self._rate * (1 + self._facts.swing / PPM * day) * self.weather.requests_factor

    def in_force(self, route: str, weights: Mapping[str, int], *, sticky: bool) -> None:
        """The data plane obeys these weights from now on."""
        for flow in self.flows:
            if flow.route == route:
                if sticky and not flow.sticky:
                    flow.stuck = share_of(flow.weights, flow)
                flow.weights, flow.sticky = dict(weights), sticky

    def destination_share(self, flow: Flow) -> float:
        """The share of the comparison's requests that really goes to the destination now."""
        if flow.destination not in flow.weights:
            return 0.0  # a cookie for a group that the action does not name is not obeyed
        wanted = share_of(flow.weights, flow)
        if self.weather.share is not None and wanted > 0:
            return self.weather.share
        if self.weather.share_above and wanted > 0:
            return min(1.0, wanted + self.weather.share_above)
        return flow.stuck if flow.sticky else wanted

    def residual(self, now_ms: int) -> dict[str, int]:
        """By comparison: requests a minute that go to the destination now."""
        found: dict[str, int] = defaultdict(int)
        each = self.mean_rate(now_ms) / max(1, len(self.flows))
        for flow in self.flows:
            found[flow.comparison] += round(each * self.destination_share(flow))
        return dict(found)

    def catch_up(self, now_ms: int) -> None:
        """Serve everything up to now; never across a minute's end (see `close_minute`)."""
        span = now_ms - self._until
        if span <= 0:
            return
        each = self.mean_rate(self._until + span // 2) * span / MINUTE / max(1, len(self.flows))
        for flow in self.flows:
            self._serve(flow, self._arrivals.poisson(each))
            self._age(flow, span)
        if self._facts.others:
            for balancer in dict.fromkeys(flow.balancer for flow in self.flows):
                self._serve_others(balancer, self._facts.others * span / MINUTE)
        self._until = now_ms

    def close_minute(self, now_ms: int) -> tuple[int, TrafficMinute]:
        """The minute that just ended, by its start, and a new one begins."""
        self.catch_up(now_ms)
        done, self.minute = self.minute, TrafficMinute()
        return floor_to(now_ms - 1, MINUTE), done

    def _age(self, flow: Flow, span: int) -> None:
        if flow.sticky:
            wanted = share_of(flow.weights, flow)
            flow.stuck = wanted + (flow.stuck - wanted) * 0.5 ** (span / self._half_life_ms)

    def _serve(self, flow: Flow, requests: int) -> None:
        minute, balancer = self.minute, self.minute.balancers[flow.balancer]
        made = self.weather.balancer
        for name in ("elb_502", "elb_503", "elb_504"):
            lost = self._luck.binomial(requests, getattr(made, name))
            self.weather.meet("balancer", {name: lost})
            setattr(balancer, name, getattr(balancer, name) + lost)
            requests -= lost
        balancer.elb_4xx += self._luck.binomial(requests, 50e-6)
        total = sum(flow.weights.values())
        if not total:
            return  # no forward at all: somebody replaced the action
        others = {
            arn: weight
            for arn, weight in flow.weights.items()
            if arn not in (flow.source, flow.destination) and weight
        }
        left, whole = requests, total
        for arn, weight in others.items():
            taken = self._luck.binomial(left, weight / whole)
            self._group(flow, arn, taken, Fare(), "source")
            left, whole = left - taken, whole - weight
        to_destination = self._luck.binomial(left, self.destination_share(flow))
        shifted = min(to_destination, left) if share_of(flow.weights, flow) > 0 else 0
        self.weather.meet(
            "", {"share": shifted, "share_above": shifted, "requests_factor": requests}
        )
        minute.destination_requests[flow.comparison] += to_destination
        self.reached += to_destination
        self._group(
            flow, flow.destination, to_destination, self.weather.destination, "destination"
        )
        self._group(flow, flow.source, left - to_destination, self.weather.source, "source")

    def _serve_others(self, name: str, mean: float) -> None:
        """Requests to groups that are not the plan's: of them only the balancer's own counts show anything."""
        balancer, fare, luck = self.minute.balancers[name], self.weather.others, self._neighbours
        requests = luck.poisson(mean)
        lost = luck.binomial(requests, fare.elb_503)
        balancer.elb_503 += lost
        balancer.requests += requests - lost
        for kind in ("elb_502", "elb_504"):
            failed = luck.binomial(requests - lost, getattr(fare, kind))
            self.weather.meet("others", {kind: failed})
            setattr(balancer, kind, getattr(balancer, kind) + failed)
        self.weather.meet("others", {"elb_503": lost})

    def _group(self, flow: Flow, arn: str, requests: int, fare: Fare, side: str) -> None:
        if requests <= 0:
            return
        luck, facts, balancer = self._luck, self._facts, self.minute.balancers[flow.balancer]
        group = self._balancer.group(arn)
        empty = group is None or not group.targets
        lost = requests if empty else luck.binomial(requests, fare.elb_503)
        balancer.elb_503 += lost
        requests -= lost
        if empty:
            self.harm.stranded(lost)
            return
        self._meet(arn, side, elb_503=lost)
        if not requests:
            self._harm(fare, side, failed=lost)
            return
        tally = self.minute.groups[flow.balancer, arn]
        tally.requests += requests
        balancer.requests += requests
        answered = requests
        connection = luck.binomial(answered, fare.connection_errors)
        bad_gateway = luck.binomial(answered - connection, fare.elb_502)
        timed_out = luck.binomial(answered - connection - bad_gateway, fare.elb_504)
        silent = luck.binomial(answered - connection - bad_gateway - timed_out, fare.unanswered)
        failed = connection + bad_gateway + timed_out + silent
        answered -= failed
        usual_502, usual_504 = luck.binomial(answered, RARE_502), luck.binomial(answered, RARE_504)
        answered -= usual_502 + usual_504
        tally.connection_errors += connection
        balancer.elb_502 += connection + bad_gateway + usual_502
        balancer.elb_504 += timed_out + usual_504
        worse = luck.binomial(answered, fare.errors)
        rate = facts.errors / PPM * (facts.destination_errors if side == "destination" else 1.0)
        rate *= self._noisy(arn) * self._burst(arn)
        usual = luck.binomial(answered - worse, min(1.0, rate))
        errors = worse + usual
        wrong = min(
            1.0, facts.client_errors / PPM * self._noisy(f"4{arn}", 0.5) + fare.client_errors
        )
        client_errors = luck.binomial(answered - errors, wrong)
        redirected = luck.binomial(answered - errors - client_errors, REDIRECTED)
        tally.errors += errors
        tally.client_errors += client_errors
        tally.redirected += redirected
        tally.ok += answered - errors - client_errors - redirected
        slow = self._answer_times(tally, arn, answered, fare, side)
        self._meet(
            arn, side, errors=worse, client_errors=client_errors, connection_errors=connection, unanswered=silent,
            elb_502=bad_gateway, elb_504=timed_out, latency_factor=answered, slow=slow,
        )  # fmt: skip
        self._harm(fare, side, lost + failed + worse, usual=usual, answered=answered - errors)

    def _harm(
        self, fare: Fare, side: str, failed: int, *, usual: int = 0, answered: int = 0
    ) -> None:
        if side == "destination":
            source = self.weather.source
            self.harm.served(fare, source, failed=failed, usual=usual, answered=answered)

    def _answer_times(
        self, tally: GroupTally, arn: str, answered: int, fare: Fare, side: str
    ) -> int:
        """How long the answers took; how many were made slow."""
        facts = self._facts
        median = facts.latency * fare.latency_factor * self._jitter(arn)
        if side == "destination":
            median *= facts.destination_latency
        slow = self._luck.binomial(answered, fare.slow)
        tail = self._luck.binomial(answered - slow, facts.tail / PPM)
        tally.answered[median, self._sigma] += answered - slow - tail
        tally.answered[median * TAIL_OVER_MEDIAN, TAIL_SIGMA] += tail
        tally.answered[fare.slow_ms, SLOW_SIGMA] += slow
        return slow

    def _meet(self, arn: str, side: str, **met: int) -> None:
        """Note what effects met; a group that is not ours belongs to no side."""
        if any(arn in (flow.source, flow.destination) for flow in self.flows):
            self.weather.meet(side, met)

    def _noisy(self, name: str, damped: float = 1.0) -> float:
        """Error rates of a group vary from minute to minute, and partly for all groups together.

        `damped` is for 4xx: many small causes, steadier than failures.
        """
        noise = self.minute.noise
        if name not in noise:
            if "" not in noise:
                noise[""] = self._noise.wobble(SHARED_NOISE)
            noise[name] = self._noise.wobble(damped * self._facts.noise / PPM)
        return noise[""] * noise[name]

    def _burst(self, arn: str) -> float:
        """In some minutes a healthy group fails many times as often as usual."""
        noise, name = self.minute.noise, f"burst {arn}"
        if self._facts.bursts and name not in noise:
            hit = self._bursts.uniform() < self._facts.bursts / PPM
            size = BURST_LEAST + BURST_SPAN * self._bursts.uniform()
            noise[name] = size if hit else 1.0
        return noise.get(name, 1.0)

    def _jitter(self, arn: str) -> float:
        name = f"jitter {arn}"
        if name not in self.minute.noise:
            self.minute.noise[name] = self._noise.wobble(LATENCY_JITTER)
        return self.minute.noise[name]


def share_of(weights: Mapping[str, int], flow: Flow) -> float:
    """The destination's share of the comparison by its weights."""
    mine, theirs = weights.get(flow.destination, 0), weights.get(flow.source, 0)
    return mine / (mine + theirs) if mine + theirs else 0.0
