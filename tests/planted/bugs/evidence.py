"""What counts as evidence, from when on, and what silence means."""

from __future__ import annotations

from tests.planted.bug import Edit, Planted

_LATE = "tests/core/engine/test_late_evidence.py"
_FORWARD = "tests/core/engine/test_forward.py"
_BLIND = "tests/core/engine/test_blindness.py"
_GATES = "tests/core/gates"

EVIDENCE = (
    Planted(
        id="window-one-minute-early",
        breaks="evidence counts from the minute before the first whole one at the new weight",
        edits=(
            Edit(
                "cutover.core.engine.turn:Turn.next_minute_ms",
                "            floor_to(self.aws_ms + after_ms, self.plan.observe.period) + self.plan.observe.period\n",
                "            floor_to(self.aws_ms + after_ms, self.plan.observe.period)\n",
            ),
        ),
        near=(_LATE, _FORWARD),
    ),
    Planted(
        id="bake-one-minute-short",
        breaks="a bake ends one settled minute before it is over",
        edits=(
            Edit(
                "cutover.core.engine.forward:baked",
                "turn.state.journalled_ms.get(p.id, 0) + period - began",
                "turn.state.journalled_ms.get(p.id, 0) + 2 * period - began",
            ),
        ),
        near=(_FORWARD,),
    ),
    Planted(
        id="evidence-kept-over-a-hold",
        breaks="after a pause or a crash the bake goes on where it was",
        edits=(
            Edit(
                "cutover.core.engine.holding:resume",
                "return onward(turn, resumed, afresh=True)",
                "return onward(turn, resumed, afresh=False)",
            ),
        ),
        near=("tests/core/engine/test_commands.py", _FORWARD),
    ),
    Planted(
        id="resume-straight-to-baking",
        breaks="a resumed step bakes without waiting until its split is in effect",
        edits=(
            Edit(
                "cutover.core.engine.holding:onward",
                "    turn.to(Phase.SETTLING, why, from_ms=turn.next_minute_ms())\n",
                "    turn.to(Phase.BAKING, why, from_ms=turn.next_minute_ms())\n",
            ),
        ),
        near=("tests/core/engine/test_commands.py", _FORWARD),
    ),
    Planted(
        id="evidence-kept-over-a-gap",
        breaks="a gap in the watch discards no evidence",
        edits=(
            Edit(
                "cutover.core.state.fold:_gap",
                "max(event.from_ms, state.evidence_from_ms)",
                "state.evidence_from_ms",
            ),
            Edit(
                "cutover.core.state.fold:_gap",
                "state, evidence=evid.restart(plan, state.evidence), alarming={}, raising=False",
                "state, alarming={}",
            ),
        ),
        near=(_FORWARD, _LATE),
    ),
    Planted(
        id="evidence-kept-over-a-raise",
        breaks="what the step before proved counts for the next one too",
        edits=(
            Edit(
                "cutover.core.state.transitions:_afresh",
                "changed, evidence_from_ms=event.from_ms, evidence=evid.restart(plan, changed.evidence)",
                "changed, evidence_from_ms=min(event.from_ms, changed.turned.wall_ms - 3_600_000 if changed.turned else 0)",
            ),
        ),
        near=(_FORWARD,),
    ),
    Planted(
        id="slow-look-is-no-gap",
        breaks="a stop of a minute inside a look leaves no gap, and the bake counts minutes that nobody watched",
        edits=(
            Edit(
                "cutover.core.engine.ingest:_gap",
                "    elif took > longest:",
                "    elif took > 1000 * longest:",
            ),
        ),
        origin="issue 7, 1.13",
        near=(_LATE, _BLIND),
    ),
    Planted(
        id="late-turn-is-no-gap",
        breaks="a process that was stopped between two looks goes on as if it had watched",
        edits=(
            Edit(
                "cutover.core.engine.ingest:_gap",
                "    elif late > slack:",
                "    elif late > 1000 * slack:",
            ),
        ),
        near=(_FORWARD, _LATE),
    ),
    Planted(
        id="blind-budget-restarts",
        breaks="each gap restarts the blind budget, so that a blind run waits for ever",
        edits=(
            Edit(
                "cutover.core.engine.evaluate:unknown_for",
                "window = max(turn.aws_ms - turn.state.evidence_from_ms, turn.in_phase())",
                "window = turn.aws_ms - turn.state.evidence_from_ms",
            ),
        ),
        origin="issue 7, 1.13",
        near=(_LATE, _BLIND),
    ),
    Planted(
        id="unknown-passes",
        breaks="a gate that knows nothing lets the step go on",
        edits=(
            Edit(
                "cutover.core.engine.stop_conditions:lacking",
                "return None if decides.verdict is Verdict.PASS else decides",
                "return None if decides.verdict in (Verdict.PASS, Verdict.UNKNOWN) else decides",
            ),
        ),
        near=(_BLIND, _FORWARD),
    ),
    Planted(
        id="waiting-passes",
        breaks="a gate that has too little evidence lets the step go on when its bake is over",
        edits=(
            Edit(
                "cutover.core.engine.stop_conditions:lacking",
                "return None if decides.verdict is Verdict.PASS else decides",
                "return None if decides.verdict <= Verdict.WAITING else decides",
            ),
        ),
        near=(_FORWARD, _BLIND),
    ),
    Planted(
        id="empty-data-passes",
        breaks="a step without one request of the destination proves it healthy",
        edits=(
            Edit(
                "cutover.core.gates.sequential.policy:_earned",
                "return _say(Verdict.WAITING, replace(reason, rule=Rule.NOTHING))",
                "return _say(Verdict.PASS, replace(reason, rule=Rule.NOTHING))",
            ),
            Edit(
                "cutover.core.engine.freshness:fresh",
                "elif turn.state.step >= 0 and (silence := _silent(turn, comparison, newest)):",
                "elif turn.state.step >= 10**6 and (silence := _silent(turn, comparison, newest)):",
            ),
        ),
        near=(_BLIND, _GATES),
    ),
    Planted(
        id="unread-minute-is-empty",
        breaks="a minute whose requests nobody could read counts as one without requests",
        edits=(
            Edit(
                "cutover.core.gates.columns:side_requests",
                "    if count is Absent.UNKNOWN:\n        return None\n",
                "    if count is Absent.UNKNOWN:\n        return 0\n",
            ),
        ),
        near=(_GATES,),
    ),
    Planted(
        id="stale-minutes-pass",
        breaks="minutes that have stopped arriving let a step go on",
        edits=(
            Edit(
                "cutover.core.engine.freshness:fresh",
                "if age > STALE_PERIODS * observe.period:",
                "if age > 1000 * STALE_PERIODS * observe.period:",
            ),
            Edit("cutover.core.gates.counting:stale", "STALE", "10**6 * STALE"),
        ),
        near=(_BLIND, _FORWARD),
    ),
    Planted(
        id="source-judged-before-published",
        breaks="a minute counts against the destination before the source's side of it is published",
        edits=(
            Edit(
                "cutover.core.engine.evaluate:_early",
                "            and columns.published(m, needed, context.weight)\n",
                "",
            ),
        ),
        origin="issue 7, 1.10",
        near=(_LATE,),
    ),
    Planted(
        id="raise-suspected-by-sight",
        breaks="whether something began right after a raise is told by when it is first seen",
        edits=(
            Edit(
                "cutover.core.engine.evaluate:_right_after_raise",
                "began_ms = judgement.began_ms or turn.aws_ms",
                "began_ms = turn.aws_ms",
            ),
        ),
        origin="issue 7, 1.11",
        near=(_LATE, "tests/core/engine/test_shared_incident.py"),
    ),
    Planted(
        id="one-series-holds-up-the-minute",
        breaks="a metric that nobody answers holds up every minute, and the run is blind",
        edits=(
            Edit(
                "cutover.core.engine.ingest:_answered",
                "minute.is_unknown(key) and not before.is_unknown(key) for key in minute.counts",
                "minute.is_unknown(key) for key in minute.counts",
            ),
            Edit(
                "cutover.core.engine.ingest:_answered",
                "turn, minute.at_ms, PATIENCE",
                "turn, minute.at_ms, GIVE_UP_AFTER",
            ),
        ),
        origin="examination",
        near=("tests/core/engine/test_late_evidence.py",),
        lacks="each look answers all series or none: explorer and walks have no series of their own for a gate",
    ),
    Planted(
        id="late-correction-dropped",
        breaks="a minute that CloudWatch corrects later stays as it was read first",
        edits=(Edit("cutover.core.engine.turn:REREAD", "REREAD = 5", "REREAD = 0"),),
        origin="issue 7, 1.15",
        near=(_LATE, "tests/core/engine/test_corners.py"),
    ),
    Planted(
        id="window-shared-by-comparisons",
        breaks="the minutes kept of a comparison are so few that late corrections of them are lost",
        edits=(Edit("cutover.core.state.evidence:KEEP", "KEEP = 30", "KEEP = 1"),),
        origin="issue 7, 1.15",
        near=(_LATE, "tests/core/test_state.py"),
    ),
    Planted(
        id="others-503-are-ours",
        breaks="at 100 % the 503s of other services on the load balancer are the destination's",
        edits=(
            Edit(
                "cutover.core.gates.neighbours:Neighbours.missing_others",
                "return None if split is None else max(0.0, (1 - OTHERS_NOISE) * self.others - split[1])",
                "return 0.0",
            ),
        ),
        origin="issue 7, 2.2",
        near=("tests/core/gates/test_shared_balancer.py",),
        lacks="requests of other services on the same load balancer",
    ),
)
