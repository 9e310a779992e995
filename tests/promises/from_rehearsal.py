"""Facts of a rehearsal: from its records, and from what the emulated AWS really received and did.

    observer = Observer(plan)
    rehearse(plan, scenario, place=..., witness=observer, listeners=(observer.listener,))
    broken(PROMISES, observer.setting, observer.facts)

There is no `Shown`: what a look showed is in CloudWatch's answers, and only the gates know what to make of it.
"""

from __future__ import annotations

import json
from ast import literal_eval
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any, NamedTuple

from cutover.aws.route_config import Ends, config_of_actions
from cutover.core.journal.codec import body
from cutover.core.journal.events import (
    Close,
    GateJudged,
    LeaseTaken,
    MinuteCorrected,
    MinuteSettled,
    PhaseChanged,
    Record,
)
from cutover.core.plan import Plan
from cutover.core.state import RunState, evolve, replay
from cutover.emulator.balancer import Balancer
from cutover.emulator.normal_form import normal_actions
from cutover.emulator.responses import Call
from cutover.emulator.witness import Actions, Witness
from cutover.ports import Listener
from cutover.render.status_json import status_json
from tests.promises.facts import (
    Changed,
    Ended,
    Fact,
    Health,
    Read,
    Recorded,
    Replied,
    Sent,
    Setting,
    Started,
    Told,
    Took,
)
from tests.promises.from_bench import claimed, portion, taken_out

NOTHING = -1
"""The portion of a route without the comparison, and of one that does not exist."""


class Seen(NamedTuple):
    """A route's actions as the facts name them: text, portion, and what is not the comparison's weights; no text: gone."""

    config: str
    weight: int
    rest: str
    taken_out: bool = False


def seen(actions: Actions, ends: Ends) -> Seen:
    """What the actions of a route say."""
    return _seen(repr(actions), ends) if actions else Seen("", NOTHING, "")


@lru_cache(maxsize=4_096)
def _seen(actions: str, ends: Ends) -> Seen:
    """The same configs come at every look: their text is quicker to make than their canonical spelling."""
    config = config_of_actions(normal_actions(literal_eval(actions)), ends)
    rest: Any = json.loads(config.text)
    for action in rest:
        groups = (action.get("ForwardConfig") or {}).get("TargetGroups")
        if groups:
            others = [
                one
                for one in groups
                if one["TargetGroupArn"] not in (ends.source, ends.destination)
            ]
            action["ForwardConfig"]["TargetGroups"] = others
    said = json.dumps(rest, sort_keys=True)
    return Seen(config.text, portion(config), said, taken_out(config))


def setting_of(plan: Plan, found: Mapping[str, Seen]) -> Setting:
    """What is fixed before a run of this plan."""
    return Setting(
        routes=tuple(str(route.id) for route in plan.routes),
        weights=tuple(int(step.weight) for step in plan.steps),
        bakes=tuple(step.bake for step in plan.steps),
        found={route: (one.config, one.weight) for route, one in found.items()},
        period_ms=plan.observe.period,
        settle_ms=plan.observe.settle,
        poll_ms=plan.observe.poll,
        confirm_ms=plan.observe.confirm,
        source_reserve_ppm=plan.safety.source_reserve,
        comparisons=tuple(comparison.id for comparison in plan.comparisons),
    )


