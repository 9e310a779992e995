"""Fakes: real subclasses of the ports, under one virtual clock. No test of core or runner patches anything."""

from __future__ import annotations

import heapq
import json
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TypeVar

from cutover.core.errors import ExitCode
from cutover.core.journal.codec import body
from cutover.core.journal.events import Event, LeaseTaken, PhaseChanged, Record, RunOpen, Snapshot
from cutover.core.messages import why_text
from cutover.core.moment import Moment, floor_to
from cutover.core.observation import (
    Absent,
    AlarmState,
    CommandName,
    Comparison,
    Count,
    GroupFacts,
    GroupHealth,
    Identity,
    Known,
    ListenerFacts,
    Minute,
    OperatorCommand,
    Reading,
    RouteFacts,
    RuleUse,
    Series,
    Side,
    Survey,
    Unknown,
)
from cutover.core.plan import Plan
from cutover.core.routing import RouteConfig
from cutover.core.state import RunState, replay
from cutover.core.state.model import MISMATCH
from cutover.core.values import RouteId, Weight
from cutover.local.journal_file import normal
from cutover.ports import (
    NOT_SENT,
    Alarms,
    Change,
    Clock,
    Inbox,
    Journal,
    Lease,
    Listener,
    Metrics,
    Permit,
    Router,
    Surveyor,
    TargetHealth,
    WriteOutcome,
    WriteResult,
)
from cutover.runner import Ports, Runner
from tests.promises.facts import Ordered
from tests.promises.from_bench import Forms, Log, portion, setting_of
from tests.promises.seen import SeenHealth, SeenLease, SeenRouter

E = TypeVar("E", bound=Event)
START = Moment(datetime(2026, 3, 2, 9, 0, 7, tzinfo=UTC), 5_000_000, "boot-1")
SOURCE = "arn:aws:elasticloadbalancing:ap-northeast-1:123456789012:targetgroup/checkout-ec2/73e2d6bc24d8a067"
DESTINATION = "arn:aws:elasticloadbalancing:ap-northeast-1:123456789012:targetgroup/checkout-eks/8f2c1a9b0d3e4f56"
RULE = (
    "arn:aws:elasticloadbalancing:ap-northeast-1:123456789012:"
    "listener-rule/app/prod-web/50dc6c495c0c9188/f2f7dc8efc522ab2/9683b2d02a6cabee"
)
LISTENER = "arn:aws:elasticloadbalancing:ap-northeast-1:123456789012:listener/app/prod-web/50dc6c495c0c9188/f2f7dc8efc522ab2"


def plan_of(**changes: object) -> Plan:
    """A small plan: one rule, three steps, the default gates without latency, unless said."""
    data: dict[str, object] = {
        "version": 1,
        "name": "checkout",
        "aws": {"region": "ap-northeast-1", "account": "123456789012"},
        "routes": [{"rule": RULE, "source": SOURCE, "destination": DESTINATION}],
        "steps": [
            {"weight": 5, "bake": "10m"},
            {"weight": 50, "bake": "10m"},
            {"weight": 100, "bake": "10m"},
        ],
        "gates": [
            {"errors": {"max": "1%", "versus_source": {"ratio": 2.0, "floor": "0.2%"}}},
            {"healthy": {"min": 2}},
        ],
        "managed_by": "none",
    }
    data.update(changes)
    return Plan.model_validate_json(json.dumps(data))


QUIET = {
    "cv.errors": 500_000,
    "rate.errors": 500,
    "spread.errors": 330_000,
    "allowed.errors": 2_000,
    "above.errors": 0,
    "unanswered_ppm": 0,
}
"""A source whose noise is far below every limit, as preflight measures it."""

TWO_ROUTES = (
    {"rule": RULE, "source": SOURCE, "destination": DESTINATION},
    {"listener": LISTENER, "source": SOURCE, "destination": DESTINATION},
)


NO_SUCH_ROUTE = "RuleNotFound"


