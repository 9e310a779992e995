"""Writes golden journals of the current record version; an existing journal is never rewritten.

`python -m tests.generate_golden_journals` makes tests/journals/vN/ when VERSION was raised, and adds stories that are new. Each journal
stands beside a JSON file with its plan, the state it folds to, and the next decision on `resume` and `rollback`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from cutover.core.engine import decide
from cutover.core.engine.turn import BASELINE_MINUTES
from cutover.core.journal import VERSION
from cutover.core.journal import events as ev
from cutover.core.moment import Moment
from cutover.core.observation import CommandName, GroupHealth, Known, Observation, OperatorCommand
from cutover.core.plan import Plan
from cutover.core.routing import config_body
from cutover.core.state import RunState, evolve, replay
from cutover.core.values import MINUTE
from cutover.local.journal_file import encode
from tests.explore.found import FOUND
from tests.fakes import TWO_ROUTES, Bench, Killed, config, plan_of

HERE = Path(__file__).parent / "journals"


def stories() -> dict[str, Callable[[], Bench]]:
    """What each golden journal tells."""

    def completed() -> Bench:
        bench = Bench()
        bench.run()
        return bench

    def rolled_back() -> Bench:
        bench = Bench(plan_of(routes=TWO_ROUTES))
        bench.at_weight(500, lambda: setattr(bench.traffic, "destination_errors", 0.05))
        bench.run()
        return bench

    def interrupted() -> Bench:
        bench = Bench()
        bench.at_weight(50, lambda: bench.inbox.say(CommandName.INTERRUPT, signal=2), 5 * MINUTE)
        bench.run()
        return bench

    def drifted() -> Bench:
        bench = Bench()
        route = bench.plan.routes[0].id
        bench.at_weight(
            50,
            lambda: bench.router.configs.update({route: config(0, tag="terraform")}),
            5 * MINUTE,
        )
        bench.at_weight(50, lambda: bench.inbox.say(CommandName.INTERRUPT, signal=15), 9 * MINUTE)
        bench.run()
        return bench

    def killed_at(kind: type[ev.Event], nth: int) -> Callable[[], Bench]:
        def view() -> Bench:
            bench = Bench()
            seen = [0]

            def watch(event: ev.Event) -> None:
                seen[0] += isinstance(event, kind)
                if isinstance(event, kind) and seen[0] == nth:
                    raise Killed

            bench.journal.killed_at = watch
            try:
                bench.run()
            except Killed:
                bench.state = replay(bench.plan, bench.journal.records)
            return bench

        return view

    def torn_leave() -> Bench:
        """Left as it is, and the journal ends before it says so (found by `make explore`)."""
        bench = Bench()
        route = bench.plan.routes[0].id
        bench.at_weight(
            50, lambda: bench.router.configs.update({route: bench.router.found}), 5 * MINUTE
        )
        bench.at_weight(50, lambda: bench.inbox.say(CommandName.INTERRUPT, signal=15), 9 * MINUTE)
        bench.run()
        bench.start()
        at = bench.clock.at
        bench.journal.append(ev.CommandGiven("leave", "ana@bastion"), at)
        found = bench.router.found
        seen = {"route": route, "hash": found.hash, "config": config_body(found)}
        bench.journal.append(ev.Observed("config", seen), at)
        bench.journal.append(ev.Verified(route, found.hash, 0, at.wall_ms, at.wall_ms), at)
        bench.state = replay(bench.plan, bench.journal.records)
        return bench

    return {
        "torn-leave": torn_leave,
        "completed": completed,
        "rolled-back": rolled_back,
        "interrupted": interrupted,
        "drifted": drifted,
        "killed-after-intent": killed_at(ev.Intent, 3),
        "killed-after-write": killed_at(ev.Outcome, 3),
        "killed-in-bake": killed_at(ev.MinuteSettled, BASELINE_MINUTES + 15),
    }


def facts(state: RunState) -> dict[str, Any]:
    """What a state must still be after any later version read the journal."""
    return {
        "phase": str(state.phase),
        "step": state.step,
        "weight": state.weight,
        "hold": str(state.held.reason) if state.held else "",
        "proven": state.proven,
        "routes": {
            route: [
                known.committed.hash if known.committed else "",
                known.sent.result if known.sent else "",
            ]
            for route, known in state.routes.items()
        },
    }


def next_decision(plan: Plan, state: RunState, command: CommandName) -> dict[str, Any]:
    """What a new process decides first, when every route reads as the newest write or commit says."""
    if state.last is None:
        raise ValueError("an empty journal")
    now = state.last.plus(40 * MINUTE)
    taken = ev.Record(
        state.seq + 1, state.epoch + 1, now, ev.LeaseTaken("ana@bastion", "bastion", 7)
    )
    state = evolve(plan, state, taken)
    later = now.plus(1_000)
    configs = {}
    for route, known in state.routes.items():
        live = known.sent.post if known.sent is not None and known.sent.result else known.committed
        if live is not None:
            configs[route] = Known(live, later)
    groups = {
        g for comparison in plan.comparisons for g in (comparison.source, comparison.destination)
    }
    seen = Observation(
        configs=configs,
        health={g: Known(GroupHealth(6, 6, {"a": 3, "c": 3}), later) for g in sorted(groups)},
        commands=(OperatorCommand(command, "ana@bastion", source="first"),),
    )
    decision = decide(plan, state, seen, later)
    moves = [
        [e.before, e.after, e.step] for e in decision.records if isinstance(e, ev.PhaseChanged)
    ]
    return {
        "moves": moves,
        "effect": type(decision.effect).__name__,
        "wake_ms": _ms(decision.wake, later),
    }


def _ms(wake: Moment, now: Moment) -> int:
    return wake.after(now)


def write(place: Path) -> None:
    """Write every story that is not there yet."""
    place.mkdir(parents=True, exist_ok=True)
    for name, view in stories().items():
        if (place / f"{name}.jsonl").exists():
            continue
        bench = view()
        _keep(place, name, bench.plan, bench.journal.records)
    for name, run in FOUND.items():
        if not (place / f"{name}.jsonl").exists():
            played = run.played()
            # as a plan file says it, without the search's own gate
            plan = Plan.model_validate_json(json.dumps(played.plan.data()))
            _keep(place, name, plan, played.records)


def _keep(place: Path, name: str, plan: Plan, records: Sequence[ev.Record]) -> None:
    prev, lines = "", []
    for record in records:
        line, prev = encode(record, "checkout-golden", prev)
        lines.append(line)
    (place / f"{name}.jsonl").write_bytes(b"".join(lines))
    state = replay(plan, records)
    told = {
        "plan": plan.data(),
        "state": facts(state),
        "next": {
            str(command): next_decision(plan, state, command)
            for command in (CommandName.RESUME, CommandName.ROLLBACK)
        },
    }
    (place / f"{name}.json").write_text(json.dumps(told, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    write(HERE / f"v{VERSION}")
