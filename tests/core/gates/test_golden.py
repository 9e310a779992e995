"""The vectors of gating.md section 8: verdict exact, evidence within 1 %."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from cutover.core.gates import GATES, Verdict
from cutover.core.gates.api import GateContext, Judgement, Signal
from cutover.core.messages import with_sentence
from cutover.core.moment import Moment, wall_from_ms
from cutover.core.observation import Absent, Count, Minute
from cutover.core.values import MINUTE
from tests.core.gates.world import COMPARISON, START_MS

VECTORS = json.loads((Path(__file__).parents[2] / "data" / "golden.json").read_text("utf-8"))
GATE_SPECS = (
    ("errors", {"max": "1%", "versus_source": {"ratio": 2.0, "floor": "0.2%"}}),
    ("latency", {"percentile": 95, "versus_source": {"ratio": 1.25}}),
    ("latency", {"percentile": 99, "max": "500ms"}),
)
SIGNALS = {
    "errors": "5xx",
    "latency.versus_source": "latency_p95_vs_ec2",
    "latency.p99.max": "latency_slo",
}
SOURCE_P95 = 1_000
BAKE = 10 * MINUTE
MEANS = {
    "CONTINUE": {Verdict.PASS},
    "ROLLBACK": {Verdict.BREACH},
    "HOLD": {Verdict.WAITING, Verdict.UNKNOWN, Verdict.SHARED},
}


def minute(row: Mapping[str, Any]) -> Minute:
    counts: dict[str, Count] = {}
    for side, end, slower in (("source", "b", SOURCE_P95), ("destination", "c", 1_250)):
        requests = row[f"n_{end}"]
        if requests is None:
            continue
        failed, unanswered = row[f"e_{end}"] or 0, row[f"nr_{end}"] or 0
        counts[f"{side}.requests"] = requests
        counts[f"{side}.target_5xx"] = failed
        counts[f"{side}.target_2xx"] = requests - failed - unanswered
        for key, ms in ((f"slow_{end}", slower), (f"vslow_{end}", 500)):
            if row[key] is not None:
                counts[f"{side}.slower.{ms}"] = round(1000 * row[key])
    counts["balancer.elb_503"] = row["elb503"]
    both = sum(row[f"n_{end}"] or 0 for end in "bc")
    counts["balancer.requests"] = both or Absent.NO_DATAPOINT
    asked = [f"{s}.{n}" for s in ("source", "destination") for n in NAMES]
    absent: dict[str, Count] = dict.fromkeys(asked, Absent.NO_DATAPOINT)
    return Minute(COMPARISON.id, START_MS + row["t"] * MINUTE, {**absent, **counts})


NAMES = ("requests", "target_2xx", "target_3xx", "target_4xx", "target_5xx", "connection_errors")


def whole(rows: list[Mapping[str, Any]]) -> bool:
    size = [(r["n_b"] or 0) + (r["n_c"] or 0) + (r["elb503"] or 0) for r in rows]
    before = sorted(size[-6:-1])
    return not before or size[-1] >= 0.8 * before[len(before) // 2]


def judge(vector: Mapping[str, Any]) -> list[Judgement]:
    rows = vector["history"] if whole(vector["history"]) else vector["history"][:-1]
    newest = START_MS + vector["now"] * MINUTE
    judgements = []
    for kind, options in GATE_SPECS:
        gate = GATES[kind]
        spec = gate.Spec.model_validate(options)
        memory = gate.start(spec)
        for row in rows:
            memory = gate.fold(
                spec, memory, minute(row), context(row["step"], row["weight"], newest)
            )
        last = rows[-1]
        looked = context(vector["step"], last["weight"], newest)
        judgements.append(with_sentence(gate.verdict(spec, memory, COMPARISON, looked)))
    return judgements


def context(step: int, weight: float, now_ms: int) -> GateContext:
    return GateContext(
        weight=round(1000 * weight),
        next_weight=None,
        step_began_ms=START_MS if step >= 0 else 0,
        now=Moment(wall_from_ms(now_ms), 0, ""),
        period_ms=MINUTE,
        calibration={"p95": SOURCE_P95},
        steps=5,
        horizon=120,
        bake_ms=BAKE,
    )


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["name"])
def test_golden_vectors_are_judged_as_specified(vector: Mapping[str, Any]) -> None:
    judgements = judge(vector)
    verdict = max(one.verdict for one in judgements)
    blind = (
        vector["name"] == "no_data"
    )  # the machine's own gate `minutes` sees that both sides are silent
    assert verdict in MEANS[vector["verdict"]] or blind, [one.why for one in judgements]
    signals: dict[str, Signal] = {
        SIGNALS[signal.name]: signal for one in judgements for signal in one.signals
    }
    for name, evidence in vector["evidence"].items():
        assert signals[name].evidence == pytest.approx(evidence, rel=0.01), name
