"""What `cutover status` prints of one run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from cutover.core.arn import route_name
from cutover.core.gates.api import Verdict
from cutover.core.messages import (
    LiveVerdict,
    RunView,
    StepStanding,
    about,
    after_deadline,
    anomalies_text,
    baked,
    clock_text,
    outlook,
    stamp,
)
from cutover.core.messages.phrases import judged, reason_text
from cutover.core.moment import Moment, wall_from_ms
from cutover.core.state import Phase, RouteState, RunState
from cutover.core.values import weight_text
from cutover.render.next_command import next_command_line, rehearsed
from cutover.render.text import columns, pad, wrap

LAST = 5
"""Sentences shown at the end."""

_VERDICT = max(len(name) for name in Verdict.__members__)
_JUDGED = frozenset({Phase.SHIFTING, Phase.SETTLING, Phase.BAKING, Phase.HOLDING})


def status_view(
    story: RunView,
    now: Moment,
    width: int,
    *,
    liveness: str = "",
    driven: bool = True,
    gates: Sequence[LiveVerdict] = (),
) -> list[str]:
    """The run as it stands, in lines of at most `width` columns.

    Args:
        story: told from the whole journal.
        now: this instant.
        width: columns.
        driven: a living process drives the run, so its deadlines are kept.
        gates: where each stands, by a state folded with its evidence (`core.messages.standings`).
        liveness: what beat.json and the lease say of the process ("driven by process 12, looked 4s ago").
    """
    return [
        *_head(story, now, width, liveness, driven=driven, gates=gates),
        *_steps(story, width),
        *_gates(story, width, gates),
        *_routes(story, width),
        *_tail(story, width, driven=driven),
    ]


def _head(
    story: RunView,
    now: Moment,
    width: int,
    liveness: str,
    *,
    driven: bool,
    gates: Sequence[LiveVerdict],
) -> Iterator[str]:
    state, plan = story.state, story.plan
    where = f", step {state.step + 1} of {len(plan.steps)}" if state.step >= 0 else ""
    yield from wrap(
        f"{plan.name}: {state.phase} at {weight_text(state.weight)}{where}", width, rest="  "
    )
    mode = "" if state.mode in ("live", "") else f" ({state.mode}: no real traffic)"
    yield from _field(
        "where",
        f"{state.account or plan.aws.account} {state.region or plan.aws.region}{mode}",
        width,
    )
    if state.opened is not None:
        yield from _field("begun", _since(state, state.opened, now), width)
    if state.turned is not None:
        yield from _field("so since", _since(state, state.turned, now), width)
    if liveness:
        yield from _field("process", liveness, width)
    if state.phase is Phase.BAKING and 0 <= state.step < len(plan.steps):
        done, bake = baked(plan, state), plan.steps[state.step].bake
        of = f" of {about(bake)}" if bake else ""
        ahead = f"; {outlook(plan, state, done, gates)}" if gates and driven else ""
        yield from _field("evidence", f"{about(done)}{of} settled minutes{ahead}", width)
    if state.held is not None:
        yield from _field("holding", reason_text(plan, state.held.because), width)
        if state.held.deadline_ms:
            at = clock_text(wall_from_ms(state.held.deadline_ms), now.wall)
            then = after_deadline(plan, state.held.reason)
            kept = f"{at}, then {then}" if driven else f"{at}, but no process lives to keep it"
            yield from _field("until", kept, width)
    elif story.reason and state.phase not in (Phase.COMPLETED, Phase.FINISHED):
        yield from _field("reason", story.reason, width)


def _since(state: RunState, then: Moment, now: Moment) -> str:
    if rehearsed(state):
        return f"{stamp(then.wall)} (emulated time)"
    return f"{stamp(then.wall)} ({about(now.after(then))} ago)"


def _field(name: str, text: str, width: int) -> list[str]:
    return wrap(text, width, first=f"  {pad(name, 9)} ")


def _steps(story: RunView, width: int) -> Iterator[str]:
    yield ""
    yield "  steps"
    size = max(columns(weight_text(step.weight)) for step in story.steps)
    current = story.state.target if story.state.phase is Phase.SHIFTING else story.state.step
    for index, step in enumerate(story.steps):
        live = index == current and step.stand not in (
            StepStanding.PASSED,
            StepStanding.TAKEN_BACK,
        )
        evidence = f"{about(step.baked_ms)} of {about(step.planned_ms)}"
        if not step.planned_ms:
            evidence = f"{about(step.baked_ms)}, no bake of its own"
        head = f"  {'>' if live else ' '} {pad(weight_text(step.weight), size, right=True)}  "
        yield from wrap(f"{pad(step.stand, 10)}  {evidence}", width, first=head)


def _gates(story: RunView, width: int, gates: Sequence[LiveVerdict]) -> Iterator[str]:
    """Each gate's verdict and its numbers, while one of the steps is judged."""
    if not gates or story.state.phase not in _JUDGED:
        return
    yield ""
    yield "  gates"
    for one in gates:
        name = judged(story.plan, one.gate, one.comparison)
        yield from wrap(
            f"{name}: {one.why}", width, first=f"    {pad(one.verdict.name, _VERDICT)}  "
        )


def _routes(story: RunView, width: int) -> Iterator[str]:
    yield ""
    yield "  routes"
    for route, known in story.state.routes.items():
        yield from wrap(
            f"{route_name(route)}  {_route(known)}", width, first="    ", rest="      "
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


def _tail(story: RunView, width: int, *, driven: bool) -> Iterator[str]:
    if story.lines:
        yield ""
        yield "  last, by the emulated clock" if rehearsed(story.state) else "  last"
        for line in story.lines[-LAST:]:
            yield from wrap(line.text, width, first=f"    {stamp(line.at.wall)[11:]}  ")
    yield ""
    yield from _field("odd", anomalies_text(story.anomalies), width)
    yield from _field("next", next_command_line(story.state, driven=driven), width)