class FakeClock(Clock):
    """A virtual clock with callbacks at their times."""

    def __init__(self, start: Moment = START) -> None:
        self.at = start
        self._due: list[tuple[int, int, Callable[[], None]]] = []
        self._n = 0

    def now(self) -> Moment:
        return self.at

    def sleep(self, ms: int) -> None:
        self.forward(self.at.plus(ms))

    def call_in(self, ms: int, what: Callable[[], None]) -> None:
        self._n += 1
        heapq.heappush(self._due, (self.at.boot_ms + ms, self._n, what))

    def forward(self, until: Moment) -> None:
        """Move to `until`, running what is due on the way."""
        while self._due and self._due[0][0] <= until.boot_ms:
            due, _, what = heapq.heappop(self._due)
            self.at = self.at.plus(max(0, due - self.at.boot_ms))
            what()
        self.at = self.at.plus(max(0, until.after(self.at)))


class FakeInbox(Inbox):
    """Commands said by a script; waiting moves the clock."""

    def __init__(self, clock: FakeClock) -> None:
        self._clock = clock
        self._said: list[OperatorCommand] = []
        self.log = Log(clock.now)
        self.give_up_ms = clock.at.boot_ms + 48 * 3_600_000

    def say(
        self,
        name: CommandName,
        why: str = "",
        signal: int = 0,
        who: str = "ana@bastion",
        id: str = "",  # noqa: A002  as OperatorCommand names it
    ) -> None:
        self._said.append(OperatorCommand(name, who, why, signal=signal, id=id))
        self.log.add(Ordered, str(name))

    def say_in(self, ms: int, name: CommandName, why: str = "", signal: int = 0) -> None:
        self._clock.call_in(ms, lambda: self.say(name, why, signal))

    def stopping(self) -> str:
        return next((command.name for command in self._said if command.stops), "")

    def wait(self, until: Moment) -> tuple[OperatorCommand, ...]:
        if self._clock.at.boot_ms > self.give_up_ms:
            raise AssertionError("the run goes on for ever")
        step = 1_000
        while not self._said and self._clock.at.after(until) < 0:
            self._clock.forward(self._clock.at.plus(min(step, until.after(self._clock.at))))
        said, self._said = tuple(self._said), []
        return said


def config(
    weight: int | None,
    *,
    attached: bool = True,
    sticky: bool = False,
    tag: str = "",
    source: bool = True,
) -> RouteConfig:
    """A config whose text is its own description; without both groups it has no weight, as with a real router."""
    return _described(
        {"w": weight, "attached": attached, "sticky": sticky, "tag": tag, "source": source}
    )


def _described(data: Mapping[str, Any]) -> RouteConfig:
    attached, source, weight = data["attached"], data["source"], data["w"]
    derivable = attached and source and weight is not None
    return RouteConfig(
        json.dumps(data), Weight(weight) if derivable else None, attached, source, data["sticky"]
    )


@dataclass
class WriteFault:
    """What the nth write meets: `throttle`, `denied`, `lost` (applied, no reply), `mismatch` (applied, another reply) or `timeout` (not applied)."""

    kind: str
    times: int = 1
    route: str = ""