class Observer(Witness):
    """Collects the facts of one run, in their order.

    Attributes:
        facts: until now.
        found: the routes before the run, as AWS answered last when it kept them.
        durable: whether a record is on the disk for good. Nothing hangs on a rehearsal's journal: it counts as durable.
        beside: whether a record was kept beside the journal, which takes it in when it is continued.
        clock_set: somebody set this machine's clock away from AWS's.
        state: folded from the records, without their evidence.
    """

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.facts: list[Fact] = []
        self.durable: Callable[[Record], bool] = lambda _record: True
        self.beside: Callable[[Record], bool] = lambda _record: False
        self.clock_set = False
        self.state = RunState()
        self.found: dict[str, Seen] = {}
        self.listener: Listener = _Told(self)
        self._now_ms: Callable[[], int] = lambda: 0
        self._balancer: Balancer | None = None
        self._ends = {str(r.id): Ends(r.source, r.destination) for r in plan.routes}
        self._at_start: dict[str, int] = {}
        self._kept = False
        self._beside: set[tuple[int, int]] = set()

    def begins(self, balancer: Balancer, now_ms: Callable[[], int]) -> None:
        self._balancer, self._now_ms = balancer, now_ms
        self.found = {route: self._live(route) for route in self._ends}

    def continues(self, records: Sequence[Record]) -> None:
        """A process goes on from these records: those that a dead one could not tell any more are facts too.

        What a rollback had to leave beside the journal stands in it now.
        """
        kept = self._beside & {(record.epoch, record.seq) for record in records}
        for number, fact in enumerate(self.facts) if kept else ():
            if isinstance(fact, Recorded) and (fact.epoch, fact.seq) in kept:
                self.facts[number] = replace(fact, durable=True)
        self._beside -= kept
        heard = {(one.epoch, one.seq) for one in self.facts if isinstance(one, Recorded)}
        for record in records:
            if (record.epoch, record.seq) not in heard:
                self._recorded(record)
        self.state = replay(self.plan, records)

    @property
    def setting(self) -> Setting:
        """What was fixed before the run."""
        return setting_of(self.plan, self.found)

    def add(self, kind: type[Fact], *args: Any, **more: Any) -> None:
        """One more fact, now."""
        self.facts.append(kind(self._now_ms(), *args, **more))

    def _actions(self, route: str) -> Actions:
        return self._balancer.actions(route) if self._balancer is not None else ()

    def _live(self, route: str) -> Seen:
        return seen(self._actions(route), self._ends[route])

    # What AWS received and did

    def sent(self, number: int, route: str, actions: Actions) -> None:
        said = seen(actions, self._ends[route])
        self.add(Sent, route, said.config, said.weight, number, said.rest)

    def took(self, number: int, route: str) -> None:
        live = self._live(route)
        self.add(Took, route, live.config, live.weight, number)

    def replied(self, number: int, route: str, answer: str) -> None:
        self.add(Replied, route, number, answer)

    def changed(self, route: str) -> None:
        live = self._live(route)
        self.add(Changed, route, live.config, live.weight)

    def answered(self, call: Call, body: Mapping[str, Any] | None) -> None:
        if call.operation in ("DescribeRules", "DescribeListeners"):
            self._read(call, body)
        elif call.operation == "DescribeTargetHealth":
            self._health(str(call.params.get("TargetGroupArn")), body)

    def _read(self, call: Call, said: Mapping[str, Any] | None) -> None:
        asked = call.params.get("RuleArns") or call.params.get("ListenerArns") or ()
        items = [*(said or {}).get("Rules", ()), *(said or {}).get("Listeners", ())]
        shown = {str(one.get("RuleArn") or one.get("ListenerArn")): one for one in items}
        for route in asked:
            if route not in self._ends:
                continue
            one = shown.get(route)
            if one is not None:
                actions = one.get("Actions") or one.get("DefaultActions") or ()
                read = seen(actions, self._ends[route])
                out = read.taken_out
                self.add(
                    Read, route, read.config, weight=read.weight, rest=read.rest, taken_out=out
                )
                if not self._kept:
                    self.found[route] = read
            else:
                self.add(Read, route, "", gone=said is None and not self._actions(route))

    def _health(self, group: str, said: Mapping[str, Any] | None) -> None:
        if group not in {ends.source for ends in self._ends.values()}:
            return
        healthy = -1
        if said is not None:
            states = [one["TargetHealth"]["State"] for one in said["TargetHealthDescriptions"]]
            healthy = states.count("healthy")
            self._at_start.setdefault(group, healthy)
        self.add(Health, healthy, self._at_start.get(group, 1), group)

    # What the run said

    def on_record(self, record: Record) -> None:
        """The run says one record."""
        event = record.event
        if isinstance(event, LeaseTaken):
            first = event.first_command
            self.add(Started, () if first in ("", "run") else (first,))
        self._recorded(record)
        self._kept = self._kept or event.type == "snapshot"
        if not isinstance(event, MinuteSettled | MinuteCorrected | GateJudged):
            # of the evidence `status` shows no more than what is not asked here, and folding it is half of a run's cost
            self.state = evolve(self.plan, self.state, record)
        if isinstance(event, PhaseChanged | Close):
            self.status()

    def _recorded(self, record: Record) -> None:
        # by a clock that was set nobody can tell whether a minute was settled: the run goes by AWS's
        if self.beside(record):
            self._beside.add((record.epoch, record.seq))
        event, wall_ms = record.event, 0 if self.clock_set else record.at.wall_ms
        self.add(
            Recorded,
            event.type,
            body(event),
            record.seq,
            record.epoch,
            self.durable(record),
            wall_ms,
        )

    def status(self) -> None:
        """What `cutover status --json` says now."""
        said: Any = status_json(self.state, self.plan)
        claims = {str(one["route"]): claimed(one) for one in said["routes"]}
        self.add(Told, str(said["phase"]), said["hold"]["reason"] if said["hold"] else "", claims)

    def ended(self, exit_code: int) -> None:
        """The process ended by itself."""
        live = {route: self._live(route) for route in self._ends}
        self.add(
            Ended, exit_code, {route: (one.config, one.weight) for route, one in live.items()}
        )


class _Told(Listener):
    def __init__(self, observer: Observer) -> None:
        self._observer = observer

    def on_record(self, record: Record) -> None:
        self._observer.on_record(record)
