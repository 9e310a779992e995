"""Composition for `plan`, `preflight` and `run --dry-run`: AWS read-only, and nothing kept."""

from __future__ import annotations

from dataclasses import dataclass

from cutover.app.clients import Clients, connect
from cutover.app.place import state_directory
from cutover.aws.history import Rates, request_rates
from cutover.aws.metric_names import MetricNames, source_requests
from cutover.core.errors import CredentialsError, CutoverError, ExitCode, RefusedError
from cutover.core.observation import Comparison, MetricFacts, Survey, Unknown
from cutover.core.plan import Plan
from cutover.core.plan.arns import target_group_name
from cutover.core.preflight import Finding, run_checks
from cutover.core.preflight.custom import looked_for
from cutover.core.routing import RouteConfig
from cutover.core.schedule import RoutePreview
from cutover.core.values import NONE, Weight
from cutover.local.clock import SystemClock


@dataclass(frozen=True)
class Inspection:
    """What was seen, what the checks say about it, and the clients that saw it (read-only)."""

    survey: Survey
    findings: tuple[Finding, ...]
    clients: Clients

    @property
    def blocks(self) -> tuple[Finding, ...]:
        """The findings that a run would refuse to start with."""
        return tuple(found for found in self.findings if found.severity == "block")

    @property
    def exit_code(self) -> ExitCode:
        """What `run` would end with before it writes anything; COMPLETED when it would start."""
        return ExitCode.REFUSED if self.blocks else ExitCode.COMPLETED


def look(plan: Plan, *, profile: str | None = None, region: str | None = None) -> Inspection:
    """Survey and judge, on a session that refuses every operation that is not read-only.

    Raises:
        CredentialsError: when AWS refuses to say who we are, or there are no credentials.
        RefusedError: for an endpoint that is neither AWS nor this machine, and when AWS cannot be reached.
    """
    clients = connect(
        plan, SystemClock(), profile=profile, region=region, dry_run=True, place=state_directory()
    )
    who = clients.surveyor.identity()
    if isinstance(who, Unknown):
        raise _unanswered(who)
    survey = clients.surveyor.survey(plan)
    return Inspection(survey, tuple(run_checks(plan, survey)), clients)


def _unanswered(who: Unknown) -> CutoverError:
    """Credentials are one thing to look at, the way to AWS is another."""
    without = "without AWS there are `cutover validate` and `cutover plan --offline`"
    if who.denied:
        return CredentialsError(
            f"AWS did not say who is calling: {who.reason}",
            hint=f"log in again, or give --profile; {without}",
        )
    return RefusedError(
        f"AWS cannot be reached: {who.reason}",
        hint=f"look at the network, at HTTPS_PROXY and at AWS_ENDPOINT_URL; {without}",
    )


def previews(plan: Plan, inspection: Inspection) -> tuple[RoutePreview, ...]:
    """Each route that could be read: as found, as every step would make it, and the way back. Sends nothing."""
    router = inspection.clients.router
    found: list[RoutePreview] = []
    for route, fact in inspection.survey.routes.items():
        if isinstance(fact, Unknown):
            continue
        config = fact.value.config
        after: list[tuple[Weight, RouteConfig]] = []
        for weight in (NONE, *(step.weight for step in plan.steps)):
            try:
                after.append((Weight(weight), router.with_weight(route, config, Weight(weight))))
            except ValueError:
                break  # the `weights` check names the steps that this route cannot carry
        last = after[-1][1] if after else config
        back = router.restored(route, last, config, fact.value.stickiness_strategy, verbatim=True)
        found.append(
            RoutePreview(
                route,
                config,
                tuple(after),
                fact.value.stickiness_strategy,
                fact.value.stickiness_strategy_why,
                back,
            )
        )
    return tuple(found)


def past_rates(
    plan: Plan, days: int, *, profile: str | None = None, region: str | None = None
) -> Rates:
    """Requests a minute over the last days, on a session that only reads.

    Raises:
        UsageError, CredentialsError, RefusedError: as `aws.history.request_rates`; RefusedError too when there
            were none at all: it names what was asked, and what exists beside it.
    """
    clients = connect(plan, SystemClock(), profile=profile, region=region, dry_run=True)
    now_ms = clients.session.clock.now().wall_ms + clients.session.skew_ms
    found = request_rates(plan, clients.metrics, days, now_ms)
    if found is None:
        raise no_requests(clients, plan.comparisons[0], days)
    return found


def no_requests(clients: Clients, comparison: Comparison, days: int) -> RefusedError:
    """The refusal of a past without traffic: what was asked for, word for word, and what is near it."""
    asked = source_requests(comparison)
    listed = MetricNames(clients.session, clients.fanout).beside([asked])[asked]
    return RefusedError(
        f"CloudWatch shows no request of {target_group_name(comparison.source)} in the last {days} days; "
        f"{looked_for(MetricFacts(asked, listed=listed))}",
        hint="look whether the plan names the right target group and Region; without a past, give --rate or a CSV file",
    )
