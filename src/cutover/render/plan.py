"""What `cutover plan` prints: each route's actions before and after, the timeline, the risk, every default."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from cutover.core.arn import route_name
from cutover.core.messages import about, clock_text
from cutover.core.moment import wall_text
from cutover.core.plan import Plan
from cutover.core.plan.risk import detection_ms
from cutover.core.schedule import RoutePreview, ScheduledStep, timeline
from cutover.core.values import FULL, duration_text, weight_percent, weight_text
from cutover.render.actions import action_lines
from cutover.render.forecasts import forecast_json, outlook_lines
from cutover.render.text import columns, pad, table, wrap

STICKINESS_STRATEGIES: dict[str, str] = {
    "keep": "the actions found are put back as they were",
    "unstick": "weight 0 and group stickiness off at once, so that no cookie holds a client; stickiness is put back later",
    "remove": "the destination's group is taken out of the action, so that no cookie can choose it",
    "none": "none is legal: preflight refuses this route",
}
"""How a rollback recalls sticky clients, in words."""


def plan_view(
    plan: Plan,
    width: int,
    *,
    routes: Sequence[RoutePreview] = (),
    rate: float | None = None,
    starts: datetime | None = None,
) -> list[str]:
    """The whole preview.

    Args:
        plan: what would run.
        width: columns.
        routes: each route as found and as aimed; none for a plan that was only read from its file.
        rate: measured requests a minute; None falls back on the plan's `traffic`.
        starts: when it would start, for clock times; None leaves them out.
    """
    lines = wrap(f"{plan.name}: {_several(len(plan.routes), 'route')}, {_several(len(plan.steps), 'step')}, "
                 f"{plan.aws.account} {plan.aws.region}", width)  # fmt: skip
    for part in (
        route_lines(routes, width),
        timeline_lines(plan, width, rate=rate, starts=starts),
        outlook_lines(plan, width, rate=rate),
        gate_lines(plan, width),
        default_lines(plan, width),
        code_lines(plan, width),
    ):
        if part:
            lines += ["", *part]
    return lines


def _several(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def route_lines(routes: Sequence[RoutePreview], width: int) -> list[str]:
    """Each route's actions as found, what each weight changes, and its way back."""
    lines: list[str] = []
    for route in routes:
        if lines:
            lines.append("")
        lines += wrap(route_name(route.route), width)
        lines += wrap(route.route, width, first="  ", rest="    ")
        lines += list(_diff(route, width))
        back = (
            f"{STICKINESS_STRATEGIES.get(route.stickiness_strategy, route.stickiness_strategy)}"
            + (f" ({route.stickiness_strategy_why})" if route.stickiness_strategy_why else "")
        )
        lines += wrap(back, width, first="  rollback  ", rest="            ")
    return lines


def _diff(route: RoutePreview, width: int) -> Iterator[str]:
    """`-` what goes, `+` what comes with which weight, two spaces for what stays at every weight."""
    found = action_lines(route.found)
    configs = [action_lines(config) for _, config in route.after]
    stays = {line for line in found if all(line in config for config in configs)}
    for line in found:
        yield from wrap(
            line, width, first="      " if line in stays else "    - ", rest="        "
        )
    before: tuple[str, ...] = found
    size = max((columns(weight_text(weight)) for weight, _ in route.after), default=0)
    for (weight, _), config in zip(route.after, configs, strict=True):
        label = pad(weight_text(weight), size, right=True)
        for line in (one for one in config if one not in before):
            yield from wrap(f"{label}  {line}", width, first="    + ", rest="        ")
        before = config


def timeline_lines(
    plan: Plan, width: int, *, rate: float | None = None, starts: datetime | None = None
) -> list[str]:
    """Each step with its clock estimate."""
    steps = timeline(plan, rate)
    heads = ["weight", "begins", "bake", "takes", "requests"]
    if starts is not None:
        heads.insert(2, "about")
    rows = [_row(step, starts) for step in steps]
    end = steps[-1].starts_ms + steps[-1].takes_ms
    lines = ["timeline, if nothing holds it up"]
    right = frozenset(range(len(heads)))
    lines += ["  " + line for line in table(heads, rows, width - 2, right=right)]
    finish = (
        f" (about {clock_text(starts + timedelta(milliseconds=end), starts)})" if starts else ""
    )
    lines += wrap(f"done after about {about(end)}{finish}", width, first="  ")
    for step in steps:
        if step.approve:
            lines += wrap(
                f"{weight_text(step.weight)} waits for a person: {step.approve}",
                width,
                first="  ",
                rest="  ",
            )
    lines += wrap(last_bake_text(plan), width, first="  ", rest="  ")
    for window in plan.windows:
        lines += wrap(f"no raise inside {window.text}", width, first="  ", rest="  ")
    return lines


def last_bake_text(plan: Plan) -> str:
    """Whether the last bake has somebody to compare with, and what follows from it."""
    last = plan.steps[-1]
    if last.hands_over:
        control = plan.steps[-2].weight
        return (
            f"the last bake is at {weight_text(control)}: {weight_text(FULL - control)} stays at the source to compare with; "
            f"then {weight_text(last.weight)}, without a bake of its own"
        )
    if last.weight < FULL:
        return f"the last bake is at {weight_text(last.weight)}, and the source keeps {weight_text(FULL - last.weight)}"
    then = "it rolls back" if plan.safety.on_hold_timeout == "rollback" else "it asks again"
    return (
        f"the last bake is at {weight_text(last.weight)}, with nobody to compare with: if the destination turns bad then, a "
        f"person is asked, and after {duration_text(plan.safety.ask_timeout)} {then} (`hold_back: 5%` keeps a sliver to compare with)"
    )


