"""`cutover schedule`: steps that fit a budget, and honest answers when none do."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from cutover.local.plan_file import plan_of_text
from tests.cli.command import Called, called
from tests.cli.emulated import Aws, emulated_aws

BUDGET = ("--budget", "harmed_requests=500")
RATE = ("--rate", "6000/min")


def block(out: str) -> str:
    """What of the output is not a comment."""
    return "\n".join(line for line in out.splitlines() if "#" not in line)


def test_the_steps_can_be_pasted_into_a_plan() -> None:
    shown = called("schedule", *BUDGET, *RATE)
    assert (shown.code, shown.err) == (0, "")
    assert block(shown.out).splitlines() == [
        "steps:",
        "  - {weight: 2, bake: 6m}",
        "  - {weight: 5, bake: 5m}",
        "  - {weight: 25, bake: 5m}",
        "  - {weight: 50, bake: 5m}",
        "  - {weight: 75, bake: 5m}",
        "  - {weight: 100, bake: 11m}",
        "hold_back: 5%",
    ]


GATES = """\
gates:
  - errors: {max: 1%, versus_source: {ratio: 2.0, floor: 0.2%}}
  - latency: {percentile: 95, versus_source: {ratio: 1.25}}
managed_by: none
"""


def pasted(minimal: Path, steps: str, rate: float, budget: int) -> list[str]:
    """What strict validation says of a plan with these steps."""
    head = minimal.read_text(encoding="utf-8").partition("steps:")[0]
    tail = f"traffic: {rate:g}/min\nrisk: {{harmed_requests: {budget}}}\n"
    return [one.message for one in plan_of_text(head + steps + GATES + tail).warnings]


@pytest.mark.parametrize("rate", [20, 60, 100, 200, 300, 357, 358, 700, 1_400, 6_000, 300_000])
@pytest.mark.parametrize(("seconds", "overload"), [(3, None), (30, None), (120, 0.06), (30, 0.3)])
def test_every_schedule_is_a_plan_that_strict_validation_takes(
    minimal: Path, rate: int, seconds: int, overload: float | None
) -> None:
    budgets = {"harmed_requests": round(rate / 60 * seconds)}
    if overload is not None:
        budgets["overload_requests"] = round(overload * rate)

    def asked() -> Called:
        said = (f"--budget={key}={most}" for key, most in budgets.items())
        return called("schedule", f"--rate={rate}/min", *said)

    shown = asked()
    if shown.code == 7:
        hint = shown.err.partition("hint: ")[2].partition(";")[0]
        budgets |= {key: int(least) for key, least in re.findall(r"(\w+_requests)=(\d+)", hint)}
        shown = asked()
    assert (shown.code, shown.err) == (0, "")
    assert "hold_back: " in shown.out
    assert pasted(minimal, shown.out, rate, budgets["harmed_requests"]) == []


OWN = "steps: [{weight: 20, bake: 30m}, {weight: 100, bake: 30m}]\n"


@pytest.mark.parametrize("rate", [6_000, 300])
@pytest.mark.parametrize("said", ["", "hold_back: 5%\n", "hold_back: 0%\n"])
def test_what_a_plan_does_not_hold_back_or_not_enough_is_proposed(
    minimal: Path, tmp_path: Path, rate: int, said: str
) -> None:
    plan = tmp_path / "plan.yaml"
    traffic = f"traffic: {rate}/min\nrisk: {{harmed_requests: {rate // 10}}}\n"
    head = minimal.read_text(encoding="utf-8").partition("steps:")[0]
    plan.write_text(head + OWN + GATES + said + traffic)
    shown = called("schedule", plan)
    held = said if said and not (rate == 300 and "5" in said) else ""
    held = held or f"hold_back: {'5' if rate == 6_000 else '0'}%\n"
    assert shown.code == 0
    assert block(shown.out).endswith(held.strip())
    assert ("leaves the source too few requests" in shown.err) == (rate == 300 and "5" in said)
    assert pasted(minimal, shown.out, rate, rate // 10) == []


@pytest.mark.parametrize("rate", [80, 300, 357, 358, 700, 1_400, 6_000])
@pytest.mark.parametrize("before", [25, 90, 95, 99])
@pytest.mark.parametrize("said", ["", "hold_back: 0.5%\n"])
def test_what_strict_validation_says_to_hold_back_is_what_it_takes(
    minimal: Path, rate: int, before: int, said: str
) -> None:
    def asked(before: int, said: str) -> list[str]:
        steps = f"[{{weight: 20, bake: 30m}}, {{weight: {before}, bake: 30m}}, {{weight: 100, bake: 30m}}]"
        head = minimal.read_text(encoding="utf-8").partition("steps:")[0]
        text = f"{head}steps: {steps}\n{said}{GATES}traffic: {rate}/min\n"
        return [one.fix for one in plan_of_text(text).warnings if "hold_back" in one.fix]

    found = asked(before, said)
    if said and not found:
        assert rate * 0.005 >= 50
        return
    share = re.search(r"`(hold_back: (\d+)%)`", found[0])
    assert share is not None
    lower = re.search(r"no step from (\d+) % on but 100", found[0])
    assert (lower is not None) == (before >= 100 - int(share[2]) and share[2] != "0")
    assert asked(int(lower[1]) - 1 if lower else before, share[1] + "\n") == []


def test_a_schedule_that_holds_nothing_back_says_what_that_means() -> None:
    out = called("schedule", *BUDGET, "--rate", "300/min").out
    assert "at 100 % a breach then asks a person\nhold_back: 0%" in out


def test_the_hand_over_at_the_end_is_named_when_it_is_what_does_not_fit(
    minimal: Path, tmp_path: Path
) -> None:
    plan = tmp_path / "plan.yaml"
    head = minimal.read_text(encoding="utf-8").partition("steps:")[0]
    plan.write_text(head + OWN + GATES + "hold_back: 5%\ntraffic: 300000/min\n")

    def asked(harmed: int, overload: int) -> Called:
        budgets = (f"--budget=harmed_requests={harmed}", f"--budget=overload_requests={overload}")
        return called("schedule", plan, *budgets)

    both = asked(500, 2_000)
    assert "harmed_requests=1092 and overload_requests=54600" in both.err
    assert "the 5 % of `hold_back` follow in one raise, which may fail about 54,600" in both.err
    end = asked(1_092, 10_920)
    assert "follow in one raise" in end.err
    assert "every raise by 1 %" not in end.err
    assert "the smallest that fits is overload_requests=54600" in end.err
    codes = [asked(1_092, 54_600).code, asked(1_091, 54_600).code, asked(1_092, 54_599).code]
    assert codes == [0, 7, 7]


def test_every_comment_says_what_its_step_sees_and_risks() -> None:
    out = called("schedule", *BUDGET, *RATE).out
    assert "6000/min (--rate), down to 4200/min and up to 7800/min over a day" in out
    assert len(re.findall(r"sees [0-9.]+% failing and more; an outage fails", out)) == 6


@pytest.mark.parametrize("columns", [60, 80])
def test_it_fits_a_narrow_terminal(columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    out = called("schedule", *BUDGET, *RATE).out
    assert max(map(len, out.splitlines())) <= columns


def test_a_plan_brings_its_gates_traffic_budget_and_what_it_holds_back(checkout: Path) -> None:
    found = called("schedule", checkout, "--json").object
    assert found["budget"] == {"harmed_requests": 500, "overload_requests": 6_000}
    assert found["traffic"]["trough"] == 4_200
    assert found["steps"][0]["blast"] <= 500


def test_json_says_the_same_in_numbers() -> None:
    found = called("schedule", *BUDGET, *RATE, "--time", "2h", "--json").object
    assert [step["weight_percent"] for step in found["steps"]] == [2, 5, 25, 50, 75, 100]
    assert found["hold_back_percent"] == 5
    assert found["takes_ms"] <= found["within_ms"] == 7_200_000


def test_a_smaller_overload_budget_takes_smaller_raises() -> None:
    few = called("schedule", *BUDGET, *RATE, "--json").object
    many = called(
        "schedule", *BUDGET, "--budget", "overload_requests=2000", *RATE, "--json"
    ).object
    assert len(many["steps"]) > len(few["steps"])
    assert max(step["overload"] for step in many["steps"]) <= 2_000


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((*RATE,), "how many requests may fail is not said"),
        ((*BUDGET,), "the traffic is not known"),
        (("--budget", "harmed=500", *RATE), "there is no budget 'harmed'"),
        (("--budget", "harmed_requests=-5", *RATE), "not KEY=N"),
        (("--budget", "harmed_requests=1.5", *RATE), "not KEY=N"),
        (("--budget", "harmed_requests", *RATE), "not KEY=N"),
        (("--budget", "harmed_requests=0", *RATE), "no step costs less than one request"),
        (("--budget", "harmed_requests=" + "9" * 400, *RATE), "too large"),
        (("--budget", "harmed_requests=99999999999999999999", *RATE), "999: too large"),
        (("--budget", "harmed_requests=00000000000000000000", *RATE), "less than one request"),
        ((*BUDGET, *BUDGET, *RATE), "given twice"),
        ((*BUDGET, "--rate", "6000"), "'6000' is not a rate"),
        ((*BUDGET, "--rate", "0/min"), "without requests no step can be judged"),
        ((*BUDGET, "--rate", "-1/min"), "is not a rate"),
        ((*BUDGET, "--rate", "\x1b[2J/min"), r"\x1b[2J/min"),
        ((*BUDGET, *RATE, "--time", "2"), "is not a duration"),
        ((*BUDGET, *RATE, "--time", "0s"), "--time must be longer than 0s, not 0s"),
        ((*BUDGET, *RATE, "--rate-from-cloudwatch", "14d"), "say two things"),
        ((*BUDGET, "--rate-from-cloudwatch", "14d"), "needs a PLAN"),
        ((*BUDGET, "--rate-from-cloudwatch", "90m"), "not whole days"),
        (("no-such-plan.yaml",), "no-such-plan.yaml"),
    ],
)
def test_what_cannot_mean_anything_ends_with_2_and_one_clear_message(
    arguments: tuple[str, ...], said: str
) -> None:
    shown = called("schedule", *arguments)
    assert (shown.code, shown.out) == (2, "")
    assert said in shown.err
    assert "\x1b" not in shown.err


def test_a_plan_whose_failures_nothing_ends_gets_no_steps(tmp_path: Path, minimal: Path) -> None:
    plan = tmp_path / "plan.yaml"
    plan.write_text(minimal.read_text(encoding="utf-8") + "gates: [{healthy: {min: 1}}]\n")
    shown = called("schedule", plan, *BUDGET, *RATE)
    assert shown.code == 2
    assert "no `errors` gate ends a failure" in shown.err


QUIET = (
    "steps: [{weight: 5, bake: 10m}, {weight: 100, bake: 10m}]\nhold_back: 0%\ntraffic: 5/min\n"
)


def test_a_plan_whose_own_steps_are_too_short_for_its_traffic_gets_steps_that_fit(
    minimal: Path, tmp_path: Path
) -> None:
    plan = tmp_path / "quiet.yaml"
    head = minimal.read_text(encoding="utf-8").partition("steps:")[0]
    plan.write_text(head + QUIET, encoding="utf-8")
    assert "can never pass here" in called("validate", plan).err
    shown = called("schedule", plan, *BUDGET)
    assert (shown.code, shown.err) == (0, "")
    assert "5/min (the plan's traffic)" in shown.out
    assert "steps:" in shown.out


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("{weight: 100, bake: 10m}", "{weight: 4, bake: 10m}", "weights must rise"),
        ("{weight: 100, bake: 10m}", "{weight: 100, bake: 1s}", "a bake of 1s ends before"),
        ("traffic: 5/min", "traffic: 5/min\nstore: s3", "a store is"),
        ("traffic: 5/min", "traffic: 5/m", "'5/m' is not a rate"),
        ("hold_back: 0%", "hold_back: 0", "needs a unit"),
    ],
)
def test_whatever_else_is_wrong_with_such_a_plan_is_still_refused(
    old: str, new: str, said: str, minimal: Path, tmp_path: Path
) -> None:
    plan = tmp_path / "quiet.yaml"
    head = minimal.read_text(encoding="utf-8").partition("steps:")[0]
    plan.write_text(head + QUIET.replace(old, new), encoding="utf-8")
    shown = called("schedule", plan, *BUDGET, *RATE)
    assert (shown.code, shown.out) == (2, "")
    assert said in shown.err


def test_a_budget_with_the_threshold_judge_is_no_promise_and_everyone_says_so(
    minimal: Path, tmp_path: Path
) -> None:
    plan = tmp_path / "threshold.yaml"
    text = minimal.read_text(encoding="utf-8").partition("gates:")[0]
    gate = "gates: [{errors: {max: 1%, judge: threshold}}]\n"
    plan.write_text(text + gate + "traffic: 6000/min\nrisk: {harmed_requests: 90000}\n")
    said = "this plan's `errors` gate has `judge: threshold`"
    assert said in called("validate", plan).err
    strict = called("validate", plan, "--strict")
    assert strict.code == 2
    assert re.search(r"error: risk.harmed_requests cannot be promised: .*" + said, strict.err)
    assert said in " ".join(called("plan", "--offline", plan).out.split())
    shown = called("schedule", plan)
    assert said in shown.err
    assert "warning: " in shown.err
    plan.write_text(plan.read_text().replace("judge: threshold", "judge: sequential"))
    assert "forecast for" not in called("validate", plan).err
    assert called("schedule", plan).err == ""


@pytest.mark.parametrize(
    ("arguments", "why", "instead"),
    [
        (("--budget", "harmed_requests=5", *RATE), "is too small", "harmed_requests=22"),
        ((*BUDGET, "--budget", "overload_requests=9", *RATE), "too few", "overload_requests=219"),
        ((*BUDGET, *RATE, "--time", "20m"), "take 1h5m", "allow --time 1h5m"),
        ((*BUDGET, "--rate", "1/h"), "no bake is long enough", "too little traffic"),
    ],
)
def test_when_nothing_fits_it_ends_with_7_and_says_what_would(
    arguments: tuple[str, ...], why: str, instead: str
) -> None:
    shown = called("schedule", *arguments)
    assert (shown.code, shown.out) == (7, "")
    assert "error: nothing fits: " in shown.err
    assert why in shown.err
    assert instead in shown.err.partition("hint: ")[2]


def test_nothing_that_fits_is_json_too() -> None:
    found = called("schedule", "--budget", "harmed_requests=5", *RATE, "--json").object
    assert found["exit_code"] == 7
    assert "harmed_requests=22" in found["hint"]


def test_an_answer_that_it_gives_does_fit() -> None:
    assert called("schedule", "--budget", "harmed_requests=22", *RATE).code == 0
    assert called("schedule", *BUDGET, "--budget", "overload_requests=219", *RATE).code == 0
    assert called("schedule", *BUDGET, "--budget", "overload_requests=218", *RATE).code == 7
    assert called("schedule", *BUDGET, *RATE, "--time", "1h5m").code == 0


# the budget of a plan


def over(minimal: Path, tmp_path: Path, *, traffic: str = "traffic: 6000/min\n") -> Path:
    plan = tmp_path / "over.yaml"
    text = minimal.read_text(encoding="utf-8")
    plan.write_text(text + traffic + "risk: {harmed_requests: 100}\n", encoding="utf-8")
    return plan


def test_steps_over_the_budget_are_a_warning_and_with_strict_an_error_with_its_place(
    minimal: Path, tmp_path: Path
) -> None:
    plan = over(minimal, tmp_path)
    said = "about 840 requests fail before traffic is back; risk.harmed_requests is 100"
    shown = called("validate", plan)
    assert shown.code == 0
    assert re.search(r"over\.yaml:\d+:\d+: warning: .*" + said, shown.err)
    assert "cutover schedule PLAN --budget harmed_requests=100 --rate 6000/min" in shown.err
    strict = called("validate", plan, "--strict")
    assert strict.code == 2
    assert re.search(r"over\.yaml:\d+:\d+: error: .*" + said, strict.err)


def test_a_preview_of_steps_over_the_budget_is_refused_without_aws_too(
    minimal: Path, tmp_path: Path
) -> None:
    shown = called("plan", "--offline", over(minimal, tmp_path))
    assert shown.code == 7
    assert "error: risk: " in shown.err
    assert "840" in shown.err


def test_a_budget_that_cannot_be_checked_does_not_refuse_an_offline_preview(
    minimal: Path, tmp_path: Path
) -> None:
    assert called("plan", "--offline", over(minimal, tmp_path, traffic="")).code == 0


# against an emulated AWS


@pytest.fixture(scope="module")
def server() -> Iterator[Aws]:
    with emulated_aws() as aws:
        yield aws


@pytest.fixture
def aws(server: Aws, monkeypatch: pytest.MonkeyPatch) -> Aws:
    monkeypatch.setenv("AWS_ENDPOINT_URL", server.url)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    server.reset()
    return server


def test_a_budget_and_no_known_traffic_is_refused_by_preflight(aws: Aws, tmp_path: Path) -> None:
    plan = tmp_path / "shop.yaml"
    plan.write_text(aws.plan_text(risk="{harmed_requests: 100}"))
    shown = called("preflight", plan, "--json")
    assert shown.code == 7
    (risk,) = [one for one in shown.object["findings"] if one["id"] == "risk"]
    assert risk["severity"] == "block"
    assert "traffic is not known" in risk["seen"]


def test_quietest_and_busiest_hours_come_from_cloudwatch(aws: Aws, tmp_path: Path) -> None:
    plan = tmp_path / "shop.yaml"
    plan.write_text(aws.plan_text())
    asked = ("schedule", plan, *BUDGET, "--rate-from-cloudwatch", "1d")
    silent = called(*asked)
    assert silent.code == 7
    assert "shows no request of" in silent.err
    assert (
        "namespace AWS/ApplicationELB, metric RequestCount, dimensions LoadBalancer=app/"
        in silent.err
    )

    dimensions = [
        {
            "Name": "LoadBalancer",
            "Value": aws.listener.partition(":listener/")[2].rpartition("/")[0],
        },
        {"Name": "TargetGroup", "Value": aws.source.rpartition(":")[2]},
    ]
    hour = datetime.now(UTC).replace(minute=30, second=0, microsecond=0)  # noqa: TID251  # the emulator lives in real time
    data = [
        {
            "MetricName": "RequestCount",
            "Dimensions": dimensions,
            "Timestamp": hour - timedelta(hours=back),
            "Value": 60 * (6_000.0 if back % 12 else 9_000.0),
        }
        for back in range(1, 26)
    ]
    aws.client("cloudwatch").put_metric_data(Namespace="AWS/ApplicationELB", MetricData=data)
    found = called(*asked, "--json").object
    assert (found["traffic"]["trough"], found["traffic"]["peak"]) == (6_000, 9_000)
    assert "hours of CloudWatch" in found["traffic"]["known"]
