"""Writing a step: all routes or back, never blind, never over somebody else's change."""

from __future__ import annotations

from tests.planted.bug import Edit, Planted

_DOUBT = "tests/core/engine/test_doubt.py"
_FORWARD = "tests/core/engine/test_forward.py"
_SAFETY = "tests/core/engine/test_safety.py"
_PERMIT = "cutover.runner:_Forward._refusal"

FORWARD = (
    Planted(
        id="one-read-commits",
        breaks="a step counts as committed after one read",
        edits=(Edit("cutover.core.engine.routes:_commit", "if age < COMMIT:", "if age < 0:"),),
        near=(_FORWARD,),
    ),
    Planted(
        id="unanswered-raise-sent-again",
        breaks="a raise whose answer was lost is sent again by itself",
        edits=(
            Edit(
                "cutover.core.engine.routes:_wait",
                "    if not sent.refused:\n        return COMMIT  # only reads settle it; what does not show until the deadline holds\n",
                "",
            ),
        ),
        origin="issue 7, 1.2",
        near=(_DOUBT, _FORWARD),
    ),
    Planted(
        id="forward-reads-believed",
        breaks="the ways forward believe a read that may be older than a write of the run",
        edits=(
            Edit(
                "cutover.core.engine.turn:Turn.unsettled",
                "        if doubt is None:\n",
                "        if doubt is None or self.now:\n",
            ),
        ),
        origin="issue 7, 1.2",
        near=(_DOUBT, _FORWARD),
    ),
    Planted(
        id="clearing-hold-forgets-doubt",
        breaks="a hold that clears by itself goes on although a raise was never answered, and sends it again",
        edits=(
            Edit(
                "cutover.core.engine.holding:holding",
                "if any(known.in_doubt is not None for known in turn.state.routes.values()):",
                "if not turn.state.routes:",
            ),
        ),
        origin="explorer",
        near=("tests/explore/test_found.py", _DOUBT),
    ),
    Planted(
        id="breach-waited-out-while-attaching",
        breaks="a breach shown while an unanswered first raise may be live only keeps the next raise back",
        edits=(
            Edit(
                "cutover.core.engine.start:attaching",
                "    if turn.exposed():\n",
                "    if not turn.state.routes:\n",
            ),
        ),
        origin="explorer",
        near=("tests/explore/test_found.py", _DOUBT),
    ),
    Planted(
        id="step-skipped",
        breaks="a step that passes raises to the second next one",
        edits=(
            Edit(
                "cutover.core.engine.forward:_earned",
                "return begin_raise(turn, turn.state.step + 1, judged)",
                "return begin_raise(turn, min(turn.state.step + 2, len(turn.plan.steps) - 1), judged)",
            ),
        ),
        near=(_FORWARD,),
    ),
    Planted(
        id="raise-one-step-too-far",
        breaks="what is written is the weight of the step after the one that was earned",
        edits=(
            Edit(
                "cutover.core.engine.forward:shifting",
                "weight = turn.plan.steps[turn.state.target].weight",
                "weight = turn.plan.steps[min(turn.state.target + 1, len(turn.plan.steps) - 1)].weight",
            ),
        ),
        near=(_FORWARD,),
    ),
    Planted(
        id="partial-step-held",
        breaks="a step that reached only some routes is held instead of taken back",
        edits=(
            Edit(
                "cutover.core.engine.forward:after_drive",
                '        return begin_rollback(turn, why, "partial")\n',
                '        turn.hold(Hold.NOT_WRITTEN, why)\n        return turn.poll("holding")\n',
            ),
            Edit(
                "cutover.core.engine.holding:holding",
                "if held.reason in _STRANDED and mixed(turn)",
                "if held.reason not in _STRANDED and mixed(turn)",
            ),
        ),
        near=(_FORWARD, _SAFETY),
    ),
    Planted(
        id="drift-overwritten",
        breaks="somebody else's change of a route is written over by the next raise",
        edits=(
            Edit(
                "cutover.core.engine.routes:standing",
                "    return RouteStatus.FOREIGN",
                "    return RouteStatus.BEFORE",
            ),
        ),
        near=(_FORWARD, _SAFETY),
    ),
    Planted(
        id="drift-not-seen",
        breaks="somebody else's change of a route in mid-bake goes unnoticed",
        edits=(
            Edit(
                "cutover.core.engine.routes:drifted",
                "if live.hash not in expected and turn.now.after(known.seen.since) >= DRIFT_AFTER:",
                "if not expected and turn.now.after(known.seen.since) >= DRIFT_AFTER:",
            ),
        ),
        near=(_FORWARD, _SAFETY),
    ),
    Planted(
        id="gone-route-is-no-drift",
        breaks="a rule that is deleted in mid-bake is one unreadable route",
        edits=(
            Edit(
                "cutover.core.engine.routes:drifted",
                "        if live is None and known.gone_since is not None and known.committed is not None:\n            found.append(route)\n",
                "",
            ),
        ),
        origin="issue 7, 1.9",
        near=("tests/core/engine/test_gone.py",),
    ),
    Planted(
        id="raise-in-a-doubtful-lease",
        breaks="a raise is decided although nobody can tell whether the lease is ours",
        edits=(
            Edit(
                "cutover.core.engine.stop_conditions:unsure",
                "    if isinstance(turn.seen.lease, Unknown):\n        return Hold.LEASE",
                "    if isinstance(turn.seen.lease, Unknown) and not turn.now:\n        return Hold.LEASE",
            ),
        ),
        near=(_SAFETY,),
        lacks="an observation of a lease that nobody can tell whose it is: the promises know of a proved other owner only",
    ),
    Planted(
        id="owned-run-goes-on",
        breaks="a process goes on with a run that another process has taken",
        edits=(
            Edit(
                "cutover.core.engine:decide",
                "if isinstance(lease, Unknown) and lease.code == OWNED:",
                "if isinstance(lease, Unknown) and lease.code == OWNED and not now:",
            ),
        ),
        origin="issue 7, 1.6",
        near=(_DOUBT, "tests/e2e/test_lost_lease.py"),
    ),
    Planted(
        id="owner-not-asked-before-a-raise",
        breaks="a raise leaves although another process took the run after the look",
        edits=(
            Edit(
                _PERMIT,
                '        if owner := self.ports.lease.other_owner():\n            return f"{owner} has the lease"\n',
                "",
            ),
        ),
        origin="issue 7, 1.6",
        near=(_DOUBT, "tests/runner", "tests/e2e/test_lost_lease.py"),
    ),
    Planted(
        id="ending-lease-not-asked",
        breaks="a raise leaves although the lease may end before it is answered",
        edits=(
            Edit(
                _PERMIT,
                "if ends is not None and ends.after(now) < REQUEST:",
                "if ends is not None and ends.after(now) < -(10**9):",
            ),
        ),
        near=("tests/runner", _SAFETY),
        lacks="a lease that ends by itself: no lease of this version does, only the port allows it",
    ),
    Planted(
        id="stopping-command-not-asked",
        breaks="a raise leaves although pause, rollback or a signal came before it",
        edits=(
            Edit(
                _PERMIT,
                '        if said := self.ports.inbox.stopping():\n            return f"{said} came before it was sent"\n',
                "",
            ),
        ),
        origin="issue 7, 1.4",
        near=(_DOUBT, "tests/runner"),
    ),
    Planted(
        id="late-raise-sent",
        breaks="a raise leaves however long after the look that it rests on",
        edits=(
            Edit(
                _PERMIT,
                "if now.after(self.not_after) > 0:",
                "if now.after(self.not_after) > 60 * SECOND * 60:",
            ),
        ),
        near=("tests/runner", _SAFETY),
    ),
    Planted(
        id="raise-below-reserve",
        breaks="a weight is raised although the source could not take the traffic back",
        edits=(
            Edit(
                "cutover.core.engine.turn:Turn.source_short",
                "(healthy * PPM < needed * reserve or healthy == 0)",
                "(needed * reserve and healthy == 0)",
            ),
        ),
        near=(_SAFETY,),
    ),
    Planted(
        id="unknown-reserve-raises",
        breaks="a weight is raised although nobody knows how many healthy targets the source has",
        edits=(
            Edit(
                "cutover.core.engine.turn:Turn.below_reserve",
                "        if unknown:\n",
                "        if unknown and not self.now:\n",
            ),
        ),
        near=(_SAFETY,),
    ),
    Planted(
        id="other-account-raises",
        breaks="a weight is raised although the credentials now belong to another account",
        edits=(
            Edit(
                "cutover.core.engine.stop_conditions:forbidden",
                "if identity.value.account != turn.state.account:",
                "if not identity.value.account:",
            ),
        ),
        near=(_SAFETY,),
        lacks="an observation of whose the credentials are: nothing that explorer and swarm see of a run depends on the account",
    ),
)