class FakeRouter(Router):
    """Configs in memory, with faults and other people's hands."""

    def __init__(
        self, clock: FakeClock, routes: Sequence[RouteId], found: RouteConfig | None = None
    ) -> None:
        self.clock = clock
        self.log = Log(clock.now)
        live = dict.fromkeys(routes, found or config(0, attached=False))
        self.configs = Forms(live, lambda: self.log)
        self.writes: list[tuple[int, RouteId, RouteConfig]] = []
        self.faults: list[WriteFault] = []
        self.read_fails: Callable[[RouteId], Unknown | None] = lambda _route: None
        self.killed_at: Callable[[str], None] = lambda _where: None
        self.found = found or config(0, attached=False)
        self.unprepared: Unknown | None = None
        self.at_the_wire: Callable[[], None] = lambda: None

    def read(
        self, routes: Sequence[RouteId], *, once: bool = False
    ) -> Mapping[RouteId, Reading[RouteConfig]]:
        found: dict[RouteId, Reading[RouteConfig]] = {}
        for route in routes:
            failed = self.read_fails(route)
            if failed is None and route not in self.configs:
                failed = Unknown("there is no such rule", NO_SUCH_ROUTE, gone=True)
            found[route] = failed or Known(self.configs[route], self.clock.now())
        return found

    def with_weight(self, route: RouteId, config: RouteConfig, weight: Weight) -> RouteConfig:
        if not config.source_present:
            raise ValueError("the source is not in the action")
        return _with(config, w=int(weight), attached=True)

    def restored(
        self,
        route: RouteId,
        live: RouteConfig,
        snapshot: RouteConfig,
        stickiness_strategy: str,
        *,
        verbatim: bool,
    ) -> RouteConfig | None:
        back: RouteConfig | None = snapshot
        if not verbatim:
            back = _with(live, w=snapshot.weight or 0) if live.source_present else None
        if back is None or not (back.attached and back.source_present):
            return back
        match stickiness_strategy:
            case "unstick":
                return _with(back, sticky=False)
            case "remove":
                return _with(back, w=0, attached=False)
            case _:
                return back

    def detach(self, route: RouteId, config: RouteConfig) -> RouteConfig:
        if not config.attached:
            raise ValueError("the destination is not in the action")
        return _with(config, w=1000, source=False)

    def prepare(self) -> Reading[None]:
        return self.unprepared or Known(None, self.clock.now())

    def write(self, changes: Sequence[Change], permit: Permit) -> Mapping[RouteId, WriteOutcome]:
        self.killed_at("before write")
        self.at_the_wire()
        outcomes = {change.route: self._permitted(change, permit) for change in changes}
        self.killed_at("after write")
        return outcomes

    def _permitted(self, change: Change, permit: Permit) -> WriteOutcome:
        if why := permit.refusal(change.route):
            return WriteOutcome(WriteResult.NOT_APPLIED, NOT_SENT, why)
        return self._write(change)

    def _write(self, change: Change) -> WriteOutcome:
        fault = next(
            (f for f in self.faults if f.times > 0 and f.route in ("", change.route)), None
        )
        if fault is not None:
            fault.times -= 1
            if fault.kind == "unconnected":
                return WriteOutcome(WriteResult.NOT_APPLIED, "not_connected", "no route to host")
        number = self.log.sent(change)
        if change.route not in self.configs:
            return WriteOutcome(WriteResult.NOT_APPLIED, NO_SUCH_ROUTE, "there is no such rule")
        if fault is not None:
            if fault.kind == "throttle":
                return WriteOutcome(WriteResult.NOT_APPLIED, "Throttling", "Rate exceeded")
            if fault.kind == "denied":
                return WriteOutcome(
                    WriteResult.NOT_APPLIED, "AccessDenied", "not authorized", denied=True
                )
            if fault.kind == "timeout":
                return WriteOutcome(WriteResult.AMBIGUOUS, "timeout", "read timed out")
        self.configs.carry_out(change.route, change.config)
        self.log.took(change.route, change.config, number)
        self.writes.append((self.clock.at.wall_ms, change.route, change.config))
        if fault is not None and fault.kind == "mismatch":
            return WriteOutcome(WriteResult.AMBIGUOUS, MISMATCH, "other weights in the answer")
        if fault is not None and fault.kind == "lost":
            return WriteOutcome(WriteResult.AMBIGUOUS, "timeout", "read timed out")
        return WriteOutcome(WriteResult.APPLIED, request_id="r-1")

    def restore_commands(self, configs: Mapping[RouteId, RouteConfig]) -> tuple[str, ...]:
        return tuple(
            f"aws elbv2 modify-rule --rule-arn {route} --actions {shlex.quote(config.text)}"
            for route, config in configs.items()
        )

    def weights(self) -> list[int]:
        """The portions written, in order."""
        return [portion(written) for _, _, written in self.writes]


def _with(live: RouteConfig, **changes: Any) -> RouteConfig:
    return _described({**json.loads(live.text), **changes})


@dataclass
class Traffic:
    """What the fake CloudWatch shows, per minute; change it while the run goes on.

    Attributes:
        fails: what every read gets instead.
        unanswered: series (by key) that are not answered whole: nobody knows them.
        late_ms: by series (key), how long after its period ended a number is there; until then there is no datapoint.
    """

    per_minute: int = 6_000
    source_errors: float = 0.0005
    destination_errors: float = 0.0005
    share_of: Callable[[int], float] | None = None
    slow: float = 0.02
    quiet_source: bool = False
    quiet_destination: bool = False
    fails: Unknown | None = None
    unanswered: set[str] = field(default_factory=set)
    late_ms: dict[str, int] = field(default_factory=dict)
    extra: dict[str, Count] = field(default_factory=dict)


