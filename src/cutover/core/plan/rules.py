"""Rules over a whole plan: one pass that finds every violation, each with its place.

They are errors: a plan that breaks one cannot be run safely, or cannot mean what it says.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from cutover.core.forecast import LONGEST_BAKE
from cutover.core.plan import route_rules
from cutover.core.plan.fields import PlanFields
from cutover.core.plan.findings import Loc, PlanFinding
from cutover.core.plan.windows import WEEK_MINUTES
from cutover.core.values import DAY, FULL, MINUTE, duration_text, percent_text, weight_text

Rule = Callable[[PlanFields], Iterator[tuple[Loc, str, str]]]

LONGEST_HOLD: Final = 14 * DAY


def _steps_rise(plan: PlanFields) -> Iterator[tuple[Loc, str, str]]:
    """Weights rise from step to step; a step at 100 is the last one."""
    highest = 0
    for i, step in enumerate(plan.written):
        loc: Loc = ("steps", i, "weight")
        if highest == FULL:
            yield (
                loc,
                f"step {i + 1} comes after the step at 100",
                "a step at 100 is the last one; remove this step or lower the one before",
            )
        elif step.weight <= highest:
            yield (
                loc,
                f"weights must rise: step {i + 1} is {weight_text(step.weight)}, after {weight_text(highest)}",
                f"write more than {weight_text(highest)[:-2]}, or remove the step",
            )
        highest = max(highest, step.weight)


def _weights_are_percent(plan: PlanFields) -> Iterator[tuple[Loc, str, str]]:
    """Steps that rise to exactly 1 are fractions of one, written where percent belongs."""
    weights = [step.weight for step in plan.written]
    if len(weights) > 1 and weights[-1] == FULL // 100 and weights == sorted(set(weights)):
        meant = ", ".join(f"{weight * 10}" for weight in weights)
        yield (
            ("steps", 0, "weight"),
            "every weight is a fraction of one, but weights are percent: this plan would end at 1 %",
            f"write {meant}; or, if less than 1 % is meant, end with a step above 1",
        )


def _bakes_are_sane(plan: PlanFields) -> Iterator[tuple[Loc, str, str]]:
    """A bake lasts at least `observe.period` + `observe.settle`, and at most 14 days."""
    shortest = plan.observe.period + plan.observe.settle
    for i, step in enumerate(plan.written):
        loc: Loc = ("steps", i, "bake")
        if step.bake < shortest:
            yield (
                loc,
                (
                    f"a bake of {duration_text(step.bake)} ends before its first period of evidence is complete "
                    f"(observe.period {duration_text(plan.observe.period)} + observe.settle {duration_text(plan.observe.settle)})"
                ),
                f"write at least {duration_text(shortest)}",
            )
        elif step.bake > LONGEST_BAKE:
            yield (
                loc,
                f"a bake of {duration_text(step.bake)} is longer than {duration_text(LONGEST_BAKE)}",
                "write a shorter bake, or end the plan here and continue with another",
            )


def _gates_fit_their_bakes(plan: PlanFields) -> Iterator[tuple[Loc, str, str]]:
    """With `traffic`, no gate needs more requests than a bake of all the traffic brings."""
    if plan.traffic is None:
        return
    for i, step in enumerate(plan.written):
        minutes = (
            max(0, step.bake - plan.observe.settle)
            // plan.observe.period
            * plan.observe.period
            / MINUTE
        )
        # All of the expected traffic, even at this weight: fewer can only be worse.
        most = plan.traffic * minutes
        for gate in plan.gates:
            needed = getattr(gate.spec, "requests_to_pass", 0)
            if needed > most:
                yield (
                    ("steps", i, "bake"),
                    (
                        f"gate {gate.name} can never pass here: it needs {needed:,} requests on the destination, and "
                        f"{duration_text(step.bake)} of all the expected traffic is about {int(most):,}"
                    ),
                    "bake longer, or allow that gate a higher limit",
                )


def _big_bang_is_acknowledged(plan: PlanFields) -> Iterator[tuple[Loc, str, str]]:
    """A plan whose only step is 100 says `acknowledge_big_bang: true`."""
    if len(plan.written) == 1 and plan.written[0].weight == FULL and not plan.acknowledge_big_bang:
        yield (
            ("steps", 0, "weight"),
            "the only step moves all traffic at once",
            "add smaller steps before it, or write `acknowledge_big_bang: true` at the top level",
        )


def _something_is_held_back(plan: PlanFields) -> Iterator[tuple[Loc, str, str]]:
    """`hold_back` has a last step at 100 to hold back from, and leaves it above the step before."""
    if not plan.hold_back:
        return
    loc: Loc = ("hold_back",)
    before, last = ([0, *(step.weight for step in plan.written)])[-2:]
    if last != FULL:
        yield (
            loc,
            f"the plan ends at {weight_text(last)}: the source keeps the rest anyway",
            "remove `hold_back`, or add a step at 100",
        )
    elif FULL - plan.hold_back <= before:
        yield (
            loc,
            f"the last bake would be at {weight_text(FULL - plan.hold_back)}, not above the step before at {weight_text(before)}",
            f"hold back less than {weight_text(FULL - before)}, or lower the step before",
        )


def _gates_come_once(plan: PlanFields) -> Iterator[tuple[Loc, str, str]]:
    """Every gate comes once: `metric` and `alarm` once per name, `latency` once per percentile."""
    seen: dict[str, int] = {}
    for i, gate in enumerate(plan.gates):
        if (first := seen.setdefault(gate.name, i)) != i:
            yield (
                ("gates", i, gate.kind, "#key"),
                f"gate {gate.name} is in the plan twice; first as gate {first + 1}",
                "merge the two, or give one another name",
            )


def _times_are_sane(plan: PlanFields) -> Iterator[tuple[Loc, str, str]]:
    """`observe` has no zero, and polls are not further apart than periods."""
    for name in ("period", "poll", "confirm"):
        if getattr(plan.observe, name) <= 0:
            yield (
                ("observe", name),
                f"{name} must be longer than 0s",
                "remove the line to get the default",
            )
    if plan.observe.poll > plan.observe.period:
        yield (
            ("observe", "poll"),
            "polls that are further apart than periods see a breach late",
            f"write at most {duration_text(plan.observe.period)}",
        )


def _safety_is_sane(plan: PlanFields) -> Iterator[tuple[Loc, str, str]]:
    """`blind_budget` is longer than evidence takes to arrive, and every hold ends between 1 minute and 14 days."""
    safety, observe = plan.safety, plan.observe
    slowest = observe.period + observe.settle + observe.poll
    if safety.blind_budget < slowest:
        yield (
            ("safety", "blind_budget"),
            f"evidence is never younger than {duration_text(slowest)} (observe.period + settle + poll): the run would hold at once",
            f"write at least {duration_text(slowest)}",
        )
    if safety.hold_timeout < MINUTE and safety.hold_timeout < 4 * observe.poll:
        yield (
            ("safety", "hold_timeout"),
            f"nobody can answer a hold within {duration_text(safety.hold_timeout)}",
            f"write at least {duration_text(min(MINUTE, 4 * observe.poll))}",
        )
    if safety.hold_timeout > LONGEST_HOLD:
        yield (
            ("safety", "hold_timeout"),
            f"a hold of {duration_text(safety.hold_timeout)} is longer than {duration_text(LONGEST_HOLD)}",
            "every hold must end in an action",
        )
    if safety.ask_timeout < MINUTE and safety.ask_timeout < 4 * observe.poll:
        yield (
            ("safety", "ask_timeout"),
            f"nobody can answer within {duration_text(safety.ask_timeout)}",
            f"write at least {duration_text(min(MINUTE, 4 * observe.poll))}",
        )
    if safety.ask_timeout > LONGEST_HOLD:
        yield (
            ("safety", "ask_timeout"),
            f"a hold of {duration_text(safety.ask_timeout)} is longer than {duration_text(LONGEST_HOLD)}",
            "every hold must end in an action",
        )
    if safety.source_reserve > 1_000_000:
        yield (
            ("safety", "source_reserve"),
            f"{percent_text(safety.source_reserve)} is more than all healthy targets",
            "write at most 100%",
        )


def _windows_leave_time(plan: PlanFields) -> Iterator[tuple[Loc, str, str]]:
    """Windows leave some time of the week free."""
    by_zone: dict[str, bytearray] = {}
    for i, window in enumerate(plan.windows):
        week = by_zone.setdefault(window.zone, bytearray(WEEK_MINUTES))
        for start, end in window.spans:
            for first, last in (
                ((start, end),) if start < end else ((start, WEEK_MINUTES), (0, end))
            ):
                week[first:last] = b"\1" * (last - first)
        if all(week):
            yield (
                ("windows", i, "not"),
                "with this window no raise would ever be allowed",
                "leave some time of the week free",
            )
            return


def _waived_once(plan: PlanFields) -> Iterator[tuple[Loc, str, str]]:
    """A check is waived once."""
    seen: dict[str, int] = {}
    for i, waive in enumerate(plan.waive):
        if (first := seen.setdefault(waive.check, i)) != i:
            yield (
                ("waive", i, "check"),
                f"check {waive.check} is waived twice; first as entry {first + 1}",
                "remove one of them",
            )


def _store_exists(plan: PlanFields) -> Iterator[tuple[Loc, str, str]]:
    """The store is `local`: this version has no other."""
    if plan.store != "local":
        yield (
            ("store",),
            "this version keeps journal and lease on this machine only",
            "write `store: local`, or remove the line",
        )


_RULES: Final[tuple[tuple[Rule, frozenset[str]], ...]] = (
    (_steps_rise, frozenset({"steps"})),
    (_weights_are_percent, frozenset({"steps"})),
    (_bakes_are_sane, frozenset({"steps", "observe"})),
    (_gates_fit_their_bakes, frozenset({"steps", "observe", "gates", "traffic"})),
    (_big_bang_is_acknowledged, frozenset({"steps", "acknowledge_big_bang"})),
    (_something_is_held_back, frozenset({"hold_back", "steps"})),
    (route_rules.routes_come_once, frozenset({"routes"})),
    (route_rules.sides_differ, frozenset({"routes"})),
    (route_rules.sides_are_not_mixed, frozenset({"routes"})),
    (route_rules.arns_are_home, frozenset({"routes", "leave", "aws"})),
    (route_rules.groups_have_one_balancer, frozenset({"routes"})),
    (route_rules.names_are_unique, frozenset({"routes", "aws"})),
    (_gates_come_once, frozenset({"gates"})),
    (_times_are_sane, frozenset({"observe"})),
    (_safety_is_sane, frozenset({"safety", "observe"})),
    (_windows_leave_time, frozenset({"windows"})),
    (route_rules.leave_is_not_moved, frozenset({"leave", "routes"})),
    (_waived_once, frozenset({"waive"})),
    (_store_exists, frozenset({"store"})),
)


def rule_sentences() -> tuple[str, ...]:
    """What every rule demands, for the reference page."""
    return tuple(rule.__doc__ or "" for rule, _ in _RULES)


def broken_rules(plan: PlanFields) -> tuple[PlanFinding, ...]:
    """Every violation in the plan, in no particular order."""
    return tuple(
        PlanFinding(loc, message, fix, needs)
        for rule, needs in _RULES
        for loc, message, fix in rule(plan)
    )