def _row(step: ScheduledStep, starts: datetime | None) -> list[str]:
    clock = (
        []
        if starts is None
        else [clock_text(starts + timedelta(milliseconds=step.starts_ms), starts)]
    )
    return [
        weight_text(step.weight),
        f"+{about(step.starts_ms)}",
        *clock,
        duration_text(step.bake_ms) if step.bake_ms else "none",
        about(step.takes_ms),
        "?" if step.requests is None else f"{step.requests:,}",
    ]


def gate_lines(plan: Plan, width: int) -> list[str]:
    """What judges every step, and what a breach leads to."""
    size = max(columns(gate.name) for gate in plan.gates)
    lines = ["gates, each on every comparison"]
    for gate in plan.gates:
        body = gate.spec.model_dump(mode="json", by_alias=True, exclude_none=True)
        said = ", ".join(
            f"{key} {_value(value)}"
            for key, value in body.items()
            if key not in ("on_breach", "name")
        )
        then = "roll back" if gate.on_breach == "rollback" else "hold"
        lines += wrap(
            f"{said or 'no settings'} -> {then}", width, first=f"  {pad(gate.name, size)}  "
        )
    return lines


def _value(value: object) -> str:
    if isinstance(value, dict):
        return "(" + ", ".join(f"{key} {_value(inner)}" for key, inner in value.items()) + ")"
    if isinstance(value, list):
        return "[" + ", ".join(_value(inner) for inner in value) + "]"
    return str(value).lower() if isinstance(value, bool) else str(value)


def default_lines(plan: Plan, width: int) -> list[str]:
    """Every value that the plan leaves to cutover."""
    defaults = plan.effective_defaults()
    if not defaults:
        return []
    size = min(48, max(columns(key) for key, _ in defaults))
    lines = ["values the plan does not say"]
    for key, value in defaults:
        lines += wrap(value, width, first=f"  {pad(key, size)}  ", rest="      ")
    return lines


def code_lines(plan: Plan, width: int) -> list[str]:
    """What to tell the infrastructure code that owns the routes, so that it does not undo the cutover."""
    rules = any(route.kind == "rule" for route in plan.routes)
    listeners = any(route.kind == "listener" for route in plan.routes)
    if plan.managed_by == "terraform":
        lines = wrap(
            "terraform: add this before the run, and keep it until `cutover finish`",
            width,
            rest="  ",
        )
        for kind, there, field in (
            ("aws_lb_listener_rule", rules, "action"),
            ("aws_lb_listener", listeners, "default_action"),
        ):
            if there:
                lines += [
                    f"  # in each {kind} of the plan",
                    "  lifecycle {",
                    f"    ignore_changes = [{field}]",
                    "  }",
                ]
        return lines
    if plan.managed_by == "cloudformation":
        fields = " and ".join(
            name
            for name, there in (
                ("ListenerRule Actions", rules),
                ("Listener DefaultActions", listeners),
            )
            if there
        )
        return [
            "cloudformation: it has no ignore_changes",
            *wrap(f"a stack update that touches {fields} puts its own weights back: update nothing there until "
                  "`cutover finish`, or deny it with a stack policy (Update:Modify)", width, first="  ", rest="  "),
        ]  # fmt: skip
    if plan.managed_by is None:
        return wrap("managed_by is not said: if Terraform or CloudFormation owns these routes, its next apply puts its own "
                    "weights back; say `managed_by: terraform`, `cloudformation` or `none`", width, rest="  ")  # fmt: skip
    return []


def plan_json(
    plan: Plan,
    *,
    routes: Sequence[RoutePreview] = (),
    rate: float | None = None,
    starts: datetime | None = None,
) -> dict[str, object]:
    """The preview as one JSON object: weights in percent, durations ms."""
    return {
        "schema": "cutover.plan.v1",
        "plan": plan.name,
        "plan_hash": plan.hash,
        "starts": None if starts is None else wall_text(starts),
        "rate_per_minute": plan.traffic if rate is None else rate,
        "detection_ms": detection_ms(plan),
        "steps": [
            {
                "weight_percent": weight_percent(step.weight),
                "starts_ms": step.starts_ms,
                "takes_ms": step.takes_ms,
                "bake_ms": step.bake_ms,
                "approve": step.approve,
                "requests": step.requests,
                **forecast_json(step.forecast),
            }
            for step in timeline(plan, rate)
        ],
        "routes": [
            {
                "route": route.route,
                "stickiness_strategy": route.stickiness_strategy,
                "stickiness_strategy_why": route.stickiness_strategy_why,
                "found": list(action_lines(route.found)),
                "after": [
                    {
                        "weight_percent": weight_percent(weight),
                        "actions": list(action_lines(config)),
                    }
                    for weight, config in route.after
                ],
            }
            for route in routes
        ],
        "defaults": dict(plan.effective_defaults()),
    }
