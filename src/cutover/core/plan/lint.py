"""Lint: what a plan may say, but somebody who has done cutovers would ask about."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from cutover.core.forecast import SHORTEST_BAKE, STEEPEST
from cutover.core.plan.control_share import nobody_to_compare_with, thin_source
from cutover.core.plan.fields import PlanFields
from cutover.core.plan.findings import Loc, PlanFinding
from cutover.core.plan.gates import PlannedGate
from cutover.core.plan.metric_lint import METRIC_CHECKS
from cutover.core.plan.model import Plan
from cutover.core.plan.risk import forecasts_of, not_forecast, nothing_keeps, over_budget
from cutover.core.plan.steps import Step
from cutover.core.values import FULL, MINUTE, SECOND, duration_text, weight_text

Check = Callable[[Plan], Iterator[tuple[Loc, str, str]]]


def _average_latency(plan: PlanFields) -> Iterator[tuple[Loc, str, str]]:
    """A `metric` gate on the average of TargetResponseTime."""
    for i, gate in enumerate(plan.gates):
        if gate.kind == "metric" and (gate.spec.metric, gate.spec.statistic) == (
            "TargetResponseTime",
            "Average",
        ):
            yield (
                ("gates", i, "metric", "statistic"),
                "an average hides slow requests: one in twenty may take seconds and it hardly moves",
                "use a `latency` gate, which counts requests slower than a limit",
            )


def _steep_steps(plan: PlanFields) -> Iterator[tuple[Loc, str, str]]:
    """A step of more than 5 times the one before."""
    for i, (before, step) in enumerate(zip(plan.written, plan.written[1:], strict=False), 1):
        if step.weight > STEEPEST * before.weight:
            yield (
                ("steps", i, "weight"),
                f"from {weight_text(before.weight)} to {weight_text(step.weight)} is more than {STEEPEST} times: autoscalers and caches may not follow",
                f"put a step of at most {weight_text(STEEPEST * before.weight)} before it",
            )


def _short_bakes(plan: PlanFields) -> Iterator[tuple[Loc, str, str]]:
    """A bake below 5 minutes."""
    for i, step in enumerate(plan.written):
        if step.bake < SHORTEST_BAKE and plan.observe.period >= MINUTE:
            yield (
                ("steps", i, "bake"),
                f"a bake of {duration_text(step.bake)} sees no slow leak, and few periods of evidence",
                f"write {duration_text(SHORTEST_BAKE)} or more",
            )


def _too_little_traffic(plan: Plan) -> Iterator[tuple[Loc, str, str]]:
    """With `traffic`, steps whose bakes bring too few requests for a gate to pass."""
    if not plan.traffic:
        return
    comparisons, hungry = len(plan.comparisons), max(plan.gates, key=_needed)
    brings = [_requests_in_bake(plan, step, comparisons) for step in plan.written]
    short = [i for i, expected in enumerate(brings) if _needed(hungry) > expected]
    if short:
        a_minute = plan.traffic * plan.written[short[0]].weight / FULL / comparisons
        minutes = -(-_needed(hungry) // a_minute) * MINUTE + plan.observe.settle
        evenly = f", spread evenly over {comparisons} comparisons" if comparisons > 1 else ""
        yield (
            ("steps", short[0], "bake"),
            (
                f"this step cannot be judged: gate {hungry.name} needs {_needed(hungry):,} requests on the destination, "
                f"about {int(brings[short[0]]):,} are expected{evenly}{_also(plan, short)}"
            ),
            f"bake {duration_text(int(minutes))} or more, or start with a higher weight; as it is, the run will hold",
        )


def _requests_in_bake(plan: Plan, step: Step, comparisons: int) -> float:
    """Settled requests that the destination of one comparison gets in a step's bake, at the plan's traffic."""
    periods = max(0, step.bake - plan.observe.settle) // plan.observe.period
    a_minute = (plan.traffic or 0.0) * step.weight / FULL / comparisons
    return a_minute * periods * plan.observe.period / MINUTE


def _needed(gate: PlannedGate) -> int:
    return int(getattr(gate.spec, "requests_to_pass", 0))


def _risk_without_traffic(plan: PlanFields) -> Iterator[tuple[Loc, str, str]]:
    """`risk` without `traffic`: the budget cannot be checked."""
    if plan.risk is not None and not plan.traffic:
        yield (
            ("risk", "#key"),
            "the budget cannot be checked without the expected traffic",
            "add for example `traffic: 6000/min`",
        )


def _over_budget(plan: Plan) -> Iterator[tuple[Loc, str, str]]:
    """With `risk`, a step that may cost more than the budget at the plan's `traffic`, or a budget nothing keeps."""
    if plan.risk is None:
        return
    if why := nothing_keeps(plan):
        yield (
            ("risk", "#key"),
            f"this budget cannot be kept: {why}",
            "add an `errors` gate that rolls back, or remove the budget",
        )
    elif plan.traffic and (over := over_budget(plan, plan.traffic)):
        yield (("steps", over.steps[0], "weight"), over.message, over.fix)