class FakeMetrics(Metrics):
    """Minutes made from the router's weights when they ended, and `Traffic`; besides, what a test publishes."""

    def __init__(self, plan: Plan, clock: FakeClock, router: FakeRouter, traffic: Traffic) -> None:
        self._plan, self._clock, self._router, self.traffic = plan, clock, router, traffic
        self._made: dict[int, dict[str, Count]] = {}
        self._published: dict[tuple[str, str, int], list[tuple[int, int]]] = {}

    def publish(
        self, comparison: str, key: str, at_ms: int, count: int, *, visible_ms: int = 0
    ) -> None:
        """A count of one comparison's series, seen from `visible_ms` on; another one is added to it."""
        self._published.setdefault((comparison, key, at_ms), []).append((visible_ms, count))

    def read(
        self, wanted: Mapping[Comparison, tuple[Series, ...]], start_ms: int, end_ms: int
    ) -> Reading[tuple[Minute, ...]]:
        if self.traffic.fails is not None:
            return self.traffic.fails
        period, settle = self._plan.observe.period, self._plan.observe.settle
        minutes = []
        for at_ms in range(floor_to(start_ms + period - 1, period), end_ms, period):
            counts = self._counts(at_ms) if at_ms + period <= self._clock.at.wall_ms else {}
            for comparison, series in wanted.items():
                if series:
                    found = {
                        one.key: self._count(comparison.id, one, at_ms, counts) for one in series
                    }
                    settled = at_ms + period + settle <= end_ms
                    minutes.append(Minute(comparison.id, at_ms, found, settled=settled))
        return Known(tuple(minutes), self._clock.now())

    def _count(
        self, comparison: str, series: Series, at_ms: int, counts: Mapping[str, Count]
    ) -> Count:
        if series.key in self.traffic.unanswered:
            return Absent.UNKNOWN
        now_ms, published = (
            self._clock.at.wall_ms,
            self._published.get((comparison, series.key, at_ms)),
        )
        if published is not None:
            visible = [count for visible_ms, count in published if visible_ms <= now_ms]
            return sum(visible) if visible else Absent.NO_DATAPOINT
        late = self.traffic.late_ms.get(series.key, 0)
        if at_ms + self._plan.observe.period + late > now_ms:
            return Absent.NO_DATAPOINT
        return counts[series.key] if series.key in counts else self._rest(series, counts)

    def _rest(self, series: Series, counts: Mapping[str, Count]) -> Count:
        """Slow requests (2 %, in thousandths) and custom metrics (600 a request), where there are requests."""
        side = "destination" if series.side is Side.CUSTOM else str(series.side)
        requests = counts.get(f"{side}.requests")
        if not isinstance(requests, int):
            return Absent.NO_DATAPOINT
        if series.name == "slower":
            return round(requests * self.traffic.slow) * 1000
        return requests * 600_000 if series.side is Side.CUSTOM else Absent.NO_DATAPOINT

    def _weight(self, at_ms: int) -> float:
        route = self._plan.routes[0].id
        weight = 0
        for wall_ms, written, changed in self._router.writes:
            if written == route and wall_ms <= at_ms:
                weight = int(changed.weight or 0) if changed.attached else 0
        return self.traffic.share_of(weight) if self.traffic.share_of else weight / 1000

    def _counts(self, at_ms: int) -> dict[str, Count]:
        if at_ms not in self._made:
            traffic = self.traffic
            destination = round(traffic.per_minute * self._weight(at_ms))
            source = traffic.per_minute - destination
            counts: dict[str, Count] = {}
            if traffic.per_minute:  # without requests there is no datapoint, never a zero
                counts["balancer.requests"] = traffic.per_minute
            sides = (
                ("source", source, traffic.source_errors),
                ("destination", destination, traffic.destination_errors),
            )
            for side, requests, rate in sides:
                quiet = traffic.quiet_source if side == "source" else traffic.quiet_destination
                if requests == 0 or quiet:
                    continue
                errors = round(requests * rate)
                counts[f"{side}.requests"] = requests
                counts[f"{side}.target_2xx"] = requests - errors
                if errors:
                    counts[f"{side}.target_5xx"] = errors
            counts.update(traffic.extra)
            self._made[at_ms] = counts
        return self._made[at_ms]


