"""The AWS adapters of one plan, on one session."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cutover.app.place import state_directory
from cutover.aws.alb import AlbRouter
from cutover.aws.cloudwatch import CloudWatchAlarms, CloudWatchMetrics
from cutover.aws.fanout import Threads
from cutover.aws.route_config import Ends
from cutover.aws.session import AwsSession, open_session
from cutover.aws.survey import AwsSurveyor
from cutover.aws.target_health import AlbTargetHealth
from cutover.core.errors import LeaseError, UsageError
from cutover.core.plan import Plan
from cutover.core.values import RouteId
from cutover.local.store import LocalStore
from cutover.ports import Clock
from cutover.ports.store import R, Store


@dataclass(frozen=True)
class Clients:
    """What a live command asks of AWS."""

    session: AwsSession
    router: AlbRouter
    metrics: CloudWatchMetrics
    alarms: CloudWatchAlarms
    health: AlbTargetHealth
    surveyor: AwsSurveyor
    fanout: Threads

    @property
    def mode(self) -> str:
        """What the journal calls this world: `live`, or `emulated` behind a loopback endpoint."""
        return "emulated" if self.session.emulated else "live"


def open_store() -> LocalStore:
    """The store of this user's runs; nothing is created or checked yet.

    Raises:
        UsageError: when no place for it is known.
    """
    return LocalStore(state_directory())


def connect(
    plan: Plan,
    clock: Clock,
    *,
    profile: str | None = None,
    region: str | None = None,
    dry_run: bool = False,
    store: Store[R] | None = None,
    run_id: str = "",
) -> Clients:
    """The adapters for a plan, in its Region. Nothing is sent yet.

    Args:
        plan: whose routes, periods and Region count.
        clock: this machine's.
        profile: as the AWS CLI's `--profile`.
        region: as `--region`; it may only repeat the plan's.
        dry_run: refuse every operation that is not read-only, below the adapters.
        store: where claims of other runs are looked up; None looks nowhere.
        run_id: our own run, whose claims are not another's.

    Raises:
        UsageError: when `region` is not the plan's.
        RefusedError: when a setting would send calls to neither AWS nor this machine.
        CredentialsError: when the profile cannot be read.
    """
    if region is not None and region != plan.aws.region:
        raise UsageError(
            f"--region {region}, but the plan's routes are in {plan.aws.region}",
            hint="leave --region out: the plan says where its routes are",
        )
    session = open_session(clock, profile=profile, region=plan.aws.region, dry_run=dry_run)
    fanout = Threads(clock)
    ends = {route.id: Ends(route.source, route.destination) for route in plan.routes}
    return Clients(
        session,
        AlbRouter(session, fanout, ends, may_drop=plan.waives("unmodelled")),
        CloudWatchMetrics(session, fanout, plan.observe),
        CloudWatchAlarms(session, fanout),
        AlbTargetHealth(session, fanout),
        AwsSurveyor(session, fanout, lambda routes: _others(store, routes, run_id)),
        fanout,
    )


def _others(
    store: Store[R] | None, routes: Sequence[RouteId], run_id: str
) -> Mapping[RouteId, str]:
    if store is None:
        return {}
    try:
        claims = store.owners(routes)
    except LeaseError as error:  # an unreadable claim may be anybody's
        return {route: str(error) for route in routes}
    return {route: owner for route, owner in claims.items() if owner != run_id}
