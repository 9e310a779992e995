"""The world of one rehearsal: an ALB with traffic, CloudWatch, time and people, all from one seed.

with World.build(plan, scenario, seed=1) as world:
    ...hand world.session, world.clock, world.inbox and world.listener to the runner...
    world.truth()
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from cutover.core.journal.events import PhaseChanged, Record
from cutover.core.moment import floor_to, wall_ms
from cutover.core.plan import Plan
from cutover.core.values import HOUR, MINUTE
from cutover.emulator.answers import Answers
from cutover.emulator.balancer import Balancer, portion_of
from cutover.emulator.clock import VirtualClock
from cutover.emulator.cloudwatch import CloudWatch
from cutover.emulator.ending import Truth
from cutover.emulator.faults import Faults
from cutover.emulator.health import HealthBook
from cutover.emulator.inbox import ScriptedInbox
from cutover.emulator.injections import Say, When
from cutover.emulator.moto_account import claim, release
from cutover.emulator.occurrences import Occurrences
from cutover.emulator.publisher import CustomSeries, Publisher
from cutover.emulator.responses import RunnerKilledError
from cutover.emulator.scenario import DEFAULT_RATE, Scenario
from cutover.emulator.scenario_runner import ScenarioRunner
from cutover.emulator.script import Script
from cutover.emulator.session import Emulation, open_session
from cutover.emulator.store import Store
from cutover.emulator.topology import build, zones_of
from cutover.emulator.traffic import Flow, Traffic
from cutover.emulator.witness import Witness
from cutover.ports import Listener

if TYPE_CHECKING:
    import boto3

WARM_UP_MS = 2 * HOUR
"""Traffic before the run starts: baselines and calibration look back for at most an hour."""


class World:
    """See the module; make one with `World.build`.

    Attributes:
        session: a boto3.Session that reaches nothing but this world.
        clock: virtual time; also the runner's ports.Clock.
        inbox: the runner's ports.Inbox.
        occurrences: what became of the scenario's entries.
        listener: give it to the runner, so that scenarios can say `phase` and `hold`, and people approve.
        restarts: how often the runner was killed and started again.
    """

    def __init__(
        self,
        plan: Plan,
        scenario: Scenario,
        seed: int,
        *,
        pace: Callable[[int], None] | None,
        fast: bool,
        witness: Witness,
    ) -> None:
        start_ms = floor_to(wall_ms(scenario.start), MINUTE)
        self.plan = plan
        self.scenario = scenario
        self.seed = seed
        self.restarts = 0
        self._witness = witness
        self.clock = VirtualClock(scenario.start, pace=None)
        self.clock.ms = start_ms - WARM_UP_MS
        self._start_ms = start_ms
        self._writes = 0
        self._held: dict[str, None] = {}
        self._portions: dict[str, int] = {}  # by route, as written last
        self._rate = scenario.traffic.rate or plan.traffic or DEFAULT_RATE
        self._moto = claim(plan.aws.region)
        book = HealthBook(lambda: self.clock.ms, scenario.healthy_after)
        self.balancer = Balancer(self._moto, book, zones_of(plan.aws.region, scenario.twin.zones))
        fleets = build(plan, scenario.twin, self.balancer, self._rate)
        self.script = Script(self.clock, plan)
        context = self.script.context
        self.occurrences = Occurrences(lambda: (context.weight, context.highest))
        self.store = Store()
        self.cloudwatch = CloudWatch(
            self.store,
            lambda: self.clock.ms,
            dict.fromkeys(plan.alarms, "OK"),
            [(one.namespace, one.metric, frozenset(one.dimensions)) for one in _customs(plan)],
        )
        self.traffic = Traffic(
            self._flows(),
            scenario,
            self.balancer,
            plan=plan,
            rate=self._rate,
            seed=seed,
            now_ms=self.clock.ms,
        )
        self.traffic.weather.before_change = lambda: self.traffic.catch_up(self.clock.ms)
        self._publisher = Publisher(
            self.store, self.traffic, self.balancer, scenario, customs=_customs(plan), seed=seed
        )
        self.faults = Faults(self.clock, self.script, self.occurrences)
        self.inbox = ScriptedInbox(self.clock, start_ms + scenario.limit)
        self.listener: Listener = _PhaseWatcher(self)
        answers = Answers(
            self.cloudwatch, self.balancer, plan.aws.account, plan.aws.region, fleets
        )
        if scenario.twin.dns_alias:
            answers.aliases = tuple(b.dns_name for b in self._moto.load_balancers.values())
        self.emulation = Emulation(
            self.clock, self.faults, answers, self.balancer, self._moto.account_id,
            self._portion_asked, self._run_wrote, fast, scenario.aws_clock, witness,
        )  # fmt: skip
        self.session: boto3.Session = open_session(plan.aws.region, self.emulation)
        self._next_minute()
        self.clock.run_until(start_ms)
        self.clock.pace = pace
        ScenarioRunner(
            plan,
            scenario,
            clock=self.clock,
            script=self.script,
            balancer=self.balancer,
            traffic=self.traffic,
            cloudwatch=self.cloudwatch,
            inbox=self.inbox,
            faults=self.faults,
            occurrences=self.occurrences,
            wrote=self._other_wrote,
        ).set()
        self.script.changed()
        witness.begins(self.balancer, lambda: self.clock.ms)

    @staticmethod
    @contextmanager
    def build(
        plan: Plan,
        scenario: Scenario,
        seed: int = 0,
        *,
        pace: Callable[[int], None] | None = None,
        fast: bool = True,
        witness: Witness | None = None,
    ) -> Iterator[World]:
        """A world that ends with the block.

        Args:
            plan: as loaded; with `scenario.plan` already applied by whoever loads files.
            scenario: what happens.
            seed: of everything that is left to chance.
            pace: told of every span of virtual time (ms) as it passes, to watch a rehearsal like a film.
            fast: answer frequent reads without the wire.
            witness: is told what AWS receives and does.

        """
        world: World | None = None
        try:
            hears = witness or Witness()
            world = World(plan, scenario, seed, pace=pace, fast=fast, witness=hears)
            yield world
        finally:
            if world is not None:
                release(world.account)

    @property
    def account(self) -> str:
        """The key of this world in moto; the caller's account is the plan's."""
        return str(self._moto.account_id)

    @property
    def harm(self) -> int:
        """Requests harmed until now; see `rehearsal.harm`."""
        self.traffic.catch_up(self.clock.ms)
        return self.traffic.harm.total

    def truth(self) -> Truth:
        """What really is, and happened."""
        self.traffic.catch_up(self.clock.ms)
        flows = self.traffic.flows
        return Truth(
            weights={
                f.route: self.balancer.portion(f.route, f.source, f.destination) for f in flows
            },
            in_force={f.route: round(1000 * self.traffic.destination_share(f)) for f in flows},
            residual=self.traffic.residual(self.clock.ms),
            requests=self.traffic.reached,
            harmed=self.traffic.harm.total,
            slow=self.traffic.harm.slow,
            highest=self.script.context.highest,
            writes=self._writes,
            found=self.occurrences.weight,
            found_highest=self.occurrences.highest,
            rate=self._rate,
            held=tuple(self._held),
        )

    def calm(self) -> None:
        """Nothing more goes wrong from now on; what is under way already still arrives."""
        self.script.calm()
        self.faults.calm()
        self.traffic.weather.calm()
        self.traffic.catch_up(self.clock.ms)
        self.balancer.heal()
        for alarm in self.cloudwatch.alarms:
            self.cloudwatch.set_alarm(alarm, "OK")

    def revive(self, death: RunnerKilledError) -> tuple[str, ...]:
        """Time passes until somebody starts the runner again; the first words of the new one, () for nobody."""
        self.inbox.forget()
        if death.back_after_ms is None:
            return ()
        self.restarts += 1
        self.clock.sleep(death.back_after_ms)
        if death.rebooted:
            self.clock.reboot()
        self.script.moved("", "")
        return death.commands

    def approved(self) -> bool:
        """Time passes until somebody approves what a run that has ended asked for; False: nobody does."""
        if self.scenario.approve_after is None:
            return False
        self.inbox.forget()
        self.restarts += 1
        self.clock.sleep(self.scenario.approve_after)
        self.inbox.forget()
        self.script.moved("", "")
        return True

    @property
    def calls(self) -> Mapping[str, int]:
        """How often each AWS operation was called."""
        return dict(self.emulation.calls)

    # Traffic

    def _flows(self) -> list[Flow]:
        flows = []
        for route in self.plan.routes:
            comparison = self.plan.comparison_of(route.id)
            flows.append(
                Flow(
                    route.id, comparison.id, comparison.load_balancer, route.source, route.destination,
                    self.balancer.weights(route.id), self.balancer.sticky(route.id),
                )
            )  # fmt: skip
        return flows

    def _next_minute(self) -> None:
        self.clock.at(floor_to(self.clock.ms, MINUTE) + MINUTE, self._minute_ended)

    def _minute_ended(self) -> None:
        at, minute = self.traffic.close_minute(self.clock.ms)
        self._publisher.publish(at, minute)
        self._next_minute()

    def _wrote(self, route: str) -> None:
        """A route's actions are different now: for health at once, for the data plane a little later."""
        self.balancer.note_associations()
        self.balancer.book.attach(self.balancer.attached())
        weights, sticky = self.balancer.weights(route), self.balancer.sticky(route)

        def arrives() -> None:
            self.traffic.catch_up(self.clock.ms)
            self.traffic.in_force(route, weights, sticky=sticky)

        self.traffic.weather.meet("", {"propagation": 1})
        self.clock.at(self.clock.ms + self.traffic.weather.propagation_ms, arrives)
        portions = {
            f.route: max(0, self.balancer.portion(f.route, f.source, f.destination))
            for f in self.traffic.flows
        }
        lowered = portions.get(route, 0) < self._portions.get(route, 0)
        self._portions = portions
        self.script.wrote(max(0, *portions.values()), lowered=lowered)

    def _other_wrote(self, route: str) -> None:
        self._wrote(route)
        self._witness.changed(route)

    def _run_wrote(self, route: str) -> None:
        self._writes += 1
        self._wrote(route)

    def _portion_asked(self, route: str, actions: list[dict[str, Any]]) -> int | None:
        for flow in self.traffic.flows:
            if flow.route == route:
                return max(0, portion_of(actions, flow.source, flow.destination))
        return None

    def entered(self, phase: str, hold: str, step: int) -> None:
        """The run says where it is; whoever approves is asked now."""
        if hold:
            self._held[hold] = None
        self.script.moved(phase, hold, step)
        if hold == "approval" and self.scenario.approve_after is not None:
            line = Say(
                when=When(),
                command="approve",
                who="release manager",
                why="approved as the scenario says",
            )
            self.clock.at(
                self.clock.ms + self.scenario.approve_after, lambda: self.inbox.say(line)
            )


class _PhaseWatcher(Listener):
    def __init__(self, world: World) -> None:
        self._world = world

    def on_record(self, record: Record) -> None:
        if isinstance(record.event, PhaseChanged):
            self._world.entered(record.event.after, record.event.hold, record.event.step)


def _customs(plan: Plan) -> tuple[CustomSeries, ...]:
    return tuple(
        CustomSeries(one.namespace, one.metric, one.dimensions)
        for one in plan.custom_metrics.values()
    )