class FakeHealth(TargetHealth):
    """Health by group."""

    def __init__(self, clock: FakeClock) -> None:
        self._clock = clock
        zones = {"a": 2, "c": 2, "d": 2}
        self.groups: dict[str, GroupHealth | Unknown] = {
            SOURCE: GroupHealth(6, 6, zones),
            DESTINATION: GroupHealth(6, 6, zones),
        }

    def read(self, groups: Sequence[str]) -> Mapping[str, Reading[GroupHealth]]:
        found: dict[str, Reading[GroupHealth]] = {}
        for group in groups:
            health = (
                self.groups.get(group) or self.groups[SOURCE if "ec2" in group else DESTINATION]
            )
            found[group] = (
                health if isinstance(health, Unknown) else Known(health, self._clock.now())
            )
        return found


class FakeAlarms(Alarms):
    """Alarm states by name."""

    def __init__(self, clock: FakeClock) -> None:
        self._clock = clock
        self.states: dict[str, AlarmState] = {}

    def read(self, names: Sequence[str]) -> Reading[Mapping[str, AlarmState]]:
        return Known(
            {name: self.states.get(name, AlarmState.OK) for name in names}, self._clock.now()
        )


def strategy_of(found: RouteConfig) -> tuple[str, str]:
    """How a rollback recalls sticky clients, as the ALB adapter chooses it, and why."""
    if not found.sticky:
        return "keep", "no stickiness"
    return ("unstick", "clients stick") if found.attached else ("remove", "clients stick")


class FakeSurveyor(Surveyor):
    """A survey in which every check passes, unless changed."""

    def __init__(
        self, plan: Plan, clock: FakeClock, router: FakeRouter, health: FakeHealth
    ) -> None:
        self._plan, self._clock, self._router, self._health = plan, clock, router, health
        self.who: Reading[Identity] = Known(
            Identity("123456789012", "arn:aws:iam::123456789012:role/ops"), clock.now()
        )
        self.change: Callable[[Survey], Survey] = lambda survey: survey

    def survey(self, plan: Plan) -> Survey:
        groups = {
            g
            for comparison in plan.comparisons
            for g in (comparison.source, comparison.destination)
        }
        balancer = plan.comparisons[0].load_balancer
        lb_arn = (
            f"arn:aws:elasticloadbalancing:ap-northeast-1:123456789012:loadbalancer/{balancer}"
        )
        at = self._clock.now()
        survey = Survey(
            identity=Known(Identity("123456789012", "arn:aws:iam::123456789012:role/ops"), at),
            region="ap-northeast-1",
            skew_ms=Known(0, at),
            routes={
                route.id: Known(
                    RouteFacts(
                        self._router.configs[route.id],
                        *strategy_of(self._router.configs[route.id]),
                        listener=LISTENER,
                        is_default=route.kind == "listener",
                        action_types=("forward",),
                    ),
                    at,
                )
                for route in plan.routes
            },
            groups={
                g: Known(
                    GroupFacts(
                        g, g.split("/")[-2], (lb_arn,), "HTTP", "HTTP1", "ip", sticky=False
                    ),
                    at,
                )
                for g in groups
            },
            health={
                g: Known(h, at)
                for g, h in self._health.groups.items()
                if isinstance(h, GroupHealth) and g in groups
            },
            uses=Known(tuple(RuleUse(r.id, (r.source, r.destination)) for r in plan.routes), at),
            balancer_tags=Known({}, at),
            listeners={LISTENER: Known(ListenerFacts(LISTENER, lb_arn), at)},
            auto_scaling=Known((), at),
            dns_aliases=Known((), at),
            metrics=Known({comparison.id: 90_000 for comparison in plan.comparisons}, at),
            calibration=Known(
                {
                    comparison.id: {"p50": 60, "p95": 170, "p99": 330, **QUIET}
                    for comparison in plan.comparisons
                },
                at,
            ),
            alarms=Known(
                {g.spec.name: AlarmState.OK for g in plan.gates if g.kind == "alarm"}, at
            ),
            custom=Known({}, at),
            emulated=True,
        )
        return self.change(survey)

    def identity(self) -> Reading[Identity]:
        return self.who

    def skew_ms(self) -> int:
        return 0


