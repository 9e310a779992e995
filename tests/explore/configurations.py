"""What is searched: small plans that differ in what the engine treats differently."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cutover.core.routing import RouteConfig
from cutover.core.values import MINUTE, SECOND
from tests.explore.oracle import with_oracle
from tests.explore.world import Configuration
from tests.fakes import TWO_ROUTES, config, plan_of
from tests.promises.facts import Setting

OBSERVE = {"period": "60s", "settle": "60s", "poll": "60s", "confirm": "60s"}
SAFETY = {"hold_timeout": "1m", "ask_timeout": "1m", "blind_budget": "3m"}
"""The shortest that a plan may say: fewer looks until something is due, and so fewer states."""

STEPS = ({"weight": 25, "bake": "2m"}, {"weight": 100, "bake": "2m"})


def _configured(
    name: str,
    *,
    faults: int,
    found: RouteConfig | None = None,
    grain_ms: int = MINUTE,
    unasked: int = 1,
    **changes: Any,
) -> Configuration:
    said: dict[str, Any] = {
        "steps": list(STEPS),
        "gates": [{"healthy": {"min": 1}}],
        "observe": OBSERVE,
        **changes,
    }
    said["safety"] = {**SAFETY, **changes.get("safety", {})}
    plan = with_oracle(plan_of(**said))
    found = found or config(0, attached=False)
    setting = Setting(
        routes=tuple(str(route.id) for route in plan.routes),
        weights=tuple(int(step.weight) for step in plan.steps),
        bakes=tuple(step.bake for step in plan.steps),
        found={str(route.id): (found.text, int(found.weight or 0)) for route in plan.routes},
        period_ms=plan.observe.period,
        settle_ms=plan.observe.settle,
        poll_ms=plan.observe.poll,
        confirm_ms=plan.observe.confirm,
        source_reserve_ppm=plan.safety.source_reserve,
        asks=tuple(number for number, step in enumerate(plan.steps) if step.approve),
    )
    return Configuration(name, plan, found, grain_ms, faults, setting, unasked)


def configurations() -> Mapping[str, Configuration]:
    """By name; the first is the small one."""
    approve = [{**STEPS[0], "approve": "ready?"}, {**STEPS[1], "approve": "looked at?"}]
    three = [
        {"weight": 5, "bake": "2m"},
        {"weight": 50, "bake": "2m"},
        {"weight": 100, "bake": "2m"},
    ]
    eager = {"on_drift": "rollback", "on_interrupt": "rollback", "on_hold_timeout": "hold"}
    made = (
        _configured("small", faults=2, safety={"on_shared_after_raise": "hold"}),
        _configured("commands", faults=1, unasked=0),
        _configured("two-routes", faults=2, routes=list(TWO_ROUTES)),
        _configured("three-steps", faults=2, steps=three),
        _configured("control-share", faults=2, hold_back="10%"),
        _configured("sticky", faults=2, found=config(0, attached=False, sticky=True)),
        _configured("above-zero", faults=2, found=config(100)),
        _configured("approval", faults=2, steps=approve),
        _configured("other-answers", faults=2, safety=eager),
        _configured("fine-grain", faults=1, grain_ms=2 * SECOND),
        _configured("two-routes-fine", faults=1, grain_ms=2 * SECOND, routes=list(TWO_ROUTES)),
    )
    return {one.name: one for one in made}
