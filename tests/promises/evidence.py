"""Forward needs proof: what a raise rests on."""

from __future__ import annotations

from typing import NamedTuple

from tests.promises.facts import (
    Jumped,
    Read,
    Recorded,
    Sent,
    Setting,
    Slept,
)
from tests.promises.promise import At, Promise
from tests.promises.routes import name, put

Verdicts = frozenset[tuple[str, str, str]]
"""(gate, comparison, verdict), the newest of each since evidence began afresh."""


NONE = -1
"""Instead of the minute from which on evidence counts: none does."""

LOST = -3
"""The same, until the run says that it noticed that time was lost."""


class Proof(NamedTuple):
    """What is proved of the step that is in effect.

    Attributes:
        phase: the newest.
        step: whose weight is committed, -1 before the first.
        raising: the step that the evidence allows to raise to, -1 for none.
        from_ms: minutes count from here on, or NONE, or LOST; 0 once the bake is covered, for then it does not matter.
        newest: by comparison, the newest settled minute since then, or FULL when the bake is covered.
        said: the gates' verdicts since the evidence began afresh.
        gates: (gate, comparison) of everything that was ever judged.
        read: per route, the portion that was read last; -1 for unknown.
        back: the rollback began, and nothing of this matters any more.
    """

    phase: str = "PREFLIGHT"
    step: int = -1
    raising: int = -1
    from_ms: int = NONE
    newest: tuple[tuple[str, int], ...] = ()
    said: Verdicts = frozenset()
    gates: frozenset[tuple[str, str]] = frozenset()
    read: tuple[int, ...] = ()
    back: bool = False


BACK = Proof(back=True)

FULL = -2
"""Instead of the newest minute: the bake is covered, and which minutes did it does not matter any more."""

STALE_HOLDS = frozenset({"paused", "interrupted", "crashed", "drift"})
"""Holds after which a step proves itself afresh, whatever it had shown before."""


def _minute(setting: Setting, memory: Proof, fact: Recorded) -> tuple[Proof, str]:
    if memory.back:
        return memory, ""
    at_ms, comparison = int(fact.body["at_ms"]), str(fact.body["comparison"])
    settled_ms = at_ms + setting.period_ms + setting.settle_ms
    if memory.from_ms < 0 or at_ms < memory.from_ms:
        return memory, ""
    found = dict(memory.newest)
    before, why = found.get(comparison, at_ms - setting.period_ms), ""
    if before == FULL:
        return memory, ""
    if at_ms != before + setting.period_ms:
        why = f"record {fact.seq}: minutes are missing before the one of {at_ms}"
    if fact.wall_ms and fact.wall_ms + setting.slack_ms < settled_ms:
        early_ms = settled_ms - fact.wall_ms
        why = f"record {fact.seq}: a minute was taken for settled {early_ms} ms early"
    found[comparison] = At(at_ms)
    return _filled(setting, memory._replace(newest=tuple(sorted(found.items())))), why


def _filled(setting: Setting, memory: Proof) -> Proof:
    """Once a bake is filled it does not matter with how much."""
    if memory.phase == "SETTLING":
        return memory  # the split may be seen to be in effect only from a later minute on
    bake = _bake(setting, memory.step)
    newest = tuple(
        (comparison, FULL if _covered(setting, memory, at) >= bake else at)
        for comparison, at in memory.newest
    )
    full = all(at == FULL for _, at in newest) and len(newest) >= len(setting.comparisons) > 0
    return memory._replace(newest=newest, from_ms=0 if full else memory.from_ms)


def _covered(setting: Setting, memory: Proof, newest: int | None) -> int:
    """Milliseconds of settled minutes, up to this one, since evidence began."""
    if newest is None:
        return 0
    if newest == FULL:
        return _bake(setting, memory.step)
    return newest + setting.period_ms - memory.from_ms


def _bake(setting: Setting, step: int) -> int:
    """What a step's minutes must fill; a hand-over's one minute."""
    return (setting.bakes[step] if 0 <= step < len(setting.bakes) else 0) or setting.period_ms


def _judged(setting: Setting, memory: Proof, fact: Recorded) -> tuple[Proof, str]:
    if memory.back:
        return memory, ""
    gate, comparison, verdict = (str(fact.body[key]) for key in ("gate", "comparison", "verdict"))
    said = frozenset(one for one in memory.said if one[:2] != (gate, comparison))
    return memory._replace(
        said=said | {(gate, comparison, verdict)}, gates=memory.gates | {(gate, comparison)}
    ), ""


def _afresh(memory: Proof, from_ms: int) -> Proof:
    begins = At(from_ms) if from_ms >= 0 else from_ms
    return memory._replace(raising=-1, from_ms=begins, newest=(), said=frozenset())


def _lost(setting: Setting, memory: Proof, fact: Recorded) -> tuple[Proof, str]:
    """A crash or drift: nothing that was shown before counts."""
    return (memory if memory.back else _afresh(memory, NONE)), ""


def _gap(setting: Setting, memory: Proof, fact: Recorded) -> tuple[Proof, str]:
    if memory.back:
        return memory, ""
    if memory.from_ms == NONE:
        return _afresh(memory, NONE), ""
    return _afresh(memory, max(int(fact.body["from_ms"]), memory.from_ms)), ""


def _stood_still(setting: Setting, memory: Proof, fact: Slept) -> tuple[Proof, str]:
    # one poll of it may be the wait that was due, and two more and 2 s are what a look may be late
    if fact.ms <= 3 * setting.poll_ms + 2_000 + setting.slack_ms:
        return memory, ""
    return _unnoticed(memory), ""


def _jumped(setting: Setting, memory: Proof, fact: Jumped) -> tuple[Proof, str]:
    if abs(fact.ms) <= 2_000 + setting.slack_ms:
        return memory, ""
    return _unnoticed(memory), ""


