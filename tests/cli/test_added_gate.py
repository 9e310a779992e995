"""A gate is one file and one line of the registry: a copy of the package gets one, and every command knows it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import cutover
from tests.cli.emulated import Aws, emulated_aws

pytestmark = pytest.mark.slow

PLANS = Path(__file__).parents[2] / "plans"

GATE = '''"""Gate `rate_ceiling`: the destination gets at most so many requests a minute."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from cutover.core.gates import columns
from cutover.core.gates.api import GateContext, Judgement, Verdict, WithoutCounts
from cutover.core.gates.spec import GateSpec
from cutover.core.observation import Comparison, Minute, Series


class RateCeilingSpec(GateSpec):
    """At most so many requests of the destination a minute."""

    most: Annotated[int, Field(ge=1, description="Requests a minute.")]


@dataclass(frozen=True)
class Memory:
    newest: int | None = None


class RateCeilingGate(WithoutCounts):
    Spec = RateCeilingSpec

    def needs(
        self, spec: RateCeilingSpec, comparison: Comparison, calibration: Mapping[str, int]
    ) -> tuple[Series, ...]:
        return (columns.DESTINATION_REQUESTS,)

    def start(self, spec: RateCeilingSpec) -> Memory:
        return Memory()

    def restart(self, memory: Memory) -> Memory:
        return Memory()

    def fold(
        self, spec: RateCeilingSpec, memory: Memory, minute: Minute, context: GateContext
    ) -> Memory:
        return Memory(minute.number(columns.DESTINATION_REQUESTS.key))

    def verdict(
        self, spec: RateCeilingSpec, memory: Memory, comparison: Comparison, context: GateContext
    ) -> Judgement:
        if memory.newest is None:
            return Judgement(Verdict.WAITING, "no settled minute of the destination yet", code="none_yet")
        facts = {"requests": memory.newest, "most": spec.most}
        why = f"{memory.newest:,} requests a minute, at most {spec.most:,}"
        if memory.newest > spec.most:
            return Judgement(Verdict.BREACH, why, facts, code="above_ceiling")
        return Judgement(Verdict.PASS, why, facts, code="below_ceiling")


RATE_CEILING = RateCeilingGate()
'''


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory to import `cutover` from: with one more file in `gates`, and its line in the registry."""
    place = tmp_path_factory.mktemp("with-a-gate")
    shutil.copytree(
        Path(cutover.__file__).parent,
        place / "cutover",
        ignore=shutil.ignore_patterns("__pycache__"),
    )
    shutil.copytree(PLANS / "scenarios", place / "cutover" / "emulator" / "scenarios")
    gates = place / "cutover" / "core" / "gates"
    (gates / "rate_ceiling.py").write_text(GATE)
    registry = gates / "__init__.py"
    line, table = '    "alarm": ALARM,\n', "GATES: dict[str, Gate[Any]] = {\n"
    text = registry.read_text()
    assert line in text
    imported = "from cutover.core.gates.rate_ceiling import RATE_CEILING\n"
    text = text.replace(line, f'{line}    "rate_ceiling": RATE_CEILING,\n')
    registry.write_text(text.replace(f"\n{table}", f"\n{imported}\n{table}"))
    return place


@pytest.fixture(scope="module")
def server() -> Iterator[Aws]:
    with emulated_aws() as aws:
        yield aws


def called(package: Path, tmp_path: Path, *arguments: object, **environment: str) -> Any:
    done = subprocess.run(
        [sys.executable, "-m", "cutover", *map(str, arguments)],
        cwd=package,
        env={
            **os.environ,
            "PYTHONPATH": str(package),
            "CUTOVER_STATE_DIR": str(tmp_path / "state"),
            **environment,
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done


def plan_with_it(tmp_path: Path, most: int, text: str = "") -> Path:
    file = tmp_path / "plan.yaml"
    text = text or (PLANS / "minimal.yaml").read_text()
    gates = f"gates:\n  - errors: {{max: 1%}}\n  - rate_ceiling: {{most: {most}}}\n"
    file.write_text(text + gates)
    return file


def test_validate_and_the_schema_know_it(package: Path, tmp_path: Path) -> None:
    done = called(package, tmp_path, "validate", plan_with_it(tmp_path, 1_000_000))
    assert done.returncode == 0, done.stderr
    wrong = called(package, tmp_path, "validate", plan_with_it(tmp_path, 0))
    assert wrong.returncode == 2
    assert "most" in wrong.stderr
    assert "rate_ceiling" in called(package, tmp_path, "schema").stdout


def test_plan_asks_cloudwatch_for_it_and_lists_it(
    package: Path, tmp_path: Path, server: Aws
) -> None:
    waived = "[{check: metrics, why: no traffic here}, {check: calibration, why: no traffic here}]"
    text = server.plan_text(waive=waived)
    assert "gates:" not in text
    done = called(
        package,
        tmp_path,
        "plan",
        plan_with_it(tmp_path, 1_000_000, text),
        AWS_ENDPOINT_URL=server.url,
        AWS_ACCESS_KEY_ID="test",
        AWS_SECRET_ACCESS_KEY="test",
    )
    assert done.returncode == 0, done.stderr
    assert "rate_ceiling" in done.stdout


@pytest.mark.parametrize(("most", "ends"), [(1_000_000, "completed"), (2_000, "rolled_back")])
def test_a_rehearsal_is_judged_by_it(package: Path, tmp_path: Path, most: int, ends: str) -> None:
    done = called(package, tmp_path, "rehearse", plan_with_it(tmp_path, most), "--json")
    last = json.loads(done.stdout.splitlines()[-1])
    assert last["outcome"] == ends
    (journal,) = tmp_path.glob("state/rehearsals/*/journal.jsonl")
    said = [json.loads(line) for line in journal.read_text().splitlines()]
    codes = {
        one["reason"] for one in said if one["type"] == "gate" and one["gate"] == "rate_ceiling"
    }
    assert ("above_ceiling" in codes) == (ends == "rolled_back")


def test_a_backtest_names_it_as_not_judged(package: Path, tmp_path: Path) -> None:
    table = PLANS / "samples" / "two-days.csv"
    done = called(
        package, tmp_path, "backtest", plan_with_it(tmp_path, 1_000_000), "--csv", table, "--json"
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["not_judged"] == {
        "rate_ceiling": "a table has no column for it"
    }