class FakeJournal(Journal):
    """Records in memory; `fails` makes every further append fail."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.fallback: list[Record] = []
        self.commands: tuple[str, ...] = ()
        self.fails: Unknown | None = None
        self.bears_bugs = False
        self.bugs: list[Exception] = []
        self.epoch = 1
        self.killed_at: Callable[[Event], None] = lambda _event: None
        self.log = Log(lambda: START)
        self._turn: list[tuple[Record, int]] | None = None

    def append(self, event: Event, at: Moment) -> Reading[Record]:
        if self.fails is not None:
            self.log.refused()
            return self.fails
        record = normal(Record(len(self.records) + 1, self.epoch, at, event))
        self.records.append(record)
        if self._turn is None:
            self.log.recorded(record)
        else:
            self._turn.append((record, self.log.time()))
        self.killed_at(event)
        return Known(record, at)

    def append_all(self, events: Sequence[Event], at: Moment) -> Reading[tuple[Record, ...]]:
        for event in events:
            body(event)  # what cannot be journalled fails before anything of its turn is taken
        self._turn = []
        try:
            taken = [self.append(event, at) for event in events]
            failed = next((one for one in taken if isinstance(one, Unknown)), None)
            if failed is not None:
                del self.records[len(self.records) - len(self._turn) :]
                self._turn = []
                return failed
            return Known(tuple(one.value for one in taken if isinstance(one, Known)), at)
        finally:
            for record, at_ms in self._turn:
                self.log.recorded(record, at_ms=at_ms)
            self._turn = None

    def bug(self, error: Exception) -> None:
        if not self.bears_bugs:
            raise error
        self.bugs.append(error)

    def forced(self, event: Event, at: Moment) -> Record:
        seq = len(self.records) + len(self.fallback) + 1
        record = normal(Record(seq, self.epoch, at, event))
        self.fallback.append(record)
        self.log.recorded(record, durable=False)
        return record

    def keep_snapshot(self, snapshot: Snapshot, commands: Sequence[str]) -> Reading[None]:
        if self.fails is not None:
            return self.fails
        self.commands = tuple(commands)
        return Known(None, START)


class FakeLease(Lease):
    """Ours until `doubt` says otherwise."""

    def __init__(self) -> None:
        self.doubt: Unknown | None = None
        self.owner = ""
        self.end: Moment | None = None

    def renew(self, now: Moment) -> Reading[None]:
        return self.doubt or Known(None, now)

    def other_owner(self) -> str:
        return self.owner

    def ends(self, now: Moment) -> Moment | None:
        return self.end


class Told(Listener):
    """Keeps what it was told."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.ended = False

    def on_record(self, record: Record) -> None:
        self.records.append(record)

    def closed(self) -> None:
        self.ended = True


class Killed(BaseException):
    """The process died here."""


class SeenRunner(Runner):
    """A process whose end, and what `status` says after each of its turns, are facts."""

    def __init__(self, bench: Bench, ports: Ports) -> None:
        super().__init__(bench.plan, ports, replay(bench.plan, bench.journal.records))
        self._bench = bench

    def turn(self, commands: tuple[OperatorCommand, ...] = ()) -> Moment | ExitCode:
        bench, before = self._bench, self.state.seq
        try:
            ended = super().turn(commands)
        except Killed:
            bench.log.died(bench.plan, replay(bench.plan, bench.journal.records))
            raise
        if self.state.seq != before:
            bench.log.on_record(bench.plan, self.state)
        if isinstance(ended, ExitCode):
            bench.log.ended(int(ended), bench.router.configs)
        return ended


