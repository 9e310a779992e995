"""A YAML file as a model: every problem at once, each with its place, and what to write instead."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from cutover.core.errors import PlanError, Problem
from cutover.local.model_problems import as_problem, below, hollow
from cutover.local.text_file import MAX_PROBLEMS, read_text
from cutover.local.yaml_tree import Tree, read_tree

M = TypeVar("M", bound=BaseModel)


def read_yaml(path: Path, *, what: str = "plan") -> Tree:
    """The tree of a file; what is wrong as YAML is in the tree.

    Raises:
        PlanError: when the file cannot be read as text at all.
    """
    return read_tree(read_text(Path(path), what=what))


def validate(tree: Tree, model: type[M], *, stand_ins: Mapping[str, Any] | None = None) -> M:
    """The model of a tree.

    Args:
        tree: from `read_yaml`.
        model: strict; its validators may raise a `ValidationError` with a `rule` per violation.
        stand_ins: for models with rules over the whole file: sound data for the required top-level
            keys. With it the rules are also asked when another part of the file is wrong.

    Raises:
        PlanError: with every problem and its place, sorted.
    """
    problems = list(tree.problems)
    if not tree.complete or () in tree.broken:
        raise _refused(tree, problems)
    try:
        made = model.model_validate_json(json.dumps(tree.data))
    except ValidationError as error:
        found = [
            item
            for item in error.errors(include_url=False, include_input=False)
            if not hollow(tree, item)
        ]
        problems += [
            as_problem(tree, model, item) for item in found if not below(tree, item["loc"])
        ]
        if stand_ins is not None and any(item["type"] != "rule" for item in found):
            broken = {item["loc"][0] for item in found if item["loc"]}
            problems += _rules_of_the_rest(tree, model, stand_ins, broken)
    else:
        if not problems:
            return made
    raise _refused(tree, problems)


def _rules_of_the_rest(
    tree: Tree, model: type[M], stand_ins: Mapping[str, Any], broken: set[Any]
) -> list[Problem]:
    """What the rules over the whole file say about the sections that are sound."""
    if not isinstance(tree.data, dict):
        return []
    broken |= {path[0] for path in tree.broken if path} | {
        key for key in stand_ins if key not in tree.data
    }
    patched = {key: value for key, value in tree.data.items() if key not in broken}
    patched |= {key: value for key, value in stand_ins.items() if key in broken}
    try:
        model.model_validate_json(json.dumps(patched))
    except ValidationError as error:
        return [
            as_problem(tree, model, item)
            for item in error.errors(include_url=False, include_input=False)
            if item["type"] == "rule"
            and not broken & set(item["ctx"]["needs"])
            and not below(tree, item["loc"])
        ]
    return []


def _refused(tree: Tree, problems: Iterable[Problem]) -> PlanError:
    several = sorted(_without_secrets(problems))
    left = len(several) - MAX_PROBLEMS
    hint = f"{left} more problems are not shown" if left > 0 else ""
    return PlanError(tree.source.file, tuple(several[:MAX_PROBLEMS]), hint=hint)


def _without_secrets(problems: Iterable[Problem]) -> set[Problem]:
    """No line is quoted on which a secret was found."""
    found = set(problems)
    lines = {problem.line for problem in found if "secret" in problem.message}
    return {
        dataclasses.replace(one, excerpt="", caret=0) if one.line in lines else one
        for one in found
    }


def load_model(path: Path, model: type[M], *, what: str = "plan") -> M:
    """The model of a YAML file.

    Raises:
        PlanError: when the file cannot be read, is no YAML, or no such model; every problem at once.
    """
    return validate(read_yaml(path, what=what), model)


def strictly(file: str, warnings: tuple[Problem, ...]) -> None:
    """Make errors of warnings (`--strict`).

    Raises:
        PlanError: when there are any.
    """
    if warnings:
        raise PlanError(
            file, tuple(dataclasses.replace(warning, severity="error") for warning in warnings)
        )
