"""A run's status from its journal: what `cutover status` prints, made ready for whoever shows it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from cutover.core.arn import route_name
from cutover.core.messages import (
    LiveVerdict,
    RunView,
    StepStanding,
    about,
    after_deadline,
    ahead,
    anomalies_text,
    baked,
    stamp,
)
from cutover.core.messages.phrases import judged, reason_text
from cutover.core.moment import Moment
from cutover.core.state import Phase, RouteState, RunState
from cutover.core.values import weight_text
from cutover.render.next_command import next_command_line, rehearsed
from cutover.render.run_status import (
    GateStatus,
    RunStatus,
    StepStatus,
    status_lines,
    then_of,
)
from cutover.render.status_json import status_body_of

LAST = 5
"""Sentences shown at the end."""

_JUDGED = frozenset({Phase.SHIFTING, Phase.SETTLING, Phase.BAKING, Phase.HOLDING})


def status_view(
    view: RunView,
    now: Moment,
    width: int,
    *,
    liveness: str = "",
    driven: bool = True,
    gates: Sequence[LiveVerdict] = (),
) -> list[str]:
    """The run as it stands, in lines of at most `width` columns.

    Args:
        view: of the whole journal.
        now: this instant.
        width: columns.
        driven: a living process drives the run, so its deadlines are kept.
        gates: where each stands, by a state folded with its evidence (`core.messages.standings`).
        liveness: what view.json and the lease say of the process ("driven by process 12, looked 4s ago").
    """
    status = status_of(view, view.state, gates)
    return status_lines(status, now, width, liveness=liveness, driven=driven)


def status_of(view: RunView, state: RunState, gates: Sequence[LiveVerdict]) -> RunStatus:
    """The run's status.

    Args:
        view: of the whole journal.
        state: folded from the same records with the evidence.
        gates: where each stands by that state (`core.messages.standings`).
    """
    plan, held = view.plan, state.held
    mode = "" if state.mode in ("live", "") else f" ({state.mode}: no real traffic)"
    done = baked(plan, state)
    bakes = state.phase is Phase.BAKING and 0 <= state.step < len(plan.steps)
    bake = plan.steps[state.step].bake if bakes else 0
    of = f" of {about(bake)}" if bake else ""
    over = state.phase in (Phase.COMPLETED, Phase.FINISHED)
    judges = gates if state.phase in _JUDGED else ()
    return RunStatus(
        plan=plan.name,
        phase=state.phase.value,
        weight=state.weight,
        step=state.step,
        where=f"{state.account or plan.aws.account} {state.region or plan.aws.region}{mode}",
        emulated=rehearsed(state),
        opened=then_of(state.opened),
        turned=then_of(state.turned),
        evidence=f"{about(done)}{of} settled minutes" if bakes else "",
        ahead=ahead(plan, state, done, gates) if bakes and gates else "",
        held=None if held is None else reason_text(plan, held.because),
        deadline_ms=0 if held is None else held.deadline_ms,
        then="" if held is None else after_deadline(plan, held.reason),
        reason="" if over else view.reason,
        steps=tuple(_steps(view)),
        gates=tuple(
            GateStatus(one.verdict.name, judged(plan, one.gate, one.comparison), one.why)
            for one in judges
        ),
        routes=tuple((route_name(one), _route(known)) for one, known in state.routes.items()),
        last=tuple((line.at.wall_ms, line.text) for line in view.lines[-LAST:]),
        anomalies=anomalies_text(view.anomalies),
        next=(next_command_line(state), next_command_line(state, driven=False)),
        body=status_body_of(state, plan, gates),
    )


def _steps(view: RunView) -> Iterator[StepStatus]:
    state = view.state
    current = state.target if state.phase is Phase.SHIFTING else state.step
    for index, step in enumerate(view.steps):
        ended = step.stand in (StepStanding.PASSED, StepStanding.TAKEN_BACK)
        evidence = f"{about(step.baked_ms)} of {about(step.planned_ms)}"
        if not step.planned_ms:
            evidence = f"{about(step.baked_ms)}, no bake of its own"
        yield StepStatus(
            step.weight, step.stand.value, evidence, current=index == current and not ended
        )


def _weight_of(known: RouteState) -> str:
    config = known.committed
    if config is None:
        return "weight not read yet"
    if config.weight is not None:
        return weight_text(config.weight)
    return (
        "source only, the destination is not attached" if not config.attached else "weight unknown"
    )


def _route(known: RouteState) -> str:
    parts = [_weight_of(known)]
    if (
        known.seen is not None
        and known.committed is not None
        and known.seen.config.hash != known.committed.hash
    ):
        live = known.seen.config.weight
        parts.append(
            "the live config differs" + ("" if live is None else f": {weight_text(live)}")
        )
    doubt = known.in_doubt
    if doubt is not None:
        since = f"since {stamp(doubt.since.wall)} no read shows it"
        parts.append(f"a write of {weight_text(doubt.weight)} may be live: {since}")
    if known.gone_since is not None:
        parts.append(f"does not exist any more, since {stamp(known.gone_since.wall)}")
    elif known.unreadable_since is not None:
        parts.append(f"not readable since {stamp(known.unreadable_since.wall)}")
    if known.restored is not None:
        parts.append(f"restored {stamp(known.restored.wall)}")
    if known.impossible:
        parts.append("cutover cannot restore it")
    return ", ".join(parts)