class Bench:
    """One run on fakes, from the first look to its exit code."""

    def __init__(self, plan: Plan | None = None, found: RouteConfig | None = None) -> None:
        self.plan = plan or plan_of()
        self.clock = FakeClock()
        self.router = FakeRouter(self.clock, [route.id for route in self.plan.routes], found)
        self.traffic = Traffic()
        self.metrics = FakeMetrics(self.plan, self.clock, self.router, self.traffic)
        self.health = FakeHealth(self.clock)
        self.alarms = FakeAlarms(self.clock)
        self.surveyor = FakeSurveyor(self.plan, self.clock, self.router, self.health)
        self.journal = FakeJournal()
        self.lease = FakeLease()
        self.inbox = FakeInbox(self.clock)
        self.told = Told()
        self.state = RunState()
        self.log = Log(self.clock.now)
        Log.watch(self.log)
        self._tell_log()

    def _tell_log(self) -> None:
        """Every fake tells the same log, also one that a test put in another's place."""
        self.router.log = self.journal.log = self.inbox.log = self.log

    def open(self, *, exit_on_hold: bool = False) -> None:
        """Open the run in the journal."""
        now = self.clock.now()
        plan = self.plan
        routes = tuple(str(r.id) for r in plan.routes)
        self.journal.append(
            RunOpen(
                plan.name, plan.hash, plan.aws.account, plan.aws.region, "rehearsal", "0", routes
            ),
            now,
        )
        self.journal.append(
            LeaseTaken("ana@bastion", "bastion", 1, exit_on_hold=int(exit_on_hold)), now
        )

    def finish_detached(self) -> int:
        """`cutover finish --detach-source` on the completed run."""
        return self._process(
            (
                OperatorCommand(
                    CommandName.FINISH, "ana@bastion", source="first", detail="detach_source"
                ),
            ),
            False,
        )

    def run(self, *commands: CommandName, exit_on_hold: bool = False) -> int:
        """Start a process (the first one opens the run) and let it end."""
        return self._process(
            tuple(OperatorCommand(name, "ana@bastion", source="first") for name in commands),
            exit_on_hold,
        )

    def start(self, *, exit_on_hold: bool = False) -> Runner:
        """A process that has the lease and has not looked yet; the first one opens the run."""
        self._tell_log()
        self.log.begin(setting_of(self.plan, self.router.configs))
        self.log.started()
        if not self.journal.records:
            self.open(exit_on_hold=exit_on_hold)
        else:
            self.journal.epoch += 1
            taken = LeaseTaken("ana@bastion", "bastion", 2, exit_on_hold=int(exit_on_hold))
            self.journal.append(taken, self.clock.now())
        ports = Ports(
            SeenRouter(self.router, self.log),
            self.metrics,
            SeenHealth(self.health, self.plan, self.log),
            self.alarms,
            self.surveyor,
            self.journal,
            SeenLease(self.lease, self.log),
            self.clock,
            self.inbox,
            (self.told,),
        )
        return SeenRunner(self, ports)

    def _process(self, commands: tuple[OperatorCommand, ...], exit_on_hold: bool) -> int:
        runner = self.start(exit_on_hold=exit_on_hold)
        for command in commands:
            self.log.add(Ordered, str(command.name))
        try:
            return int(runner.run(commands))
        finally:
            self.state = runner.state

    @property
    def why(self) -> str:
        """Why the run stands where it stands, as a sentence."""
        return why_text(self.state)

    def events(self, kind: type[E]) -> list[E]:
        """The events of one type, in order."""
        return [event for _, event in self.stamped(kind)]

    def stamped(self, kind: type[E]) -> list[tuple[Moment, E]]:
        """The events of one type with their moments, in order."""
        return [
            (record.at, record.event)
            for record in self.journal.records
            if isinstance(record.event, kind)
        ]

    def phases(self) -> list[str]:
        """The phases entered, in order."""
        return [event.after for event in self.events(PhaseChanged)]

    def at_weight(self, weight: int, what: Callable[[], None], delay_ms: int = 1) -> None:
        """Do `what` once the routes were written with this weight."""

        def watch() -> None:
            if weight in self.router.weights():
                self.clock.call_in(delay_ms, what)
            else:
                self.clock.call_in(1_000, watch)

        self.clock.call_in(1_000, watch)
