"""`schedule`: the fastest steps inside a budget of failed requests."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cutover.cli.console import Frame
from cutover.cli.options import aws_options, json_option
from cutover.core.errors import RefusedError, UsageError, printable
from cutover.core.values import DAY, FULL, parse_duration, parse_rate, rate_text

if TYPE_CHECKING:
    from cutover.core.forecast import ForecastInputs, TrafficRate
    from cutover.core.plan import Plan

HARMED, OVERLOAD = "harmed_requests", "overload_requests"
_BUDGET = re.compile(r"([^=]*)=([0-9][0-9_]*)")
_MOST = 10**15
"""More requests than any fleet answers in a year."""
_EXAMPLE = "write for example --budget harmed_requests=500"


@click.command()
@click.argument("plan", required=False, type=click.Path(path_type=Path), metavar="[PLAN]")
@click.option(
    "--budget",
    "budgets",
    multiple=True,
    metavar="KEY=N",
    help="harmed_requests: how many a defect that is there from the beginning may fail; else the plan's `risk`. "
    "overload_requests: how many may fail when a raise is too much; else one minute of traffic, or harmed_requests if more.",
)
@click.option(
    "--rate",
    metavar="RATE",
    help="Usual traffic over all routes, 6000/min; counted 30% lower for evidence, 30% higher for harm. Else the plan's `traffic`.",
)
@click.option(
    "--rate-from-cloudwatch",
    "days",
    metavar="DAYS",
    help="Measure the quietest and the busiest hour of the last days, 14d, instead. Needs PLAN.",
)
@click.option("--time", "within", metavar="DURATION", help="The longest the whole may take, 2h.")
@aws_options
@json_option
@click.pass_obj
def schedule(  # noqa: PLR0917  # click gives each option
    frame: Frame,
    plan: Path | None,
    budgets: tuple[str, ...],
    rate: str | None,
    days: str | None,
    within: str | None,
    profile: str | None,
    region: str | None,
) -> int:
    """Print the fastest `steps` that keep failures inside a budget, ready to paste into a plan.

    Gates and `hold_back` are PLAN's; else the default gates judge, and what is worth it is held back. Writes nothing. Exit 7 when nothing fits: then it says what would.
    """
    from cutover.core.forecast import Infeasible, ScheduleRequest, solve

    within_ms = _duration("--time", within)
    given = _budgets(budgets)
    loaded = _loaded(plan)
    traffic, usual, known = _traffic(loaded, rate, days, profile, region)
    inputs = _inputs(loaded, traffic)
    if HARMED not in given:
        if loaded is None or loaded.risk is None:
            raise UsageError("how many requests may fail is not said", hint=_EXAMPLE)
        given[HARMED] = loaded.risk.harmed_requests
    given.setdefault(OVERLOAD, max(given[HARMED], round(usual)))
    held = _held_back(frame, loaded, inputs, usual, given[OVERLOAD])
    found = solve(inputs, ScheduleRequest(given[HARMED], given[OVERLOAD], held), within_ms)
    _say_caution(frame, loaded)
    if isinstance(found, Infeasible):
        raise RefusedError(f"nothing fits: {found.why}", hint=found.instead)

    from cutover.render.schedule import Asked, schedule_json, schedule_view

    asked = Asked(inputs, given[HARMED], given[OVERLOAD], known, within_ms)
    if frame.json:
        frame.give("cutover.schedule.v1", schedule_json(found, asked))
        return 0
    for line in schedule_view(found, asked, frame.width):
        frame.say(line)
    return 0


def _held_back(
    frame: Frame, plan: Plan | None, inputs: ForecastInputs, usual: float, overload: int
) -> int:
    """What the plan holds back (per mille) when that is enough to compare with, else what is worth it."""
    from cutover.core.forecast import bearable, proposed
    from cutover.core.plan.control_share import hold_back_text, too_low

    said = None if plan is None else plan.hold_back
    if said is not None and not (said and too_low(FULL - said, usual, inputs.traffic.comparisons)):
        return said
    held = proposed(inputs.traffic, bearable(inputs, overload))
    if said is not None:
        frame.warn(
            f"warning: the plan's `{hold_back_text(said)}` leaves the source too few requests to compare with: these steps "
            f"are made for `{hold_back_text(held)}`"
        )
    return held


def _say_caution(frame: Frame, plan: Plan | None) -> None:
    from cutover.core.plan.risk import not_forecast

    why = "" if plan is None else not_forecast(plan)
    if why:
        frame.warn(f"warning: {why}")


def _loaded(file: Path | None) -> Plan | None:
    if file is None:
        return None
    from cutover.app import api as app_api

    return app_api.load_plan_to_schedule(file).plan


def _budgets(texts: tuple[str, ...]) -> dict[str, int]:
    """Each key and its number.

    Raises:
        UsageError: for what is no budget, or comes twice.
    """
    found: dict[str, int] = {}
    for text in texts:
        match = _BUDGET.fullmatch(text)
        if match is None:
            raise UsageError(
                f"--budget {printable(text)}: not KEY=N, N a whole number", hint=_EXAMPLE
            )
        key, digits = match[1], match[2].replace("_", "").lstrip("0")
        if key not in (HARMED, OVERLOAD):
            raise UsageError(
                f"--budget {printable(text)}: there is no budget {printable(key)!r}",
                hint=f"there are {HARMED} and {OVERLOAD}",
            )
        if key in found:
            raise UsageError(f"--budget {key} is given twice", hint="give it once")
        if len(digits) > len(str(_MOST)) or int(digits or 0) > _MOST:
            raise UsageError(
                f"--budget {printable(text, 80)}: too large",
                hint=f"write at most {_MOST:,} requests; " + _EXAMPLE,
            )
        if not digits:
            raise UsageError(
                f"--budget {printable(text)}: no step costs less than one request",
                hint="every raise risks something; " + _EXAMPLE,
            )
        found[key] = int(digits)
    return found


def _traffic(
    plan: Plan | None, rate: str | None, days: str | None, profile: str | None, region: str | None
) -> tuple[TrafficRate, float, str]:
    """The traffic, its usual rate (requests a minute), and where it is known from."""
    from cutover.core.forecast import TrafficRate

    comparisons = 1 if plan is None else len(plan.comparisons)
    if days is not None:
        if rate is not None:
            raise UsageError(
                "--rate and --rate-from-cloudwatch say two things", hint="give one of them"
            )
        return _measured(plan, days, profile, region)
    if rate is None:
        if plan is None or plan.traffic is None:
            raise UsageError(
                "the traffic is not known",
                hint="write for example --rate 6000/min, or give a PLAN with `traffic`, or --rate-from-cloudwatch 14d",
            )
        usual, source = plan.traffic, "the plan's traffic"
    else:
        usual, source = _rate(rate), "--rate"
    if usual <= 0:
        raise UsageError(
            f"{source} is {rate_text(usual)}: without requests no step can be judged",
            hint="write the usual rate over all routes, for example --rate 6000/min",
        )
    from cutover.core.plan.risk import PEAK, TROUGH

    known = f"{rate_text(usual)} ({source}), down to {rate_text(round(TROUGH * usual, 3))} and up to {rate_text(round(PEAK * usual, 3))} over a day"
    return TrafficRate(TROUGH * usual, PEAK * usual, comparisons), usual, known


def _measured(
    plan: Plan | None, days: str, profile: str | None, region: str | None
) -> tuple[TrafficRate, float, str]:
    from cutover.core.forecast import TrafficRate

    span = _duration("--rate-from-cloudwatch", days) or 0
    if span % DAY:
        raise UsageError(
            f"--rate-from-cloudwatch {printable(days)}: not whole days",
            hint="write for example 14d",
        )
    if plan is None:
        raise UsageError(
            "--rate-from-cloudwatch needs a PLAN: it says which groups to measure, and in which account",
            hint="cutover schedule plan.yaml --rate-from-cloudwatch 14d, or give --rate",
        )
    from cutover.app import api as app_api

    found = app_api.past_rates(plan, span // DAY, profile=profile, region=region)
    if found.trough <= 0:
        raise RefusedError(
            f"CloudWatch shows whole hours without a request in the last {span // DAY} days: steps cannot be judged in such hours",
            hint="give the rate of the hours in which you would run it, with --rate",
        )
    known = f"{rate_text(round(found.mean))} on average over {found.hours} hours of CloudWatch, down to {rate_text(round(found.trough, 1))} and up to {rate_text(round(found.peak, 1))}"
    return TrafficRate(found.trough, found.peak, len(plan.comparisons)), found.mean, known


def _inputs(plan: Plan | None, traffic: TrafficRate) -> ForecastInputs:
    from cutover.core.plan.risk import default_inputs, inputs_of, nothing_keeps

    if plan is None:
        return default_inputs(traffic)
    inputs, why = inputs_of(plan, traffic), nothing_keeps(plan)
    if inputs is None or why:
        raise UsageError(
            f"no steps keep a budget with this plan: {why}",
            hint="give it an `errors` gate that rolls back",
        )
    return inputs


def _duration(option: str, text: str | None) -> int | None:
    if text is None:
        return None
    try:
        found = parse_duration(text)
    except ValueError as error:
        raise UsageError(f"{option}: {printable(str(error))}") from None
    if found <= 0:
        raise UsageError(
            f"{option} must be longer than 0s, not {printable(text)}",
            hint="write for example 2h or 14d",
        )
    return found


def _rate(text: str) -> float:
    try:
        return parse_rate(text)
    except ValueError as error:
        raise UsageError(f"--rate: {printable(str(error))}") from None
