"""The preview of a plan, preflight's findings, and the tables."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from cutover.core.preflight.finding import Finding, Severity
from cutover.core.routing import RouteConfig
from cutover.core.schedule import RoutePreview
from cutover.core.values import Weight
from cutover.render.plan import plan_json, plan_view
from cutover.render.tables import (
    RehearsalRow,
    RunRow,
    findings_view,
    list_view,
    rehearsal_line,
    rehearsals_list_view,
    rehearsals_view,
)
from cutover.render.text import columns
from tests.fakes import DESTINATION, SOURCE, TWO_ROUTES, plan_of

STARTS = datetime(2026, 11, 20, 22, 0, tzinfo=UTC)


def actions(source: int, destination: int | None) -> RouteConfig:
    groups = [{"TargetGroupArn": SOURCE, "Weight": source}]
    if destination is not None:
        groups.append({"TargetGroupArn": DESTINATION, "Weight": destination})
    login = {
        "Type": "authenticate-cognito",
        "AuthenticateCognitoConfig": {"UserPoolArn": "arn:aws:cognito:\x1b[2J" + "p" * 90},
    }
    return RouteConfig(
        json.dumps([login, {"Type": "forward", "ForwardConfig": {"TargetGroups": groups}}]),
        None,
        attached=True,
    )


PLAN = plan_of(
    routes=TWO_ROUTES,
    managed_by="terraform",
    traffic="6000/min",
    windows=[{"not": "Fri 17:00-Mon 08:00", "zone": "Asia/Tokyo"}],
)
ROUTES = tuple(
    RoutePreview(
        route.id,
        actions(1, None),
        (
            (Weight(0), actions(999, 0)),
            (Weight(50), actions(950, 50)),
            (Weight(1000), actions(0, 999)),
        ),
        "keep",
        "no stickiness",
    )
    for route in PLAN.routes
)


@pytest.mark.parametrize("width", [60, 80, 100])
def test_the_preview_fits_and_cannot_move_the_cursor(width: int) -> None:
    lines = plan_view(PLAN, width, routes=ROUTES, starts=STARTS)
    assert max(columns(line) for line in lines) <= width
    assert all(line.isprintable() for line in lines)


def test_each_route_shows_what_goes_what_comes_and_the_way_back() -> None:
    lines = plan_view(PLAN, 100, routes=ROUTES)
    at = lines.index("rule 9683b2d02a6cabee")
    assert "    - forward  checkout-ec2 1" in lines[at:]
    assert "    +   0 %  forward  checkout-ec2 999  checkout-eks 0" in lines[at:]
    assert "    + 100 %  forward  checkout-ec2 0  checkout-eks 999" in lines[at:]
    assert "  rollback  the actions found are put back as they were (no stickiness)" in lines[at:]
    assert sum("authenticate-cognito" in line for line in lines) == 2  # once per route: it stays


def test_the_timeline_says_when_each_step_comes() -> None:
    lines = plan_view(PLAN, 100, starts=STARTS)
    assert "     5 %     +1m  22:01Z   10m    14m     4,200" in lines
    assert "  done after about 43m (about 22:43Z)" in lines
    assert "  no raise inside Fri 17:00-Mon 08:00 Asia/Tokyo" in lines


def test_each_step_says_what_it_sees_and_risks_and_which_traffic_that_is_of() -> None:
    lines = plan_view(PLAN, 100)
    assert "     5 %   10m     5m       1.1%     840       840   15+" in lines
    text = " ".join(" ".join(lines).split())
    assert "at 6000/min (the plan's traffic; the day's highest and lowest are not known)" in text
    assert "sees from: the smallest rate of failures caught within the bake" in text
    measured = " ".join(plan_view(PLAN, 100, rate=600.0))
    assert "at 600/min (measured over the last 15 minutes" in measured
    assert " 84 " in measured


@pytest.mark.parametrize("width", [60, 80])
def test_what_steps_see_and_risk_is_a_table_on_narrow_terminals_too(width: int) -> None:
    rows = [line.split() for line in plan_view(PLAN, width)]
    assert ["weight", "bake", "needs", "sees", "from", "outage", "overload", "leak"] in rows


def test_the_budget_stands_beside_what_the_plan_may_cost() -> None:
    plan = plan_of(traffic="6000/min", risk={"harmed_requests": 900})
    text = " ".join(" ".join(plan_view(plan, 100)).split())
    assert "risk.harmed_requests is 900" in text
    assert "costs 840 at most, at 5 %" in text


def test_without_an_errors_gate_nothing_is_promised() -> None:
    plan = plan_of(traffic="6000/min", gates=[{"healthy": {"min": 1}}])
    text = " ".join(" ".join(plan_view(plan, 100)).split())
    assert "what each step sees and risks: unknown; no `errors` gate ends a failure" in text


def test_unknown_traffic_is_a_question_mark_and_never_zero() -> None:
    text = "\n".join(plan_view(plan_of(), 100))
    assert "what each step sees and risks: unknown without traffic" in text
    assert text.count("        ?\n") == 3


def test_every_effective_default_is_printed() -> None:
    text = "\n".join(plan_view(PLAN, 100))
    for key, value in PLAN.effective_defaults():
        assert f"  {key} " in text
        assert value in text


@pytest.mark.parametrize(
    ("managed_by", "said"),
    [
        ("terraform", ["ignore_changes = [action]", "ignore_changes = [default_action]"]),
        ("cloudformation", ["ListenerRule Actions", "Listener DefaultActions"]),
        (None, ["managed_by is not said"]),
    ],
)
def test_infrastructure_code_is_told_what_to_leave_alone(
    managed_by: str | None, said: list[str]
) -> None:
    text = "\n".join(plan_view(plan_of(routes=TWO_ROUTES, managed_by=managed_by), 100))
    assert all(part in text for part in said)


def test_the_preview_is_json_too() -> None:
    found = plan_json(PLAN, routes=ROUTES, starts=STARTS)
    assert found == json.loads(json.dumps(found, allow_nan=False))
    assert found["schema"] == "cutover.plan.v1"


def test_what_blocks_comes_first_with_why_and_fix() -> None:
    lines = findings_view(
        [
            Finding("caller", Severity.OK, "account 123456789012"),
            Finding(
                "alias",
                Severity.WARN,
                "evaluates target health",
                "it may fail over",
                "Turn it off.",
            ),
            Finding(
                "net", Severity.BLOCK, "a network balancer", "it has no weights", "Use an ALB."
            ),
        ],
        60,
    )
    assert lines[:3] == [
        "BLOCKS   net: a network balancer",
        "         why  it has no weights",
        "         fix  Use an ALB.",
    ]
    assert lines[-2] == "ok       caller: account 123456789012"
    assert lines[-1] == "1 block, 1 warning, 1 fine: the run would be refused"


def test_runs_are_a_table_and_blocks_where_it_is_narrow() -> None:
    rows = [
        RunRow("checkout-20261120-1200", "checkout", "ROLLING_BACK", 50, alive=True, last=STARTS)
    ]
    assert (
        list_view(rows, 100)[1]
        == "checkout-20261120-1200  checkout  ROLLING_BACK     5 %  alive    2026-11-20 22:00:00Z"
    )
    assert max(map(columns, list_view(rows, 60))) <= 60
    assert "no runs yet" in list_view([], 60)[0]


def test_rehearsals_are_one_line_each_for_programs_and_fit_a_terminal() -> None:
    rows = [
        RunRow(
            "checkout-error-burst-20261120-120000-abcd", "checkout", "BAKING", 50, alive=alive, last=STARTS,
            mode="rehearsal", began=STARTS, interrupted=not alive, judge="sequential",
        )
        for alive in (True, False)
    ]  # fmt: skip
    head, running, interrupted = rehearsals_list_view(rows, None)
    assert head.split() == ["RUN", "PHASE", "WEIGHT", "PROCESS", "JUDGE", "BEGUN"]
    assert running.split()[-5:] == ["%", "running", "sequential", "2026-11-20", "22:00:00Z"]
    assert "interrupted" in interrupted
    for width in (60, 90, 200):
        assert max(map(columns, rehearsals_list_view(rows, width))) <= width
    assert len(rehearsals_list_view(rows, 90)) == 3
    assert "no rehearsals yet" in rehearsals_list_view([], None)[0]


HOUR = 3_600_000
ROWS = [
    RehearsalRow("healthy", "as expected", "completed", "completed", 1000, 0, 6 * HOUR),
    RehearsalRow(
        "error-burst",
        "let through",
        "rolled_back",
        "completed",
        1000,
        1234,
        3 * HOUR,
        why=("expected outcome rolled_back, got completed",),
        caught_by="an `errors` gate is there to catch this, and the plan has none",
        again="cutover rehearse mine.yaml --scenario error-burst",
    ),
    RehearsalRow(
        "lost-reply",
        "not reached",
        "completed",
        "completed",
        1000,
        0,
        HOUR,
        why=("no call met it",),
    ),
    RehearsalRow("alarm-fires", "does not apply", "rolled_back", why=("needs an `alarm` gate",)),
]


def test_rehearsals_end_in_one_table_that_says_what_went_wrong() -> None:
    lines = rehearsals_view(ROWS, 100)
    assert lines[2].split()[-4:] == ["1,234", "3h", "LET", "THROUGH"]
    assert lines[5:] == [
        "alarm-fires: does not apply: needs an `alarm` gate",
        "error-burst: your plan let it through: completed, 1,234 requests harmed",
        "  expected outcome rolled_back, got completed",
        "  an `errors` gate is there to catch this, and the plan has none",
        "  again: cutover rehearse mine.yaml --scenario error-burst",
        "lost-reply: not reached: completed, 0 requests harmed",
        "  no call met it",
        "4 scenarios: 1 as expected, 1 that your plan let through, 1 not reached: the trouble never happened,",
        "  1 not for this plan",
    ]
    assert max(map(columns, rehearsals_view(ROWS, 60))) <= 60


def test_each_scenario_is_one_line_as_it_ends() -> None:
    assert [rehearsal_line(row, done, 62) for done, row in enumerate(ROWS, start=8)] == [
        " 8/62 healthy: as expected, completed at most at 100 %, 0 harmed requests",
        " 9/62 error-burst: your plan let it through, completed at most at 100 %, 1,234 harmed requests",
        "10/62 lost-reply: not reached, completed at most at 100 %, 0 harmed requests",
        "11/62 alarm-fires: does not apply: needs an `alarm` gate",
    ]


def test_the_harm_under_both_judges_stands_side_by_side_at_100_columns() -> None:
    row = RehearsalRow(
        "nobody-to-compare-with-answered",
        "as expected",
        "rolled_back",
        "rolled_back",
        1000,
        1240,
        7 * 3_600_000,
        other=2980,
    )
    lines = rehearsals_view([row], 100)
    assert lines[1].split()[-4:] == ["1,240", "2,980", "7h", "ok"]
    assert "OTHER: harmed in the same world under the other judge" in lines
