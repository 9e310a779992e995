"""Facts of a rehearsal: from its records, and from what the emulated AWS really received and did.

observer = Observer(plan)
rehearse(plan, scenario, place=..., witness=observer, listeners=(observer.listener,))
broken(PROMISES, observer.setting, observer.facts)
"""

from __future__ import annotations

from ast import literal_eval
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from cutover.aws.forms import Ends, form_of_actions
from cutover.core.events import Close, GateJudged, PhaseChanged, Record
from cutover.core.plan import Plan
from cutover.core.records import body
from cutover.core.state import RunState, evolve, replay
from cutover.ports import Listener
from cutover.rehearsal.balancer import Balancer
from cutover.rehearsal.normal_form import normal_actions
from cutover.rehearsal.wire import Call
from cutover.rehearsal.witness import Actions, Witness
from cutover.views.status_json import status_json
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
    Shown,
    Told,
    Took,
)

UNKNOWN = -1


def form_in(actions: Actions, ends: Ends) -> tuple[str, int]:
    """A route's actions as the facts name them: text and portion; without the pair -1, without the route no text."""
    return _form_in(repr(actions), ends) if actions else ("", UNKNOWN)


@lru_cache(maxsize=4_096)
def _form_in(actions: str, ends: Ends) -> tuple[str, int]:
    """The same forms come at every look: their text is quicker to make than their canonical spelling."""
    form = form_of_actions(normal_actions(literal_eval(actions)), ends)
    return form.text, UNKNOWN if form.weight is None else int(form.weight)


def setting_of(plan: Plan, found: Mapping[str, tuple[str, int]]) -> Setting:
    """What is fixed before a run of this plan."""
    return Setting(
        tuple(str(route.id) for route in plan.routes),
        tuple(int(step.weight) for step in plan.steps),
        tuple(step.bake for step in plan.steps),
        dict(found),
        plan.observe.period,
        plan.observe.settle,
        plan.observe.poll,
        plan.observe.confirm,
        plan.safety.source_reserve,
    )


class Observer(Witness):
    """Collects the facts of one run, in their order.

    Attributes:
        facts: until now.
        found: the routes before the run.
        durable: whether a record is on the disk for good. Nothing hangs on a rehearsal's journal: it counts as durable.
        state: folded from the records.
    """

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.facts: list[Fact] = []
        self.durable: Callable[[Record], bool] = lambda _record: True
        self.state = RunState()
        self.found: dict[str, tuple[str, int]] = {}
        self._now_ms: Callable[[], int] = lambda: 0
        self._balancer: Balancer | None = None
        self._ends = {str(r.id): Ends(r.source, r.destination) for r in plan.routes}
        self._verdicts: dict[tuple[str, str], str] = {}
        self._started: dict[str, int] = {}
        self.listener: Listener = _Told(self)

    def begins(self, balancer: Balancer, now_ms: Callable[[], int]) -> None:
        self._balancer, self._now_ms = balancer, now_ms
        self.found = self.live()

    def continues(self, records: Sequence[Record]) -> None:
        """A process goes on from these records: those that a dead one could not tell any more are facts too."""
        for record in records:
            if record.seq > self.state.seq:
                self._recorded(record)
        self.state = replay(self.plan, records)

    @property
    def setting(self) -> Setting:
        """What was fixed before the run."""
        return setting_of(self.plan, self.found)

    def live(self) -> dict[str, tuple[str, int]]:
        """Every route as it is now."""
        return {route: form_in(self._actions(route), ends) for route, ends in self._ends.items()}

    def _actions(self, route: str) -> Actions:
        return self._balancer.actions(route) if self._balancer is not None else ()

    def add(self, kind: type[Fact], *args: Any, **more: Any) -> None:
        """One more fact, now."""
        self.facts.append(kind(self._now_ms(), *args, **more))

    # What AWS received and did

    def sent(self, number: int, route: str, actions: Actions) -> None:
        self.add(Sent, route, *form_in(actions, self._ends[route]), number)

    def took(self, number: int, route: str) -> None:
        self.add(Took, route, *self.live()[route], number)

    def replied(self, number: int, route: str, answer: str) -> None:
        self.add(Replied, route, number, answer)

    def changed(self, route: str) -> None:
        self.add(Changed, route, *self.live()[route])

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
                self.add(Read, route, form_in(actions, self._ends[route])[0])
            else:
                gone = said is None and not self._actions(route)
                self.add(Read, route, "", gone=gone)

    def _health(self, group: str, said: Mapping[str, Any] | None) -> None:
        if group not in {ends.source for ends in self._ends.values()}:
            return
        healthy = UNKNOWN
        if said is not None:
            states = [one["TargetHealth"]["State"] for one in said["TargetHealthDescriptions"]]
            healthy = states.count("healthy")
            self._started.setdefault(group, healthy)
        self.add(Health, healthy, self._started.get(group, 0))

    # What the run said

    def told(self, record: Record) -> None:
        """The run says one record."""
        event = record.event
        self._recorded(record)
        self.state = evolve(self.plan, self.state, record)
        if isinstance(event, GateJudged):
            self._verdicts[event.gate, event.pair] = event.verdict
            self.add(Shown, _worst(self._verdicts.values()))
        if isinstance(event, PhaseChanged | Close):
            self.add(Told, str(self.state.phase), self._hold(), self.claims())

    def _recorded(self, record: Record) -> None:
        event, durable = record.event, self.durable(record)
        self.add(Recorded, event.type, body(event), record.seq, record.epoch, durable=durable)

    def _hold(self) -> str:
        return str(self.state.held.reason) if self.state.held is not None else ""

    def claims(self) -> dict[str, int]:
        """By route, the portion (per mille) that `status` shows as live; -1 where it says that it does not know."""
        shown: Any = status_json(self.state, self.plan)["routes"]
        return {str(one["route"]): _claimed(one) for one in shown}

    def ended(self, exit_code: int) -> None:
        """The process ended by itself."""
        self.add(Ended, exit_code, self.live())


def _claimed(route: Mapping[str, Any]) -> int:
    live = route["live_weight_percent"]
    known = route["readable"] and route["exists"] and route["in_doubt_percent"] is None
    return round(10 * live) if known and live is not None else UNKNOWN


_ORDER = ("breach", "unknown", "shared", "waiting", "pass")


def _worst(verdicts: Any) -> str:
    said = {str(one).lower() for one in verdicts}
    return next((one for one in _ORDER if one in said), "waiting")


class _Told(Listener):
    def __init__(self, observer: Observer) -> None:
        self._observer = observer

    def told(self, record: Record) -> None:
        self._observer.told(record)
