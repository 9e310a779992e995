"""Forward needs proof: what a raise rests on."""

from __future__ import annotations

from typing import NamedTuple

from tests.promises.facts import (
    Fact,
    Health,
    Jumped,
    Read,
    Recorded,
    Sent,
    Setting,
    Shown,
    Slept,
    Started,
)
from tests.promises.promise import At, Promise
from tests.promises.routes import name, put

Verdicts = frozenset[tuple[str, str, str]]
"""(gate, pair, verdict), the newest of each since evidence began afresh."""


class Proof(NamedTuple):
    """What is proved of the step that is in effect.

    Attributes:
        phase: the newest.
        step: whose weight is committed, -1 before the first.
        raising: the step that the evidence allows to raise to, -1 for none.
        from_ms: minutes count from here on; -1 while none does.
        newest: by pair, the newest settled minute since then, or FULL when the bake is covered.
        said: the gates' verdicts since the evidence began afresh.
        gates: (gate, pair) of everything that was ever judged.
        read: per route, the portion that was read last; -1 for unknown.
        back: the rollback began, and nothing of this matters any more.
    """

    phase: str = "PREFLIGHT"
    step: int = -1
    raising: int = -1
    from_ms: int = -1
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
    at_ms, pair = int(fact.body["at_ms"]), str(fact.body["pair"])
    settled_ms = at_ms + setting.period_ms + setting.settle_ms
    if memory.from_ms < 0 or at_ms < memory.from_ms:
        return memory, ""
    found = dict(memory.newest)
    before, why = found.get(pair, at_ms - setting.period_ms), ""
    if before == FULL:
        return memory, ""
    if at_ms != before + setting.period_ms:
        why = f"record {fact.seq}: minutes are missing before the one of {at_ms}"
    if fact.wall_ms and fact.wall_ms + setting.slack_ms < settled_ms:
        early_ms = settled_ms - fact.wall_ms
        why = f"record {fact.seq}: a minute was taken for settled {early_ms} ms early"
    found[pair] = At(at_ms)
    return _filled(setting, memory._replace(newest=tuple(sorted(found.items())))), why


def _filled(setting: Setting, memory: Proof) -> Proof:
    """Once a bake is filled it does not matter with how much."""
    if memory.phase == "SETTLING":
        return memory  # the split may be seen to be in effect only from a later minute on
    bake = _bake(setting, memory.step)
    newest = tuple(
        (pair, FULL if _covered(setting, memory, at) >= bake else at) for pair, at in memory.newest
    )
    return memory if newest == memory.newest else memory._replace(newest=newest)


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
    gate, pair, verdict = (str(fact.body[key]) for key in ("gate", "pair", "verdict"))
    said = frozenset(one for one in memory.said if one[:2] != (gate, pair))
    return memory._replace(
        said=said | {(gate, pair, verdict)}, gates=memory.gates | {(gate, pair)}
    ), ""


def _afresh(memory: Proof, from_ms: int, *, keep_from: bool = False) -> Proof:
    begins = max(from_ms, memory.from_ms) if keep_from else from_ms
    begins = At(begins) if begins >= 0 else -1
    return memory._replace(raising=-1, from_ms=begins, newest=(), said=frozenset())


def _lost(setting: Setting, memory: Proof, fact: Recorded) -> tuple[Proof, str]:
    """A crash or drift: nothing that was shown before counts."""
    return (memory if memory.back else _afresh(memory, -1)), ""


def _gap(setting: Setting, memory: Proof, fact: Recorded) -> tuple[Proof, str]:
    if memory.back:
        return memory, ""
    if memory.from_ms < 0:
        return _afresh(memory, -1), ""
    return _afresh(memory, int(fact.body["from_ms"]), keep_from=True), ""


def _stood_still(setting: Setting, memory: Proof, fact: Slept) -> tuple[Proof, str]:
    if memory.back or abs(fact.ms) <= 2 * setting.poll_ms + 2_000 + setting.slack_ms:
        return memory, ""
    from_ms = -1 if memory.from_ms < 0 else fact.at_ms
    return _afresh(memory, from_ms, keep_from=memory.from_ms >= 0), ""


def _jumped(setting: Setting, memory: Proof, fact: Jumped) -> tuple[Proof, str]:
    if memory.back or abs(fact.ms) <= 2_000 + setting.slack_ms:
        return memory, ""
    return _afresh(memory, int(memory.from_ms)), ""


def _effective(setting: Setting, memory: Proof, fact: Recorded) -> tuple[Proof, str]:
    if memory.back:
        return memory, ""
    why = ""
    if memory.phase != "SETTLING":
        why = f"record {fact.seq}: a share was accepted in {memory.phase}"
    from_ms = int(fact.body["from_ms"])
    if from_ms <= memory.from_ms:
        return memory, why
    # the minute that showed the split counts: it was judged when it came, and what spoke against it is kept
    newest = tuple((pair, at) for pair, at in memory.newest if at >= from_ms)
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
                turned = _afresh(turned, from_ms or -1)
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
    pairs = setting.pairs or tuple(sorted({pair for _, pair in memory.gates}))
    short = min((_covered(setting, memory, newest.get(pair)) for pair in pairs), default=0)
    bake = _bake(setting, memory.step)
    if short < bake:
        return f"when step {memory.step + 1} had {short} ms of its {bake} ms in settled minutes since evidence began"
    return ""


