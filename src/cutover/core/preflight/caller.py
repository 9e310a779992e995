"""Checks on who calls: account, Region, credentials, clock, and other runs."""

from __future__ import annotations

from typing import Final

from cutover.core.arn import resource
from cutover.core.observation import Survey
from cutover.core.plan import Plan
from cutover.core.preflight.finding import CheckResult, block, listed, need, ok, warn
from cutover.core.values import MINUTE, duration_text

EXAMPLE_ACCOUNT: Final = "123456789012"
"""The account of every example and of moto; real AWS has no customer there."""

RESERVE_MS: Final = 15 * MINUTE
"""Credentials must outlive the plan by this much, for an expired token cannot roll back."""

MOST_SKEW_MS: Final = 60_000
"""Beyond this a minute of CloudWatch is not the minute we think; AWS refuses signatures at 5 minutes."""


def account(plan: Plan, survey: Survey) -> CheckResult:
    """The caller is in the plan's account."""
    identity = need(survey.identity, "the caller")
    if identity.account != plan.aws.account:
        return block(
            f"the caller {identity.arn} is in account {identity.account}",
            f"the plan is for account {plan.aws.account}",
            "Use the profile of the plan's account, or correct `aws.account`.",
        )
    return ok(f"{identity.arn}")


def region(plan: Plan, survey: Survey) -> CheckResult:
    """The session asks the plan's Region."""
    if survey.region != plan.aws.region:
        return block(
            f"the session's Region is {survey.region}",
            f"the plan is for {plan.aws.region}",
            f"Pass --region {plan.aws.region}, or correct `aws.region`.",
        )
    return ok(survey.region)


def real_account(_plan: Plan, survey: Survey) -> CheckResult:
    """The account of all examples is only believed of an emulator."""
    identity = need(survey.identity, "the caller")
    if identity.account == EXAMPLE_ACCOUNT and not survey.emulated:
        return block(
            f"AWS answered as account {EXAMPLE_ACCOUNT}",
            "only examples and emulators have this account: something stands between you and AWS",
            "Look at proxies, DNS and endpoint settings; rehearse with `cutover rehearse`.",
        )
    return ok("emulated" if survey.emulated else "real AWS")


def planned_ms(plan: Plan) -> int:
    """How long the plan takes when nothing goes wrong and nobody is waited for."""
    overhead = plan.observe.settle + 2 * plan.observe.period + plan.observe.poll
    return sum(step.bake + overhead for step in plan.steps) + overhead + plan.observe.confirm


def credentials(plan: Plan, survey: Survey) -> CheckResult:
    """The credentials outlive the plan and a rollback after it."""
    identity = need(survey.identity, "the caller")
    wanted = planned_ms(plan) + RESERVE_MS
    fix = "Use a profile that refreshes (a role, SSO with an sso-session), or longer-lived credentials."
    why = f"the plan needs {duration_text(wanted)} with its reserve, and an expired token cannot roll back"
    if identity.refreshes:
        return ok("credentials refresh or do not expire")
    if identity.expires_ms is None:
        return block(
            "temporary credentials that do not refresh, and nobody knows when they end", why, fix
        )
    left = identity.expires_ms - survey.at_ms
    if left < wanted:
        return block(
            f"the credentials end in {duration_text(left // 1000 * 1000)} and do not refresh",
            why,
            fix,
        )
    return ok(f"the credentials live for {duration_text(left // 1000 * 1000)}")


def clock(_plan: Plan, survey: Survey) -> CheckResult:
    """This machine and AWS agree on the time."""
    skew = need(survey.skew_ms, "AWS's clock")
    if abs(skew) > MOST_SKEW_MS:
        return block(
            f"AWS's clock differs by {duration_text(skew)}",
            "minutes of evidence would belong to the wrong step, and AWS refuses signatures that are off by more",
            "Set this machine's clock (NTP).",
        )
    return ok("in step with AWS" if not skew else f"off by {duration_text(skew)}, corrected")


def claimed(_plan: Plan, survey: Survey) -> CheckResult:
    """No other run claims one of the routes."""
    if survey.claimed_by:
        return block(
            listed(
                f"run {run} claims {resource(route)}"
                for route, run in sorted(survey.claimed_by.items())
            ),
            "two runs on one route would undo each other",
            "Let it end, or end it: `cutover status`, `cutover rollback RUN`, `cutover finish RUN`.",
        )
    return ok("no other run on these routes")


def waived(plan: Plan, known: tuple[str, ...]) -> CheckResult:
    """Every waiver names a check that exists."""
    unknown = [waive.check for waive in plan.waive if waive.check not in known]
    if unknown:
        return warn(
            f"`waive` names {listed(unknown)}",
            "no check has this id, so nothing is waived by it",
            f"The ids are {', '.join(known)}.",
        )
    return ok(f"{len(plan.waive)} waived" if plan.waive else "nothing is waived")