def _budget_of_another_judge(plan: Plan) -> Iterator[tuple[Loc, str, str]]:
    """`risk` with `judge: threshold` in the `errors` gate: the budget holds for the sequential judge only."""
    why = not_forecast(plan)
    if plan.risk is not None and why:
        at = next(i for i, gate in enumerate(plan.gates) if gate.kind == "errors")
        yield (
            ("gates", at, "errors", "judge"),
            f"risk.harmed_requests cannot be promised: {why}",
            "remove `judge: threshold` from this gate, or `risk` from the plan",
        )


def _sees_no_failure(plan: Plan) -> Iterator[tuple[Loc, str, str]]:
    """With `traffic`, steps whose bake would end before even a total failure is seen."""
    blind = [i for i, one in enumerate(forecasts_of(plan, plan.traffic)) if one.catches is None]
    if blind:
        yield (
            ("steps", blind[0], "bake"),
            f"with so little traffic this bake ends before even a total failure is sure to be seen{_also(plan, blind)}",
            "bake longer, or start with a higher weight; `cutover plan --offline` prints what each step sees",
        )


def _no_leak_seen(plan: Plan) -> Iterator[tuple[Loc, str, str]]:
    """With `traffic`, a plan of which no bake sees errors that grow by 0.1 % of the requests a minute."""
    found = forecasts_of(plan, plan.traffic)
    if found and not any(one.leak_caught for one in found):
        yield (
            ("steps", len(found) - 1, "bake"),
            "no bake sees a slow leak: errors that grow by 0.1 % of the requests every minute",
            "bake the last step longer, 30m or more, before the source is given up",
        )


def _also(plan: Plan, steps: list[int]) -> str:
    """The other steps that a warning about the first of them is about too; empty when there is none."""
    others = ", ".join(weight_text(plan.steps[i].weight) for i in steps[1:])
    return f"; likewise at {others}" if others else ""


def _no_reserve(plan: PlanFields) -> Iterator[tuple[Loc, str, str]]:
    """A `source_reserve` of 0%."""
    if plan.safety.source_reserve == 0:
        yield (
            ("safety", "source_reserve"),
            "without a source reserve a rollback may land on an empty fleet",
            "remove the line to get 90%",
        )


def _nobody_manages(plan: PlanFields) -> Iterator[tuple[Loc, str, str]]:
    """`managed_by` is absent."""
    if plan.managed_by is None:
        yield (
            ("managed_by",),
            "`managed_by` is absent: infrastructure code that owns the routes would set the weights back",
            "write terraform, cloudformation or none",
        )


