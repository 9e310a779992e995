"""Every record type and every reason to hold has its sentence, and says what a person needs."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cutover.core.journal import events as ev
from cutover.core.messages import HOLD_WORDS, NEXT, sentence
from cutover.core.moment import wall_text
from cutover.core.observation import Minute
from cutover.core.reasons import Code, because
from cutover.core.routing import RouteConfig, config_body
from cutover.core.state import (
    HOLDS,
    TRANSITIONS,
    Hold,
    Phase,
    RouteState,
    RunState,
    Sent,
)
from cutover.core.values import HOUR, MINUTE, RouteId, Weight
from tests import records
from tests.core.gates.world import GONE, group, minute_of, slow
from tests.core.gates.world import Bench as Gate
from tests.fakes import DESTINATION, LISTENER, RULE, SOURCE, START, TWO_ROUTES, plan_of

PLAN = plan_of(routes=TWO_ROUTES)
COMPARISON = PLAN.comparisons[0].id
CONFIG = RouteConfig("{}", Weight(50), attached=True)
AT_FIVE = RunState(
    phase=Phase.BAKING,
    step=0,
    target=0,
    weights=((START.wall_ms, 50),),
    routes={
        RouteId(RULE): RouteState(committed=CONFIG),
        RouteId(LISTENER): RouteState(committed=CONFIG),
    },
)
BACK = replace(AT_FIVE, phase=Phase.ROLLING_BACK, rollback_at=START, rollback_cause="breach")
WHY = records.judged(
    "errors", COMPARISON, "90 of 9,000 requests failed (1.00 %), allowed 0.21 % given the source"
)


def say(event: ev.Event, state: RunState = AT_FIVE, epoch: int = 1) -> str | None:
    return sentence(PLAN, state, ev.Record(7, epoch, START, event))


def test_a_refusal_promises_nothing_of_preflight_that_a_command_may_have_caused() -> None:
    event = records.phase_changed(
        "PREFLIGHT", "REFUSED", "stopped before anything was written", -1
    )
    assert say(event, RunState()) == (
        "refused, nothing was written: stopped before anything was written"
    )
    after = replace(AT_FIVE, phase=Phase.COMPLETED)
    assert say(records.close(7, "COMPLETED", "drift"), after) == "the process ends with 7: refused"


SAMPLES: tuple[tuple[ev.Event, RunState, str | None], ...] = (
    (
        ev.RunOpen(
            "checkout", "ab", "123456789012", "ap-northeast-1", "live", "0", (RULE, LISTENER)
        ),
        RunState(),
        "run of checkout: account 123456789012, ap-northeast-1, 2 routes, 3 steps, 30m of bakes",
    ),
    (
        ev.RunOpen("checkout", "ab", "123456789012", "ap-northeast-1", "rehearsal", "0", (RULE,)),
        RunState(),
        "rehearsal of checkout, no AWS is reached: account 123456789012, ap-northeast-1, 1 route, 3 steps, 30m of bakes",
    ),
    (ev.LeaseTaken("ana@bastion", "bastion", 12), RunState(), "driven by ana@bastion (pid 12)"),
    (
        ev.CheckFound(
            "routes-complete", "block", "rule x is not in the plan", "its share stays", "Add it."
        ),
        RunState(),
        "preflight blocks: routes-complete: rule x is not in the plan; Add it.",
    ),
    (ev.CheckFound("caller", "ok", "fine", "", ""), RunState(), None),
    (
        ev.Snapshot({RULE: config_body(CONFIG)}, {}, {}, {}),
        RunState(),
        "wrote down 1 route as found; restore.sh puts that back without cutover",
    ),
    (
        records.phase_changed("SHIFTING", "SETTLING", "x", 1),
        replace(AT_FIVE, phase=Phase.SHIFTING, target=1),
        "raised to 50 % on 2 routes, read back twice",
    ),
    (records.intent(RULE, "move", 1, 1, "", config_body(CONFIG), 50, "x"), AT_FIVE, None),
    (
        records.intent(RULE, "move", 1, 2, "", config_body(CONFIG), 50, "x"),
        AT_FIVE,
        "writing 5 % to rule 9683b2d02a6cabee again (attempt 2)",
    ),
    (ev.Outcome(RULE, 1, "applied"), AT_FIVE, None),
    (
        ev.Outcome(RULE, 1, "applied", "", "it may have dropped Pace"),
        AT_FIVE,
        "rule 9683b2d02a6cabee: AWS took the write (it may have dropped Pace)",
    ),
    (
        ev.Outcome(RULE, 1, "applied"),
        BACK,
        "rule 9683b2d02a6cabee: AWS took the restore; reading it back",
    ),
    (
        ev.Outcome(LISTENER, 1, "ambiguous", "timeout", "read timed out"),
        AT_FIVE,
        "listener f2f7dc8efc522ab2: no clear answer to the write (timeout read timed out); reading tells whether it took",
    ),
    (
        ev.Outcome(RULE, 1, "not_applied", "Throttling", "Rate exceeded"),
        AT_FIVE,
        "rule 9683b2d02a6cabee: AWS refused the write: Throttling Rate exceeded",
    ),
    (
        ev.Outcome(RULE, 1, "not_applied", "AccessDenied", "no", denied=1),
        AT_FIVE,
        "rule 9683b2d02a6cabee: AWS denied the write: AccessDenied no",
    ),
    (
        ev.Outcome(RULE, 1, "cancelled", "", "too late after the look"),
        AT_FIVE,
        "rule 9683b2d02a6cabee: not sent: too late after the look",
    ),
    (
        ev.Outcome(RULE, 1, "impossible", "", "the groups are gone"),
        BACK,
        "rule 9683b2d02a6cabee: cannot be restored by cutover: the groups are gone",
    ),
    (ev.Verified(RULE, "ab", 50, 0, 1), AT_FIVE, None),
    (
        ev.Verified(RULE, "ab", 0, 0, 1),
        BACK,
        "rule 9683b2d02a6cabee: restored, read back twice; the destination's weight is 0 %",
    ),
    (
        records.weight_observed(
            0, 0, {COMPARISON: 49}, "observed 4.9 % of 6000 requests at weight 5 %"
        ),
        AT_FIVE,
        "the split is in effect: observed 4.9 % of 6000 requests at weight 5 %",
    ),
    (records.gate_judged("errors", COMPARISON, "WAITING", "few", 0), AT_FIVE, None),
    (
        records.gate_judged("errors", COMPARISON, "UNKNOWN", "no datapoint for 3 minutes", 0),
        AT_FIVE,
        "errors: no verdict: no datapoint for 3 minutes",
    ),
    (
        records.gate_judged("errors", COMPARISON, "PASS", "0 of 900 failed", 0),
        replace(
            AT_FIVE, verdicts={("errors", COMPARISON): records.verdicts("UNKNOWN", "", START)}
        ),
        "errors: passes again: 0 of 900 failed",
    ),
    (records.gate_judged("errors", COMPARISON, "BREACH", "bad", 0), AT_FIVE, None),
    (
        records.gate_judged("errors", COMPARISON, "BREACH", "bad", 0),
        replace(AT_FIVE, phase=Phase.ATTACHING),
        "errors: would be a breach: bad",
    ),
    (ev.MinuteSettled(COMPARISON, 0, {"destination.requests": 9}), AT_FIVE, None),
    (ev.MinuteCorrected(COMPARISON, 0, {"destination.requests": 9}), AT_FIVE, None),
    (
        ev.Observed(
            "unreadable", {"route": RULE, "code": "Throttling", "reason": "Rate exceeded"}
        ),
        AT_FIVE,
        "rule 9683b2d02a6cabee: cannot be read now (Throttling Rate exceeded)",
    ),
    (
        ev.Observed(
            "alarming",
            {"gate": "errors", "comparison": COMPARISON, "at_ms": 0, "why": "90 of 100 failed"},
        ),
        AT_FIVE,
        "errors: 90 of 100 failed; reading that minute once more",
    ),
    (
        ev.Observed("overwritten", {"route": RULE}),
        BACK,
        "rule 9683b2d02a6cabee: somebody else keeps undoing the restore; a person must look",
    ),
    (
        ev.Observed("escalated", {"routes": [RULE], "why": "x"}),
        BACK,
        "not restored after 60s: rule 9683b2d02a6cabee; cutover goes on trying, these commands do the same by hand",
    ),
    (ev.Observed("health", {"arn:x:targetgroup/eks/1": "2/3"}), AT_FIVE, None),
    (
        ev.Observed("health", {"arn:x:targetgroup/eks/1": "2/3"}),
        replace(AT_FIVE, observed={"health": {"arn:x:targetgroup/eks/1": "3/3"}}),
        "healthy targets: eks 2 of 3 (was 3 of 3)",
    ),
    (ev.Observed("config", {"route": RULE}), AT_FIVE, None),
    (ev.CommandGiven("pause", "ana", "lunch"), AT_FIVE, "ana says pause: lunch"),
    (ev.CommandGiven("interrupt", "keyboard", signal=2), AT_FIVE, "Ctrl-C received"),
    (
        records.gap("this turn is late", 45_000),
        AT_FIVE,
        "lost 45s: this turn is late; passes and bakes start afresh",
    ),
    (
        ev.Drift(RULE, "ab", config_body(RouteConfig("{}", Weight(500), attached=True))),
        AT_FIVE,
        "rule 9683b2d02a6cabee: changed by somebody else, now at 50 %, 5 % was set",
    ),
    (records.note("worth remembering"), AT_FIVE, "worth remembering"),
    (
        records.close(130, "HOLDING", "interrupted"),
        replace(AT_FIVE, phase=Phase.HOLDING),
        (
            "the process ends with 130: ended by Ctrl-C, journalled; the weight stays at 5 % and nobody keeps watch: "
            "`cutover resume` or `cutover rollback`"
        ),
    ),
)


@pytest.mark.parametrize(
    ("event", "state", "told"), SAMPLES, ids=lambda x: getattr(x, "type", None)
)
def test_a_record_is_told_in_its_own_sentence(
    event: ev.Event, state: RunState, told: str | None
) -> None:
    assert say(event, state) == told


def test_every_record_type_has_a_sample() -> None:
    assert {type(event) for event, _, _ in SAMPLES} == set(ev.TYPES.values())


def test_a_later_process_is_told_with_the_command_that_called_it() -> None:
    assert (
        say(ev.LeaseTaken("ana", "b2", 9, "resume"), epoch=2)
        == "taken up by ana on b2 (pid 9) for `cutover resume`"
    )


MOVES = [(before, after) for before, ways in TRANSITIONS.items() for after in ways]


@pytest.mark.parametrize(("before", "after"), MOVES)
def test_every_legal_move_is_told(before: Phase, after: Phase) -> None:
    state = replace(AT_FIVE, phase=before, held=None)
    hold = str(Hold.PAUSED) if after is Phase.HOLDING else ""
    told = say(records.phase_changed(before, after, "the reason", 0, hold), state)
    assert told
    if after in (
        Phase.HOLDING,
        Phase.ROLLING_BACK,
        Phase.REFUSED,
        Phase.NEEDS_HUMAN,
        Phase.ABANDONED,
    ):
        assert "the reason" in told


def test_every_phase_names_what_to_type_next() -> None:
    assert set(NEXT) == set(Phase)


@pytest.mark.parametrize("hold", Hold)
def test_every_hold_says_the_reason_the_deadline_what_then_and_the_command(hold: Hold) -> None:
    deadline = wall_text(START.plus(2 * HOUR).wall)
    told = say(
        records.phase_changed(
            "BAKING", "HOLDING", "because of this", 0, hold=hold, deadline=deadline
        )
    )
    assert told is not None
    assert told.startswith("holding at 5 %: because of this; ")
    assert "`cutover " in told
    if hold is Hold.INTERRUPTED:
        assert told.endswith("(the process ends: nobody keeps a deadline)")
    else:
        then = "it rolls back" if HOLDS[hold].rolls_back else "this is said again"
        assert told.endswith(f"(until 11:01Z, then {then})")
    assert HOLDS[hold].clears == ("by itself" in told or hold in (Hold.APPROVAL, Hold.WINDOW))


def test_words_exist_for_every_reason_to_hold() -> None:
    assert set(HOLD_WORDS) == set(Hold) == set(HOLDS)


def test_an_approval_is_asked_with_its_command() -> None:
    why = "50 % needs approval: Load test says EKS holds 50 %"
    plan = plan_of(notify=[{"slack": "env:SLACK_WEBHOOK"}])
    deadline = wall_text(START.plus(2 * HOUR).wall)
    record = ev.Record(
        7,
        1,
        START,
        records.phase_changed("BAKING", "HOLDING", why, 0, hold="approval", deadline=deadline),
    )
    assert sentence(plan, AT_FIVE, record) == (
        "holding at 5 %: 50 % needs approval: Load test says EKS holds 50 %; say `cutover approve`, or `cutover rollback` "
        "(until 11:01Z, then people are paged again)"
    )


def test_a_hold_without_a_comparison_says_what_to_look_at_what_to_type_and_when_it_goes_back() -> (
    None
):
    said = "300 of 6,000 requests failed (5.0 %), no source traffic is left to compare with"
    why = records.judged("errors", COMPARISON, said)
    deadline = wall_text(START.plus(15 * MINUTE).wall)
    told = say(
        records.phase_changed("BAKING", "HOLDING", why, 0, hold="no_control", deadline=deadline)
    )
    assert told == (
        "holding at 5 %: errors: 300 of 6,000 requests failed (5.0 %), no source traffic is left to compare with; look whether "
        "what both sides use fails too; `cutover rollback`, or `cutover pause` waits until you say more (`cutover resume` asks "
        "again while it lasts); goes on by itself when the destination is well (then a fresh bake) (until 09:16Z, then it rolls back)"
    )


HELD_BACK = plan_of(hold_back="5%")
AT_SLIVER = replace(AT_FIVE, step=2, target=2, weights=((START.wall_ms, 950),))


@pytest.mark.parametrize(
    ("event", "state", "told"),
    [
        (
            records.phase_changed("BAKING", "SHIFTING", "every gate passes", 3),
            AT_SLIVER,
            "the last bake passed -> handing over: raising to 100 % (step 4 of 4)",
        ),
        (
            records.phase_changed("SETTLING", "BAKING", "observed", 3),
            replace(AT_SLIVER, phase=Phase.SETTLING, step=3),
            "looking once more at 100 % (step 4 of 4): complete when no gate objects",
        ),
        (
            records.phase_changed("BAKING", "COMPLETED", "done", 3),
            replace(AT_SLIVER, step=3, weights=((START.wall_ms, 1000),)),
            (
                "completed: 100 % on 1 route, the last bake passed at 95 % and no gate objects; the source stays attached: "
                "`cutover rollback` goes back until `cutover finish`"
            ),
        ),
    ],
)
def test_a_hand_over_is_told_as_one(event: ev.PhaseChanged, state: RunState, told: str) -> None:
    assert sentence(HELD_BACK, state, ev.Record(7, 1, START, event)) == told


def test_a_hold_that_rolls_back_at_its_deadline_does_not_say_so_when_the_plan_forbids_it() -> None:
    plan = plan_of(safety={"on_hold_timeout": "hold"})
    event = records.phase_changed(
        "BAKING", "HOLDING", "no data", 0, hold="no_data", deadline="2026-03-03T08:00:00.000Z"
    )
    told = sentence(plan, AT_FIVE, ev.Record(7, 1, START, event))
    assert told is not None
    assert told.endswith("(until 2026-03-03 08:00Z, then this is said again)")


def test_a_window_says_when_it_ends() -> None:
    plan = plan_of(windows=[{"not": "Mon 08:00-Mon 12:00", "zone": "UTC"}])
    event = records.phase_changed("BAKING", "HOLDING", "no raise", 0, hold="window")
    told = sentence(plan, AT_FIVE, ev.Record(7, 1, START, event))
    assert told is not None
    assert (
        "no raise inside the window Mon 08:00-Mon 12:00 UTC; goes on by itself at 12:00Z" in told
    )


def test_holding_again_for_the_same_reason_says_still() -> None:
    held = records.held(Hold.PAUSED, "x", START, 0)
    told = say(
        records.phase_changed("HOLDING", "HOLDING", "x", 0, hold="paused"),
        replace(AT_FIVE, phase=Phase.HOLDING, held=held),
    )
    assert told is not None
    assert told.startswith("still holding at 5 %")


def test_a_breach_the_rollback_and_the_reason_are_one_sentence() -> None:
    told = say(records.phase_changed("BAKING", "ROLLING_BACK", WHY, 0, cause="breach"))
    assert told == (
        "breach on errors: 90 of 9,000 requests failed (1.00 %), allowed 0.21 % given the source -> rolling back from 5 %"
    )


@pytest.mark.parametrize(
    ("attempt", "how"), [(1, "in one write per route"), (3, "in up to 3 writes per route")]
)
def test_the_end_of_a_rollback_says_how_and_why(attempt: int, how: str) -> None:
    sent = Sent("restore", 0, attempt, "", CONFIG, 0, START)
    known = RouteState(snapshot=CONFIG, committed=CONFIG, sent=sent, restored=START)
    state = replace(BACK, routes={RouteId(RULE): known})
    assert say(records.phase_changed("ROLLING_BACK", "ROLLED_BACK", WHY, 0), state) == (
        f"rolled back {how}; read back twice, and again 60 s later; the reason: breach on errors: "
        "90 of 9,000 requests failed (1.00 %), allowed 0.21 % given the source"
    )


def test_evidence_that_stops_is_not_called_by_the_machines_own_name() -> None:
    assert say(
        records.gate_judged("minutes", COMPARISON, "UNKNOWN", "no settled minute for 185 s", 0)
    ) == ("evidence: no verdict: no settled minute for 185 s")
    stale = records.judged("minutes", COMPARISON, "no settled minute for 600 s")
    why = because(Code.NO_DATA_TOO_LONG, span=10 * MINUTE, because=stale)
    assert say(records.phase_changed("BAKING", "ROLLING_BACK", why, 0, cause="no_data")) == (
        "blind for 10m in an unproven step; evidence: no settled minute for 600 s -> rolling back from 5 %"
    )


def test_nothing_from_outside_can_move_the_cursor_or_break_the_line() -> None:
    for event in (
        records.note("a\nb\x1b[2Jc\u202ed\x9b"),
        ev.Outcome(RULE, 1, "not_applied", "X", "evil\r\n2026 COMPLETED\x1b]0;title\x07"),
        ev.CommandGiven("pause", "eve\x1b[31m", "line\u2028break"),
    ):
        told = say(event)
        assert told is not None
        assert told.isprintable()


@pytest.mark.parametrize(
    ("event", "state", "told"),
    [
        (
            records.close(4, "ROLLING_BACK", "ended by a person"),
            BACK,
            (
                "the process ends with 4: needs a human: a route is not verified as restored; ended by a person; "
                "`cutover rollback` goes on"
            ),
        ),
        (
            records.close(0, "FINISHED", ""),
            replace(AT_FIVE, phase=Phase.FINISHED),
            "the process ends with 0: finished",
        ),
        (records.close(77, "BAKING", ""), AT_FIVE, "the process ends with 77: unknown"),
        (
            ev.Verified(RULE, "ab", 0, 0, 1),
            replace(AT_FIVE, phase=Phase.NEEDS_HUMAN),
            "rule 9683b2d02a6cabee: a read agrees that it is restored",
        ),
        (
            ev.Verified(RULE, "ab", 50, 0, 1),
            replace(AT_FIVE, phase=Phase.HOLDING),
            "rule 9683b2d02a6cabee: taken as it is now, at 5 %",
        ),
        (
            records.gate_judged("errors", COMPARISON, "PASS", "fine", 0),
            replace(
                AT_FIVE, verdicts={("errors", COMPARISON): records.verdicts("PASS", "", START)}
            ),
            None,
        ),
        (
            ev.Drift("arn:odd", "ab", config_body(RouteConfig("{}", None, attached=False))),
            AT_FIVE,
            "route arn:odd: changed by somebody else, now without a weight of ours, 5 % was set",
        ),
        (
            ev.Observed("health", {"eks": "2/3", "ec2": "3/3"}),
            replace(AT_FIVE, observed={"health": {"eks": "3/3", "ec2": "3/3"}}),
            "healthy targets: eks 2 of 3 (was 3 of 3)",
        ),
        (
            records.phase_changed("SHIFTING", "SETTLING", "x", 0),
            replace(AT_FIVE, phase=Phase.SHIFTING),
            "at 5 % on 2 routes, read back twice",
        ),
        (
            records.phase_changed("HOLDING", "BAKING", "approved", 0),
            replace(AT_FIVE, phase=Phase.HOLDING),
            "approved -> back to baking 5 % (step 1 of 3); the evidence went on meanwhile",
        ),
        (
            records.phase_changed(
                "ATTACHING", "ROLLING_BACK", "rollback said by ana", -1, cause="command"
            ),
            RunState(phase=Phase.ATTACHING),
            "rollback said by ana -> rolling back (no step was raised)",
        ),
        (records.gap("jump", 65_000), AT_FIVE, "lost 1m: jump; passes and bakes start afresh"),
        (
            records.phase_changed("ROLLING_BACK", "NEEDS_HUMAN", "the groups are gone", 0),
            replace(BACK, routes={RouteId(RULE): RouteState(impossible=True)}),
            (
                "a person is needed (rule 9683b2d02a6cabee): the groups are gone; restore.sh or your own hands, then "
                "`cutover rollback --confirm-restored`; `cutover rollback` tries again, "
                '`cutover finish --leave-as-is "why"` keeps it'
            ),
        ),
    ],
)
def test_the_rarer_turns_are_told_too(event: ev.Event, state: RunState, told: str | None) -> None:
    assert say(event, state) == told


def test_a_gate_names_its_comparison_where_there_are_several() -> None:
    other = {
        "listener": LISTENER,
        "source": SOURCE.replace("checkout-ec2", "cart-ec2"),
        "destination": DESTINATION.replace("checkout-eks", "cart-eks"),
    }
    plan = plan_of(routes=[TWO_ROUTES[0], other])
    event = records.phase_changed("BAKING", "ROLLING_BACK", WHY, 0, cause="breach")
    told = sentence(plan, AT_FIVE, ev.Record(7, 1, START, event))
    assert told is not None
    assert told.startswith(
        "breach on errors (checkout-ec2>checkout-eks): 90 of 9,000 requests failed"
    )


# --- the sequential judge: whose counts, of which minutes, and what to do

JUDGED = {"max": "1%", "versus_source": {"ratio": 2.0, "floor": "0.2%"}}


def judging(weight: int = 500, **options: object) -> Gate:
    """A gate `errors` whose source failed 0.1 % of 60,000 requests a minute for an hour."""
    before = [minute_of(at, group("source", 60_000, 60)) for at in range(-60, 0)]
    return Gate("errors", {**JUDGED, **options}, weight=weight).before(*before)


def both(
    at: int, bad: int, source_bad: int, requests: object = 30_000, source: object = 30_000
) -> Minute:
    return minute_of(at, group("source", source, source_bad), group("destination", requests, bad))


def test_a_step_that_failed_with_its_source_does_not_ask_for_more_requests() -> None:
    sick, well = (
        [both(at, 12_000, 11_700) for at in range(4)],
        [both(at, 30, 30) for at in range(4, 8)],
    )
    gate = judging().feed([*sick, *well])
    assert gate.says(bake_ms=0).why == (
        "48,120 of 240,000 requests failed (20.05 %) in this step, too many to go on (at most 5.00 % may); the destination is "
        "not blamed, because 46,920 of 240,000 (19.55 %) of the source's failed too in the same minutes; goes on by itself once "
        "enough others are well, or after a fresh bake (`cutover pause`, then `cutover resume`)"
    )
    assert (
        gate.restart().feed(both(at, 30, 30) for at in range(8, 10)).says().verdict.name == "PASS"
    )


def test_a_step_whose_source_has_no_requests_left_is_told_what_it_last_showed() -> None:
    sick = [both(at, 12_000, 11_700) for at in range(10)]
    alone = [both(at, 24_000, 0, 60_000, GONE) for at in range(10, 14)]
    gate = judging().feed(sick).step(10, 1000).feed(alone)
    assert gate.says().why.startswith(
        "96,000 of 240,000 requests failed (40.00 %) in this step, too many to go on (at most 5.00 % may); the destination is "
        "not blamed, because 35,100 of 90,000 (39.00 %) of the source's failed too when it last had requests; goes on"
    )


def test_nobody_names_a_source_that_was_well() -> None:
    """An incident at 100 % that nobody could attribute is over: its minutes are no evidence, and count in the step."""
    alone = [both(at, 20_000 if 10 <= at < 14 else 30, 0, 60_000, GONE) for at in range(19)]
    said = judging(weight=1000).feed(alone).says()
    assert "too many to go on" in said.why
    assert "the source's failed" not in said.why
    assert "; the destination is not blamed: evidence against it 0." in said.why
    assert said.why.index("left out of that evidence: ") < said.why.index("`cutover resume`")


def test_a_rate_that_the_plan_allows_waits_for_its_time_not_for_more_requests() -> None:
    gate = judging(max="10%", versus_source=None).feed(both(at, 2_000, 30) for at in range(10))
    assert gate.says(bake_ms=10 * MINUTE).why == (
        "20,000 of 300,000 requests failed (6.67 %) in this step, more than 5.00 %: goes on 20 minutes beyond the bake, "
        "or once fewer fail"
    )
    late = gate.feed(both(at, 2_000, 30) for at in range(10, 40)).says(bake_ms=10 * MINUTE)
    assert late.verdict.name == "PASS"
    assert late.why == (
        "80,000 of 1,200,000 requests failed (6.67 %) in this step; waited 20 minutes beyond the bake for fewer and goes on: "
        "up to 6.71 % may be bad (95 %), not surely more than the plan's `max`"
    )


def test_a_pass_says_which_counts_are_the_steps_and_which_limit_is_the_newest_minutes() -> None:
    sick, well = (
        [both(at, 1_200, 1_200) for at in range(2)],
        [both(at, 30, 30) for at in range(2, 20)],
    )
    said = judging().feed([*sick, *well]).says()
    assert said.verdict.name == "PASS"
    assert said.why == (
        "2,940 of 600,000 requests failed (0.49 %) in this step, at most 0.51 % (95 %); "
        "allowed 0.22 % in its newest judged minute; evidence against it 0.0 of 200"
    )


def lost(at: int, destination: object, failed: int = 0) -> Minute:
    return minute_of(
        at, group("source", 57_000, 57), group("destination", destination, failed), elb_503=3_500
    )


def test_requests_that_found_no_target_are_told_as_the_load_balancers() -> None:
    """`RequestCount` of the destination is empty in CloudWatch: who looks must find the number."""
    gate = judging(weight=50)
    assert (
        gate.feed(lost(0, GONE))
        .says()
        .why.startswith(
            "3,000 of 3,000 requests failed (100.00 %) in one minute, all of them answered 503 by the load balancer because no "
            "target took them, allowed "
        )
    )
    assert (
        gate.feed(lost(1, 1_000, 10))
        .says()
        .why.startswith(
            "5,010 of 6,000 requests failed (83.50 %) in the last 2 judged minutes, 5,000 of them answered 503 by the load balancer "
            "because no target took them, allowed "
        )
    )


def test_requests_that_found_no_target_are_whole_ones() -> None:
    odd = minute_of(0, group("source", 1_234, 1), group("destination", GONE), elb_503=500)
    assert (
        judging(weight=50).feed(odd).says().why.startswith("65 of 65 requests failed (100.00 %)")
    )


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        (
            3_000,
            (
                "the source is bad too: 3,000 of 30,000 (10.00 %) of its requests failed in its newest bad minute, "
                "3,000 of 30,000 (10.00 %) of the destination's"
            ),
        ),
        (
            30,
            (
                "the source is bad: 3,000 of 30,000 (10.00 %) of its requests failed in its newest bad minute, "
                "30 of 30,000 (0.10 %) of the destination's"
            ),
        ),
    ],
)
def test_a_bad_source_is_bad_too_only_when_the_destination_is(bad: int, said: str) -> None:
    assert judging().feed(both(at, bad, 3_000) for at in range(3)).says().why == said


def test_a_bad_source_is_told_alone_while_the_destination_has_no_requests() -> None:
    silent = [both(at, 0, 3_000, GONE) for at in range(1, 3)]
    assert judging().feed([both(0, 30, 30), *silent]).says().why == (
        "the source is bad: 3,000 of 30,000 (10.00 %) of its requests failed in its newest bad minute"
    )


def test_a_minute_still_being_published_tells_what_found_no_target_too() -> None:
    early = minute_of(10, group("source", 57_000, 57), group("destination", GONE), elb_503=1_000)
    said = (
        judging(weight=50).feed(both(at, 3, 57, 3_000, 57_000) for at in range(10)).alarming(early)
    )
    assert said is not None
    assert said.why.startswith(
        "1,000 of 3,000 requests failed (33.33 %) in one minute (some still being published), all of them answered 503 by "
        "the load balancer because no target took them, allowed "
    )


def test_a_step_that_must_see_many_requests_never_goes_on_with_too_many_failures() -> None:
    gate = judging(max="10%", versus_source=None, min_requests=1_000)
    said = gate.feed(both(at, 2_000, 30) for at in range(40)).says(bake_ms=10 * MINUTE)
    assert "too many to go on (at most 5.00 % may)" in said.why


def test_a_fresh_bake_tells_only_what_the_source_did_since() -> None:
    gate = judging().feed(both(at, 12_000, 11_700) for at in range(4)).restart()
    gate.feed([both(4, 12_000, 11_700), *(both(at, 30, 30) for at in range(5, 8))])
    assert (
        "because 11,790 of 120,000 (9.82 %) of the source's failed too" in gate.says(bake_ms=0).why
    )


def test_a_pass_before_any_minute_was_judged_tells_no_limit() -> None:
    """Latency is not judged in the first minute of a step, when caches are cold."""
    tables = {"source": {200: 225}, "destination": {250: 30}}
    minute = minute_of(
        0,
        *(group(side, 1_500) for side in tables),
        *(slow(side, table) for side, table in tables.items()),
    )
    gate = Gate("latency", {"percentile": 95, "versus_source": {"ratio": 1.25}}).feed(minute)
    assert gate.says().why == (
        "30 of 1,500 requests were slower than 250ms, 1.25 x the source's p95 (2.00 %) in this step, at most 2.93 % (95 %); "
        "evidence against it 0.0 of 400"
    )