def _unnoticed(memory: Proof) -> Proof:
    """Nothing counts until the run says from which minute on."""
    return memory if memory.back or memory.from_ms == NONE else _afresh(memory, LOST)


def _effective(setting: Setting, memory: Proof, fact: Recorded) -> tuple[Proof, str]:
    if memory.back:
        return memory, ""
    why = ""
    if memory.phase != "SETTLING":
        why = f"record {fact.seq}: a share was accepted in {memory.phase}"
    from_ms = int(fact.body["from_ms"])
    if memory.from_ms == LOST or from_ms <= memory.from_ms:
        return memory, why
    # the minute that showed the split counts: it was judged when it came, and what spoke against it is kept
    newest = tuple((comparison, at) for comparison, at in memory.newest if at >= from_ms)
    return _afresh(memory, from_ms)._replace(newest=newest), why


def _turned(setting: Setting, memory: Proof, fact: Recorded) -> tuple[Proof, str]:
    after, before, step = str(fact.body["after"]), memory.phase, int(fact.body["step"])
    if memory.back or after == "ROLLING_BACK":
        return BACK, ""
    why = ""
    if after == "SHIFTING" and before in ("BAKING", "ATTACHING"):
        why = _unproved(setting, memory, first=before == "ATTACHING", hands_over=False)
        turned = memory._replace(phase=after, raising=step, said=frozenset())
    elif after == "COMPLETED":
        hands_over = memory.step >= 0 and setting.bakes[memory.step] == 0
        why = _unproved(setting, memory, first=False, hands_over=hands_over)
        turned = memory._replace(phase=after, raising=-1, step=step)
    else:
        turned = memory._replace(phase=after, raising=-1, said=frozenset())
        from_ms = int(fact.body.get("from_ms", 0))
        if after == "SETTLING":
            turned = _afresh(turned, from_ms)._replace(step=step)
        elif after == "BAKING":
            turned = _filled(setting, turned)
        elif after == "HOLDING":
            turned = turned._replace(step=step)
            if fact.body.get("hold") in STALE_HOLDS or from_ms:
                turned = _afresh(turned, from_ms or NONE)
    return turned, f"record {fact.seq}: {after} {why}" if why else ""


def _unproved(setting: Setting, memory: Proof, *, first: bool, hands_over: bool) -> str:
    """What is missing before the next step; empty when nothing is."""
    good = {"PASS", "WAITING"} if first or hands_over else {"PASS"}
    bad = sorted(f"{gate} {verdict}" for gate, _, verdict in memory.said if verdict not in good)
    if bad or not memory.said:
        return f"while {', '.join(bad) or 'nothing was judged'}"
    if missing := memory.gates - {one[:2] for one in memory.said}:
        return f"and {', '.join(sorted(gate for gate, _ in missing))} had not been judged afresh"
    if first:
        return ""
    newest = dict(memory.newest)
    comparisons = setting.comparisons or tuple(
        sorted({comparison for _, comparison in memory.gates})
    )
    short = min(
        (_covered(setting, memory, newest.get(comparison)) for comparison in comparisons),
        default=0,
    )
    bake = _bake(setting, memory.step)
    if short < bake:
        return f"when step {memory.step + 1} had {short} ms of its {bake} ms in settled minutes since evidence began"
    return ""


def _looked(setting: Setting, memory: Proof, fact: Read) -> tuple[Proof, str]:
    if memory.back or fact.weight == -2 or not fact.config:
        return memory, ""
    known = memory.read or (-1,) * len(setting.routes)
    return memory._replace(read=put(known, setting.routes.index(fact.route), fact.weight)), ""


def _raised(setting: Setting, memory: Proof, fact: Sent) -> tuple[Proof, str]:
    if memory.back:
        return memory, ""
    found = setting.found[fact.route][1]
    ceiling = max(found, setting.weights[memory.step] if memory.step >= 0 else 0)
    known = memory.read[setting.routes.index(fact.route)] if memory.read else -1
    rises = fact.weight > ceiling or -1 < known < fact.weight
    if not rises:
        return memory, ""
    if memory.phase != "SHIFTING":
        return (
            memory,
            f"{name(fact.route)} was raised to {fact.weight} per mille in {memory.phase}",
        )
    if memory.raising < 0:
        return (
            memory,
            f"{name(fact.route)} was raised to {fact.weight} per mille on no evidence of this step that still counts",
        )
    if fact.weight != setting.weights[memory.raising]:
        return (
            memory,
            f"{name(fact.route)} was raised to {fact.weight} per mille, and the evidence was for {setting.weights[memory.raising]}",
        )
    return memory, ""


PROOF = Promise(
    id="P3",
    text="A raise needs the whole bake of the step before, in settled minutes journalled since its evidence began, and a PASS of every gate said right before it. A run completes on the same terms. No evidence survives a crash, a pause, a gap, drift, a process that stood still for more than three polls and 2 s, or a wall clock that jumped by more than 2 s.",
    ends="Before the first step no request has reached the destination: its gates may wait there. A hand-over (a step without a bake) completes with one settled minute in which no gate objects.",
    start=Proof(),
    hears={Read: _looked, Sent: _raised, Slept: _stood_still, Jumped: _jumped},
    records={
        "minute": _minute,
        "gate": _judged,
        "weight_observed": _effective,
        "phase": _turned,
        "gap": _gap,
        "drift": _lost,
        "lease": _lost,
    },
    horizon=lambda setting: (
        2 * max(setting.bakes, default=0) + setting.settle_ms + 5 * setting.period_ms
    ),
    # every gate is judged once more where a raise is decided, and every route read where it is written
    next_turn=lambda memory: memory._replace(said=frozenset(), read=()),
)
