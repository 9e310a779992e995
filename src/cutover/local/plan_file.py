"""plan.yaml as a plan: every error and every warning with its place."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from cutover.core.errors import PlanError, Problem
from cutover.core.plan import Plan, lint
from cutover.core.values import parse_rate
from cutover.local.text_file import decoded
from cutover.local.yaml_file import read_yaml, strictly, validate
from cutover.local.yaml_tree import Tree, read_tree

_ELB: Final = "arn:aws:elasticloadbalancing:xx-stand-1:000000000000:"
_STAND_INS: Final[dict[str, Any]] = {
    "version": 1,
    "name": "stand-in",
    "aws": {"region": "xx-stand-1", "account": "000000000000"},
    "routes": [
        {
            "listener": f"{_ELB}listener/app/stand-in/0000/0000",
            "source": f"{_ELB}targetgroup/stand-in-source/0000",
            "destination": f"{_ELB}targetgroup/stand-in-destination/0000",
        }
    ],
    "steps": [{"weight": 1, "bake": "1h"}],
}
"""Sound required sections, so that the rules can be asked about the sound part of a broken plan."""


@dataclass(frozen=True)
class LoadedPlan:
    """A plan, the text it came from, and what lint says about it (sorted by place)."""

    plan: Plan
    text: str
    warnings: tuple[Problem, ...]


def load_plan(path: Path, *, strict: bool = False) -> LoadedPlan:
    """The plan of a file; with `strict` warnings are errors.

    Raises:
        PlanError: when the file cannot be read or is wrong: every problem at once, sorted by place.
    """
    return _loaded(read_yaml(path), strict=strict)


def load_plan_to_schedule(path: Path) -> LoadedPlan:
    """The plan of a file, though its bakes may be too short for what its traffic brings; no warnings.

    Steps and traffic are both sound on their own, only not together: so the plan is checked without its traffic.

    Raises:
        PlanError: when anything else is wrong.
    """
    tree = read_yaml(path)
    try:
        return _loaded(tree, strict=False)
    except PlanError as refused:
        rate = tree.data.get("traffic") if isinstance(tree.data, dict) else None
        try:
            traffic = parse_rate(rate) if isinstance(rate, str) else None
        except ValueError:
            traffic = None
        if traffic is None:
            raise refused from None
    rest = {key: value for key, value in tree.data.items() if key != "traffic"}
    plan = validate(replace(tree, data=rest), Plan, stand_ins=_STAND_INS)
    return LoadedPlan(plan.model_copy(update={"traffic": traffic}), tree.source.text, ())


def plan_of_text(text: str, *, file: str = "plan.yaml", strict: bool = False) -> LoadedPlan:
    """The plan of a text that was never a file, or is kept in a run directory.

    Raises:
        PlanError: as `load_plan`.
    """
    return _loaded(read_tree(decoded(file, text.encode("utf-8", "surrogatepass"))), strict=strict)


def _loaded(tree: Tree, *, strict: bool) -> LoadedPlan:
    plan = validate(tree, Plan, stand_ins=_STAND_INS)
    warnings = sorted(
        {
            *tree.source.warnings,
            *(
                tree.source.problem(tree.place(found.loc), found.message, found.fix, "warning")
                for found in lint(plan)
            ),
        }
    )
    if strict:
        strictly(tree.source.file, tuple(warnings))
    return LoadedPlan(plan, tree.source.text, tuple(warnings))
