"""A rehearsal whose trouble never happened is never `as expected`, however well it ended."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.command import called
from tests.emulator.fresh import fresh_plan

Writer = Callable[[str], Path]


@pytest.fixture
def short(tmp_path: Path) -> Path:
    """A plan of two steps and half an hour."""
    path = tmp_path / "short.yaml"
    path.write_text(fresh_plan((10, 100)))
    return path


@pytest.fixture
def scenario(tmp_path: Path) -> Writer:
    def write(text: str) -> Path:
        path = tmp_path / "mine.yaml"
        path.write_text(f"description: a test\n{text}")
        return path

    return write


NOTHING = """
effects:
  - {when: {step: 9}, errors: 50%}
  - {lasts: 30s, errors: 50%}
  - {when: {way: 50%}, alarm: nobodys}
  - {when: {way: 50%}, log_bytes_factor: 9}
  - {when: {way: 100%, bake: 50%}, lasts: 1s, propagation: 9m}
health: [{when: {way: 50%}, zone: 6, state: gone}]
writer: [{when: {way: 50%}, route: 2, weight: 0}]
faults:
  - {operation: ModifyListener, kind: throttled}
  - {operation: DescribeRules, kind: partial_data}
  - {operation: Modify*, kind: throttled, skip: 99}
operator: [{when: {hold: drift}, command: rollback}]
crash: [{when: {phase: ROLLING_BACK}, point: before_write}]
expect: {outcome: completed, harmed_at_most: 0}
"""
TOLD = [
    "`effects` entry 1 (errors: 50%) never began: it waits for step 9, and the plan has 3",
    "`effects` entry 2 (lasts: 30s, errors: 50%) began, but `errors` hit no request of the destination",
    "`effects` entry 3 (alarm: nobodys) began, but the run watched no alarm that is called nobodys",
    "`effects` entry 4 (log_bytes_factor: 9.0) began, but the plan has no `metric` gate",
    "`effects` entry 5 (lasts: 1s, propagation: 9m) began, but no weight was written",
    "`health` entry 1 (zone: 6, state: gone) began, but no target of the destination was gone by it",
    "`writer` entry 1 (route: 2, weight: 0) began, but it changed no route",
    "`faults` entry 1 (operation: ModifyListener, kind: throttled) began, but no ModifyListener call",
    "`faults` entry 2 (operation: DescribeRules, kind: partial_data) began, but no DescribeRules call",
    "`faults` entry 3 (operation: Modify*, kind: throttled, skip: 99) began, but no Modify* call",
    "`operator` entry 1 (command: rollback) never began: it waits for a hold for `drift`",
    "`crash` entry 1 (point: before_write) never began: it waits for phase ROLLING_BACK",
]


@pytest.mark.slow
def test_whatever_never_began_or_met_nothing_is_named_and_is_not_as_expected(
    short: Path, scenario: Writer
) -> None:
    shown = called("rehearse", short, "--scenario", scenario(NOTHING))
    assert shown.code == 9
    assert "as expected" not in shown.out
    said = [line for line in shown.err.splitlines() if "NOT REACHED" in line]
    for line, told in zip(said, TOLD, strict=True):
        assert told in line
        assert "the run ended completed, at most at 100 %" in line


@pytest.mark.slow
def test_a_scenario_that_expects_nothing_is_not_reached_too(short: Path, scenario: Writer) -> None:
    text = "effects: [{when: {step: 9}, errors: 50%}]\n"
    shown = called("rehearse", short, "--scenario", scenario(text), "--json")
    assert shown.code == 9
    end = shown.objects[-1]
    assert (end["verdict"], end["as_expected"]) == ("not_reached", False)
    assert "step 9" in end["unreached"][0]


@pytest.mark.slow
def test_an_entry_that_is_optional_may_stay_away(short: Path, scenario: Writer) -> None:
    text = (
        "effects: [{optional: true, when: {step: 9}, errors: 50%}]\nexpect: {outcome: completed}\n"
    )
    shown = called("rehearse", short, "--scenario", scenario(text))
    assert (shown.code, shown.err) == (0, "")
    assert "as expected" in shown.out


EVERYTHING = """
effects:
  - {when: {way: 50%, bake: 10%}, lasts: 2m, latency_factor: 1.01, requests_factor: 1.01, metrics_delay: 1m}
  - {when: {way: 50%, bake: 10%}, propagation: 30s}
  - {when: {way: 50%, bake: 50%}, lasts: 1m, errors: 1%}
health: [{when: {way: 50%, bake: 20%}, lasts: 1m, count: 1}]
writer: [{when: {way: 100%, bake: 70%}, weight: 50}]
faults:
  - {when: {way: 100%}, operation: Modify*, kind: lost_reply, times: 1}
  - {when: {way: 50%, bake: 30%}, operation: DescribeRules, kind: delayed, by: 1s, times: 1}
operator:
  - {when: {way: 50%, bake: 60%}, command: pause}
  - {when: {hold: paused, after: 1m}, command: resume}
  - {when: {hold: drift, after: 1m}, command: rollback}