def _faster_than_alb(plan: PlanFields) -> Iterator[tuple[Loc, str, str]]:
    """`observe.period` below 60s or `observe.settle` below 120s."""
    # AWS docs: ALB reports metrics in 60-second intervals.
    facts = (
        ("period", MINUTE, "ALB publishes one datapoint a minute"),
        ("settle", 120 * SECOND, "younger datapoints still change"),
    )
    for name, fact, why in facts:
        if getattr(plan.observe, name) < fact:
            yield (
                ("observe", name),
                f"less than {duration_text(fact)}: {why}",
                "smaller values are for tests and custom metrics",
            )


def _no_gates(plan: PlanFields) -> Iterator[tuple[Loc, str, str]]:
    """No `gates` section: the default gates judge."""
    if "gates" not in plan.model_fields_set:
        names = ", ".join(gate.name for gate in plan.gates)
        yield (
            ("gates",),
            f"no `gates`: the default ones judge every step ({names})",
            "`cutover plan` prints them; write those you mean",
        )


def _nothing_rolls_back(plan: PlanFields) -> Iterator[tuple[Loc, str, str]]:
    """No gate that rolls back, or no `errors` gate."""
    if all(gate.on_breach == "hold" for gate in plan.gates):
        yield (
            ("gates", "#key"),
            "every gate holds on a breach: nothing rolls back by itself until the hold is over",
            "let at least `errors` roll back",
        )
    elif not any(gate.kind == "errors" for gate in plan.gates):
        yield (
            ("gates", "#key"),
            "no `errors` gate: failed requests are not judged",
            "add for example `- errors: {max: 1%}`",
        )


def _does_not_arrive(plan: PlanFields) -> Iterator[tuple[Loc, str, str]]:
    """The last step is below 100."""
    last = plan.written[-1].weight
    if last != FULL:
        yield (
            ("steps", len(plan.written) - 1, "weight"),
            f"the plan ends at {weight_text(last)}: the source keeps the rest",
            "add a step at 100, unless this is meant",
        )


def _shares_mixed(plan: PlanFields) -> Iterator[tuple[Loc, str, str]]:
    """A target group with two partners: their shares cannot be told apart."""
    partner: dict[tuple[str, str], tuple[str, int]] = {}
    for i, route in enumerate(plan.routes):
        for side, group, other in (
            ("source", route.source, route.destination),
            ("destination", route.destination, route.source),
        ):
            first, at = partner.setdefault((side, group), (other, i))
            if first != other:
                yield (
                    ("routes", i, side),
                    f"this group is the {side} of route {at + 1} too, with another partner: their shares cannot be told apart",
                    "settling may hold; give each route its own groups, or use two plans",
                )


def _nobody_is_told(plan: PlanFields) -> Iterator[tuple[Loc, str, str]]:
    """`notify`: this version does not send notifications."""
    if plan.notify:
        yield (
            ("notify", "#key"),
            "this version does not send notifications yet",
            "watch the run, or the exit code of `cutover run`",
        )


_CHECKS: Final[tuple[Check, ...]] = (
    _average_latency,
    *METRIC_CHECKS,
    _steep_steps,
    _short_bakes,
    _too_little_traffic,
    _risk_without_traffic,
    _over_budget,
    _budget_of_another_judge,
    _sees_no_failure,
    _no_leak_seen,
    thin_source,
    _no_reserve,
    _nobody_manages,
    _faster_than_alb,
    _no_gates,
    _nothing_rolls_back,
    _does_not_arrive,
    nobody_to_compare_with,
    _shares_mixed,
    _nobody_is_told,
)


def lint_sentences() -> tuple[str, ...]:
    """What is warned about, for the reference page."""
    return tuple(check.__doc__ or "" for check in _CHECKS)


def lint(plan: Plan) -> tuple[PlanFinding, ...]:
    """Every warning about a sound plan, in no particular order."""
    return tuple(
        PlanFinding(loc, message, fix) for check in _CHECKS for loc, message, fix in check(plan)
    )