def _looked(setting: Setting, memory: Proof, fact: Read) -> tuple[Proof, str]:
    if memory.back or fact.weight == -2 or not fact.form:
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
    text="A raise needs the whole bake of the step before, in settled minutes journalled since its evidence began, and a PASS of every gate said right before it. A run completes on the same terms. No evidence survives a crash, a pause, a gap, drift, a process that stood still for more than two polls and 2 s, or a wall clock that jumped by more than 2 s.",
    ends="Before the first step no request has reached the destination: its gates may wait there. A hand-over (a step without a bake) completes with one settled minute in which no gate objects.",
    start=Proof(),
    hears={Read: _looked, Sent: _raised, Slept: _stood_still, Jumped: _jumped},
    records={
        "minute": _minute,
        "gate": _judged,
        "effective": _effective,
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


def _shown(
    setting: Setting, memory: tuple[str, frozenset[str]], fact: Shown
) -> tuple[tuple[str, frozenset[str]], str]:
    return (fact.verdict, memory[1]), ""


def _said(
    setting: Setting, memory: tuple[str, frozenset[str]], fact: Recorded
) -> tuple[tuple[str, frozenset[str]], str]:
    key = f"{fact.body['gate']} on {fact.body['pair']}"
    unknown = memory[1] | {key} if fact.body["verdict"] == "UNKNOWN" else memory[1] - {key}
    return (memory[0], unknown), ""


def _blindly(
    setting: Setting, memory: tuple[str, frozenset[str]], fact: Recorded
) -> tuple[tuple[str, frozenset[str]], str]:
    after, before = fact.body["after"], fact.body["before"]
    raises = after == "SHIFTING" and before in ("BAKING", "ATTACHING")
    if not raises and after != "COMPLETED":
        return memory, ""
    shown, unknown = memory
    step = int(fact.body["step"])
    hands_over = after == "COMPLETED" and setting.bakes[step] == 0
    waits = before == "ATTACHING" or hands_over
    if unknown:
        return memory, f"{after} while {', '.join(sorted(unknown))} was UNKNOWN"
    if shown not in ({"", "pass", "waiting"} if waits else {"", "pass"}):
        return memory, f"{after} although the newest look had shown {shown}"
    return memory, ""


def _new_eyes(
    setting: Setting, memory: tuple[str, frozenset[str]], fact: Fact
) -> tuple[tuple[str, frozenset[str]], str]:
    return ("", memory[1]), ""


BLINDNESS = Promise(
    id="P21",
    text="Missing, partial or unreadable evidence never leads forward: no raise and no completion while a gate is UNKNOWN, or while the newest look showed anything but a pass.",
    ends="As for P3: before the first step, and after a hand-over, gates may wait for requests.",
    start=("", frozenset()),
    hears={Shown: _shown, Started: _new_eyes},
    next_turn=lambda memory: ("", memory[1]),
    records={"gate": _said, "phase": _blindly},
)


def _both(setting: Setting, memory: bool | None, fact: Shown) -> tuple[bool | None, str]:
    return (fact.both if fact.verdict == "breach" else None), ""


def _one_sided(setting: Setting, memory: bool | None, fact: Recorded) -> tuple[bool | None, str]:
    if (
        memory is False
        and fact.body["after"] == "ROLLING_BACK"
        and fact.body.get("cause") == "breach"
    ):
        return memory, "rolled back for a breach of which one side was not published yet"
    return memory, ""


BOTH_SIDES = Promise(
    id="N3",
    text="A breach is judged on what both sides have published: a minute of which one side is still missing rolls nothing back.",
    ends="What CloudWatch publishes late and then corrects is judged as it was published first.",
    start=None,
    hears={Shown: _both},
    records={"phase": _one_sided},
)


Landing = tuple[tuple[str, int, int], ...]
"""Per source group: its healthy targets (-1 for unknown) as shown last, and at the start."""

AUTOMATIC = frozenset({"breach", "deadline", "blind", "partial", "drift", "interrupt"})
"""Causes of a rollback that no person said."""


def _healthy(setting: Setting, memory: Landing, fact: Health) -> tuple[Landing, str]:
    others = tuple(one for one in memory if one[0] != fact.group)
    return tuple(sorted((*others, (fact.group, fact.source, fact.at_start)))), ""


def _lands(setting: Setting, memory: Landing, fact: Recorded) -> tuple[Landing, str]:
    after, before = fact.body["after"], fact.body["before"]
    by_itself = after == "ROLLING_BACK" and fact.body.get("cause") in AUTOMATIC
    if by_itself and any(healthy == 0 for _, healthy, _ in memory):
        return memory, "rolled back by itself onto a source without a healthy target"
    if after == "SHIFTING" and before in ("BAKING", "ATTACHING"):
        for group, healthy, at_start in memory:
            if healthy < 0:
                return memory, f"a raise while the health of the source {group} was unknown"
            if healthy * 1_000_000 < at_start * setting.source_reserve_ppm or healthy == 0:
                return (
                    memory,
                    f"a raise while the source {group} had {healthy} of {at_start} healthy targets",
                )
    return memory, ""


def _new_health(setting: Setting, memory: Landing, fact: Fact) -> tuple[Landing, str]:
    return (), ""


LANDING = Promise(
    id="P14",
    text="No raise is decided unless the source is known to have its reserve of healthy targets, and no rollback begins by itself while the source is known to have none.",
    ends="Unknown health delays no rollback; a person's rollback asks nobody.",
    start=(),
    hears={Health: _healthy, Started: _new_health},
    records={"phase": _lands},
)

EVIDENCE: tuple[Promise, ...] = (PROOF, LANDING, BLINDNESS, BOTH_SIDES)