crash: [{when: {way: 50%}, point: after_write, back_after: 5m}]
expect: {outcome: rolled_back, weight: 0, held: paused, no_raise_after: true}
"""


@pytest.mark.slow
def test_whatever_happened_is_reached(short: Path, scenario: Writer) -> None:
    shown = called("rehearse", short, "--scenario", scenario(EVERYTHING))
    assert (shown.code, shown.err) == (0, "")


@pytest.mark.slow
def test_trouble_that_the_plan_does_not_stop_is_let_through_and_the_gate_for_it_is_named(
    short: Path, scenario: Writer
) -> None:
    text = (
        "effects: [{when: {way: 50%}, client_errors: 10%}]\nplan: {gates: [{errors: {max: 1%}}]}\n"
        "caught_by: [client_errors]\nexpect: {outcome: [held, rolled_back]}\n"
    )
    file = scenario(text)
    shown = called("rehearse", short, "--scenario", file, "--seed", 3)
    assert shown.code == 9
    assert "your plan let it through" in shown.err
    assert "a `client_errors` gate is there to catch this, and the plan has none" in shown.err
    assert f"again: cutover rehearse {short} --scenario {file} --seed 3" in shown.out


def test_a_scenario_that_a_plan_has_nothing_for_is_refused_with_what_it_needs(
    short: Path, scenario: Writer
) -> None:
    needs = "{gates: [alarm, healthy.zones], steps: 5, approval: true, last_bake: 1h, bakes: 20m}"
    shown = called("rehearse", short, "--scenario", scenario(f"needs: {needs}\n"))
    assert shown.code == 2
    assert (
        "does not apply to plan minimal: needs an `alarm` gate and a `healthy` gate with `zones` and at least 5 steps "
        "and a step with `approve` and a last bake of at least 1h and bakes of at least 20m"
    ) in shown.err


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("efects: []\n", "did you mean `effects`?"),
        ("effects: [{erors: 5%}]\n", "did you mean `errors`?"),
        ("effects: [{when: {phase: BAKNG}, errors: 5%}]\n", "did you mean BAKING?"),
        ("effects: [{when: {hold: aproval}, errors: 5%}]\n", "did you mean approval?"),
        ("needs: {gates: [latancy]}\n", "did you mean latency?"),
        ("needs: {gates: [latency.percentil]}\n", "did you mean percentile?"),
        ("expect: {outcome: rolledback}\n", "did you mean rolled_back?"),
        ("effects: [{when: {step: 1}}]\n", "this effect changes nothing"),
        ("effects: [{side: balancer, errors: 5%}]\n", "`errors` is of a side"),
        ("writer: [{when: {step: 1}}]\n", "this write changes nothing"),
        ("effects: [{when: {step: 1, way: 50%}, errors: 5%}]\n", "both name the step"),
        ("expect: {weight: same}\n", "`unchanged` or `last`"),
    ],
)
def test_a_slip_in_a_scenario_is_told_with_the_nearest_name(
    text: str, meant: str, short: Path, scenario: Writer
) -> None:
    shown = called("rehearse", short, "--scenario", scenario(text))
    assert shown.code == 2
    assert meant in shown.err


def test_a_slip_in_a_scenarios_name_is_told_with_the_nearest_one(short: Path) -> None:
    assert "did you mean error-burst?" in called("rehearse", short, "--scenario", "eror-burst").err


@pytest.mark.slow
def test_a_new_scenario_ends_as_expected_as_it_is(
    short: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    told = called("rehearse", short, "--new", "bad-day")
    assert told.code == 0
    assert f"cutover rehearse {short} --scenario bad-day.yaml" in told.out
    assert called("rehearse", short, "--scenario", "bad-day.yaml").code == 0
    before = (tmp_path / "bad-day.yaml").read_text()
    for name in ("bad-day", "bad-day.yaml", "../../etc/ bad", ""):
        assert called("rehearse", "--new", name).code == 2
    assert (tmp_path / "bad-day.yaml").read_text() == before


@pytest.mark.slow
def test_periods_that_the_emulation_cannot_publish_are_said_and_not_taken_for_blindness(
    short: Path,
) -> None:
    short.write_text(short.read_text() + "observe: {period: 10s, settle: 20s, poll: 5s}\n")
    shown = called("rehearse", short)
    assert shown.code == 0
    assert (
        "rehearsed with `observe: {period: 1m, settle: 2m}` instead of `{period: 10s, settle: 20s}`"
        in shown.err
    )


ASKING = "steps: [{weight: 10, bake: 10m, approve: go}, {weight: 100, bake: 10m, approve: go}]\n"
DRIFT = """
exit_on_hold: true
writer: [{when: {way: 100%, bake: 20%}, weight: 0}]
expect: {outcome: held, reason: changed, no_raise_after: true}
"""


@pytest.mark.slow
def test_approvals_are_given_also_to_a_run_that_ends_when_it_holds(
    short: Path, scenario: Writer
) -> None:
    text = short.read_text()
    begin, end = text.index("steps:"), text.index("hold_back:")
    short.write_text(text[:begin] + ASKING + text[end:])
    shown = called("rehearse", short, "--scenario", scenario(DRIFT))
    assert (shown.code, shown.err) == (0, "")
