"""The plan: a frozen, strict model of plan.yaml with its units and whole-plan rules."""

from __future__ import annotations

from cutover.core.plan.fields import Aws, Leave, Observe, Risk, Route, Safety, Waive
from cutover.core.plan.findings import Loc, PlanFinding
from cutover.core.plan.gates import DEFAULT_GATES, PlannedGate
from cutover.core.plan.lint import lint, lint_sentences
from cutover.core.plan.model import Plan
from cutover.core.plan.notify import Notify
from cutover.core.plan.rules import broken_rules, rule_sentences
from cutover.core.plan.schema import plan_schema, tidied
from cutover.core.plan.steps import Step
from cutover.core.plan.windows import Window

__all__ = [
    "DEFAULT_GATES",
    "Aws",
    "Leave",
    "Loc",
    "Notify",
    "Observe",
    "Plan",
    "PlanFinding",
    "PlannedGate",
    "Risk",
    "Route",
    "Safety",
    "Step",
    "Waive",
    "Window",
    "broken_rules",
    "lint",
    "lint_sentences",
    "plan_schema",
    "rule_sentences",
    "tidied",
]
