"""Writes docs/reasons.md from the table of sentences and the gates' own code: `python -m tests.generate_reasons`."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from cutover.core import gates
from cutover.core.gates.api import Rule
from cutover.core.gates.threshold.limits import Because
from cutover.core.messages import SENTENCES
from cutover.core.reasons import Code

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "reasons.md"
GATES = Path(gates.__file__).parent
ENGINE = GATES.parent / "engine"


def codes_in(path: Path) -> Iterator[str]:
    """The texts that a module gives as `code=` or as the first word of an `_Unknown`."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.Call):
            continue
        given = [one.value for one in node.keywords if one.arg == "code"]
        if isinstance(node.func, ast.Name) and node.func.id == "_Unknown":
            given.append(node.args[0])
        for value in given:
            if isinstance(value, ast.Constant) and isinstance(value.value, str):
                yield value.value


def gate_codes() -> dict[str, list[str]]:
    """By gate or judge: its codes."""
    found = {
        path.stem: sorted(set(codes_in(path)))
        for path in sorted(GATES.glob("*.py"))
        if path.stem not in ("api", "judge")
    }
    found["judge: sequential"] = [rule.value for rule in Rule]
    found["judge: threshold"] = sorted(
        {one.value for one in Because}
        | set(codes_in(GATES / "threshold" / "policy.py"))
        | {"nothing"}
    )
    found["any gate, by a rule of the engine"] = sorted(
        set(codes_in(ENGINE / "evaluate.py")) | {"not_looked"}
    )
    found["minutes"] = sorted(set(codes_in(ENGINE / "freshness.py")))
    return {name: codes for name, codes in found.items() if codes}


def page() -> str:
    """The whole page."""
    rows = "\n".join(
        f"| `{code.value}` | {SENTENCES[code].replace('|', chr(92) + '|')} |" for code in Code
    )
    own = "\n".join(
        f"| {name} | {' '.join(f'`{code}`' for code in codes)} |"
        for name, codes in gate_codes().items()
    )
    return f"""# Reasons

Why a run stands where it stands is a code and its facts, in every record of the journal and in every JSON output (`reason`, `because`).
Programs read these; the sentence beside them (`why`) is for people and may change. A code never gets another meaning.
This page is made from the table in the code: `python -m tests.generate_reasons`.

`{{fact}}` is a fact of the reason. After a colon stands how a person reads it: `weight` is per mille in the journal, and percent (`weight_percent`) in
JSON outputs, `span` is in ms, `names` are ARNs, `reason` is a reason in it.

| Code | Sentence |
|---|---|
{rows}

## Verdicts

A verdict of a gate has a code of its own: `reason` of a `gate` record, and a fact of `gate_on` and `gate`. Its other facts are integers.

| Gate | Codes |
|---|---|
{own}
"""


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
