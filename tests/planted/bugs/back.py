"""Going back: exact, at once, believed only when read, and never stopped by what it does not need."""

from __future__ import annotations

from tests.planted.bug import Edit, Planted

_BACK = "tests/core/engine/test_back.py"
_DOUBT = "tests/core/engine/test_doubt.py"
_PACE = "tests/core/engine/test_pace.py"
_ROLLING = "cutover.core.engine.rollback:rolling_back"

BACK = (
    Planted(
        id="rollback-computed",
        breaks="a route goes back to computed weights instead of to the config that was found",
        edits=(
            Edit(
                "cutover.core.engine.rollback:_route",
                "return RestoreRoute(route, verbatim=ours and not known.accepted), COMMIT",
                "return RestoreRoute(route, verbatim=not ours and not known.accepted), COMMIT",
            ),
        ),
        near=(_BACK,),
    ),
    Planted(
        id="restored-by-a-stale-read",
        breaks="a read that shows the old weights ends a rollback although a raise may still be live",
        edits=(
            Edit(
                "cutover.core.engine.rollback:_route",
                "if there and known.in_doubt is None and not _only_read(known):",
                "if there:",
            ),
        ),
        origin="issue 7, 1.2",
        near=(_DOUBT, _BACK),
    ),
    Planted(
        id="older-write-forgotten",
        breaks="a newer write makes the run forget that an older one may still arrive",
        edits=(
            Edit(
                "cutover.core.state.fold:_intent",
                "doubt=route.in_doubt,",
                "doubt=None,",
            ),
        ),
        origin="issue 7, 1.2",
        near=(_DOUBT,),
    ),
    Planted(
        id="unanswered-write-is-shown",
        breaks="a read of an old config settles a write whose answer never came",
        edits=(
            Edit(
                "cutover.core.state.fold:shows",
                "return sent.answered or (sent.novel and sent.changes)",
                "return True",
            ),
        ),
        origin="issue 7, 1.2",
        near=(_DOUBT,),
    ),
    Planted(
        id="idle-restore-is-shown",
        breaks="a restore without an answer counts as shown by a read of what somebody else had made there before",
        edits=(
            Edit(
                "cutover.core.state.fold:shows",
                "return sent.answered or (sent.novel and sent.changes)",
                "return sent.answered or sent.novel",
            ),
        ),
        origin="a walk",
        near=(_DOUBT,),
    ),
    Planted(
        id="idle-restore-makes-it-ours",
        breaks="somebody else's config that a restore left as it was counts as ours, and is later written over unread",
        edits=(
            Edit(
                "cutover.core.state.fold:_intent",
                "route.written | {post.hash} if changes else route.written",
                "route.written | {post.hash}",
            ),
        ),
        origin="a walk",
        near=(_DOUBT,),
    ),
    Planted(
        id="one-read-restores",
        breaks="a route counts as restored after one read",
        edits=(Edit("cutover.core.engine.rollback:_verify", "if age < COMMIT:", "if age < 0:"),),
        near=(_BACK, "tests/core/engine/test_forward.py", _DOUBT),
    ),
    Planted(
        id="confirming-read-skipped",
        breaks="success is claimed without the last look after `observe.confirm`",
        edits=(
            Edit(
                "cutover.core.engine.rollback:_confirm",
                "if quiet < turn.plan.observe.confirm or not fresh:",
                "if quiet < 0:",
            ),
        ),
        near=(_BACK,),
    ),
    Planted(
        id="stops-at-the-first-refused",
        breaks="a route that AWS refuses keeps the routes after it from being restored",
        edits=(
            Edit(
                _ROLLING,
                "        back, pause = _route(turn, route, known, span)\n",
                "        back, pause = _route(turn, route, known, span)\n        if known.sent is not None and known.sent.refused:\n            backs += [back] if back is not None else []\n            break\n",
            ),
        ),
        near=(_PACE, _DOUBT, _BACK),
    ),
    Planted(
        id="one-stuck-route-ends-it",
        breaks="a rollback ends as soon as one route cannot be restored, whatever the others are",
        edits=(Edit(_ROLLING, "if len(stuck) == len(open_routes):", "if stuck:"),),
        near=("tests/core/engine/test_gone.py", _BACK),
    ),
    Planted(
        id="gone-route-keeps-it-for-ever",
        breaks="a rollback of a deleted rule never ends",
        edits=(
            Edit(
                "cutover.core.engine.rollback:_lost",
                "return known.gone_since is not None and",
                "return known.impossible and known.gone_since is not None and",
            ),
        ),
        origin="issue 7, 1.9",
        near=("tests/core/engine/test_gone.py",),
    ),
    Planted(
        id="write-war",
        breaks="a rollback overwrites somebody else's change again and again",
        edits=(
            Edit(
                "cutover.core.engine.rollback:OVERWRITTEN",
                "OVERWRITTEN = 2",
                "OVERWRITTEN = 10**6",
            ),
        ),
        near=(_BACK,),
    ),
    Planted(
        id="empty-source-gets-everything",
        breaks="a breach rolls back by itself to a source without a healthy target",
        edits=(
            Edit(
                "cutover.core.engine.stop_conditions:harmed",
                "if goes_back and any(healthy == 0 for",
                "if goes_back and all(healthy == -1 for",
            ),
        ),
        near=(_BACK, "tests/core/engine/test_forward.py"),
    ),
    Planted(
        id="refused-restore-waits",
        breaks="a restore that AWS throttles waits five seconds between tries",
        edits=(
            Edit(
                "cutover.core.engine.rollback:_due",
                "    if sent.answered or (sent.denied and span >= AT_ONCE_FOR):\n",
                "    if sent.answered or sent.refused:\n",
            ),
        ),
        origin="issue 7, 1.14",
        near=(_PACE,),
    ),
    Planted(
        id="rollback-without-pace",
        breaks="a rollback that AWS refuses for minutes writes every route at every turn",
        edits=(
            Edit(
                "cutover.core.engine.rollback:_paced",
                "    if span < AT_ONCE_FOR or first or not backs:\n",
                "    if span >= 0 or first or not backs:\n",
            ),
            Edit(
                "cutover.core.engine.rollback:_paced",
                "(backs if span < AT_ONCE_FOR else first), SLOW",
                "backs, SLOW",
            ),
            Edit(
                "cutover.core.engine.rollback:_due",
                "    if span >= AT_ONCE_FOR:\n        return (PACE if span < FAST_FOR else FAST) - since\n",
                "",
            ),
        ),
        origin="issue 7, 1.14",
        near=(_PACE,),
    ),
    Planted(
        id="weights-after-rollback-disagree",
        breaks="after a rollback `status` shows the raised weight where only one route named the destination before",
        edits=(
            Edit(
                "cutover.core.state.fold:_portion",
                "    if config is not None and config.source_present and not config.attached:\n        return 0\n",
                "",
            ),
        ),
        origin="issue 7, 1.12",
        near=(_DOUBT,),
    ),
    Planted(
        id="rollback-writes-an-owned-route",
        breaks="a rollback writes although another process took the run after the look",
        edits=(
            Edit(
                "cutover.runner:_Back.refusal",
                'return f"{owner} has the lease" if owner else ""',
                'return ""',
            ),
        ),
        origin="issue 7, 1.6",
        near=(_DOUBT, "tests/runner", "tests/e2e/test_lost_lease.py"),
    ),
    Planted(
        id="rolled-back-exits-0",
        breaks="a run that went back exits 0",
        edits=(
            Edit(
                "cutover.core.engine.rollback:_confirm",
                "return turn.decision(End(ExitCode.ROLLED_BACK, why), ReadRequest(), 0, why)",
                "return turn.decision(End(ExitCode.COMPLETED, why), ReadRequest(), 0, why)",
            ),
        ),
        near=(_BACK,),
    ),
    Planted(
        id="third-signal-exits-0",
        breaks="a rollback that is ended by a third signal exits 0",
        edits=(
            Edit(
                "cutover.core.engine.rollback:_interrupted",
                "return turn.decision(End(ExitCode.NEEDS_HUMAN, why), ReadRequest(), 0, why)",
                "return turn.decision(End(ExitCode.COMPLETED, why), ReadRequest(), 0, why)",
            ),
        ),
        near=(_BACK, "tests/core/engine/test_commands.py"),
    ),
    Planted(
        id="first-signal-ends-a-rollback",
        breaks="one signal ends a rollback before the routes are restored",
        edits=(
            Edit(
                "cutover.core.engine.rollback:REFUSED_SIGNALS",
                "REFUSED_SIGNALS = 2",
                "REFUSED_SIGNALS = 0",
            ),
        ),
        near=(_BACK, "tests/core/engine/test_commands.py"),
    ),
)
