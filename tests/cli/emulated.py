"""A loopback AWS with one balancer, and runs whose journals are made by hand: no test waits for a cutover."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from urllib.request import Request, urlopen

import boto3
from moto.server import ThreadedMotoServer

from cutover.app.live import restore_text_of
from cutover.aws.alb import AlbRouter
from cutover.aws.fanout import Inline
from cutover.aws.route_config import Ends, config_of_actions
from cutover.aws.session import AwsSession
from cutover.core.journal.events import (
    Event,
    LeaseTaken,
    Outcome,
    RunOpen,
    Snapshot,
    Verified,
)
from cutover.core.observation import Known
from cutover.core.plan import Plan
from cutover.core.routing import RouteConfig, config_body
from cutover.core.state import Phase
from cutover.core.values import RouteId, Weight
from cutover.local.clock import SystemClock
from cutover.local.journal import FileJournal
from cutover.local.plan_file import plan_of_text
from cutover.local.run_directory import RunDirectory
from cutover.local.state_directory import StateDirectory
from cutover.ports import Change, Unconditional
from tests import records

REGION = "ap-northeast-1"
ACCOUNT = "123456789012"


class _Endpoint:
    """A boto3 session whose every client asks one server."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._session = boto3.Session(
            region_name=REGION, aws_access_key_id="test", aws_secret_access_key="test"
        )
        self.region_name = REGION

    def client(self, service: Any, **more: Any) -> Any:
        return self._session.client(service, endpoint_url=self._url, **more)


@dataclass
class Aws:
    """The server, and what is on it."""

    url: str
    listener: str = ""
    source: str = ""
    destination: str = ""

    @cached_property
    def endpoint(self) -> _Endpoint:
        """One session: a new one would read the service models again, which takes longer than its calls."""
        return _Endpoint(self.url)

    def client(self, service: str) -> Any:
        return self.endpoint.client(service)

    @property
    def ends(self) -> Ends:
        return Ends(self.source, self.destination)

    def config(self) -> RouteConfig:
        found = self.client("elbv2").describe_listeners(ListenerArns=[self.listener])
        return config_of_actions(found["Listeners"][0]["DefaultActions"], self.ends)

    def router(self) -> AlbRouter:
        session: Any = self.endpoint
        aws = AwsSession(session, SystemClock(), emulated=True, loopback=True)
        return AlbRouter(aws, Inline(), {RouteId(self.listener): self.ends})

    def set_weight(self, weight: int) -> RouteConfig:
        """Split the traffic as a run would have done."""
        router, route = self.router(), RouteId(self.listener)
        aimed = router.with_weight(route, self.config(), Weight(weight))
        router.write([Change(route, aimed)], Unconditional())
        return aimed

    def reset(self) -> RouteConfig:
        """Everything to the source, the destination not attached."""
        actions = [{"Type": "forward", "TargetGroupArn": self.source}]
        self.client("elbv2").modify_listener(ListenerArn=self.listener, DefaultActions=actions)
        return self.config()

    def plan_text(self, **more: str) -> str:
        lines = [
            "version: 1",
            "name: shop",
            f'aws: {{region: {REGION}, account: "{ACCOUNT}"}}',
            "routes:",
            f"  - listener: {self.listener}",
            f"    source: {self.source}",
            f"    destination: {self.destination}",
            "steps:",
            "  - {weight: 5, bake: 15m}",
            "  - {weight: 20, bake: 15m}",
            "managed_by: terraform",
            "observe: {period: 1s, settle: 1s, poll: 200ms, confirm: 100ms}",
            *(f"{key}: {value}" for key, value in more.items()),
        ]
        return "\n".join(lines) + "\n"


@contextmanager
def emulated_aws() -> Iterator[Aws]:
    """A moto server on this machine with a balancer, a listener and two groups."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        aws = Aws(f"http://{host}:{port}")
        # moto's state belongs to the process: another module's server may have left its groups there
        urlopen(Request(f"{aws.url}/moto-api/reset", method="POST")).close()
        ec2, elb = aws.client("ec2"), aws.client("elbv2")
        vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        subnets = [
            ec2.create_subnet(
                VpcId=vpc, CidrBlock=f"10.0.{i}.0/24", AvailabilityZone=REGION + zone
            )["Subnet"]["SubnetId"]
            for i, zone in enumerate("ac")
        ]
        made = elb.create_load_balancer(Name="web", Subnets=subnets)
        balancer = made["LoadBalancers"][0]["LoadBalancerArn"]
        for name in ("source", "destination"):
            group = elb.create_target_group(
                Name=f"shop-{name}", Protocol="HTTP", Port=80, VpcId=vpc, TargetType="ip"
            )["TargetGroups"][0]["TargetGroupArn"]
            targets = [{"Id": "10.0.0.10"}, {"Id": "10.0.1.10"}]
            elb.register_targets(TargetGroupArn=group, Targets=targets)
            setattr(aws, name, group)
        aws.listener = elb.create_listener(
            LoadBalancerArn=balancer,
            Protocol="HTTP",
            Port=80,
            DefaultActions=[{"Type": "forward", "TargetGroupArn": aws.source}],
        )["Listeners"][0]["ListenerArn"]
        yield aws
    finally:
        server.stop()


def crashed_run(
    place: StateDirectory,
    aws: Aws,
    to: Phase,
    *,
    mode: str = "emulated",
    run_id: str = "shop-1",
    hold: str = "paused",
) -> RunDirectory:
    """A run that came as far as `to` at 5 % and whose process then died; its routes say so too."""
    place.prepare()
    text = aws.plan_text()
    plan = plan_of_text(text).plan
    found = aws.reset()
    run = place.create(run_id, text)
    journal = FileJournal.open_new(run, restore_text=restore_text_of(ACCOUNT, REGION, run_id))
    clock = SystemClock()
    for event in _view(plan, aws, found, to, mode, hold=hold):
        if isinstance(event, Snapshot):
            commands = aws.router().restore_commands({RouteId(aws.listener): found})
            journal.keep_snapshot(event, commands)
        assert isinstance(journal.append(event, clock.now()), Known)
    journal.close()
    return run


def _view(
    plan: Plan, aws: Aws, found: RouteConfig, to: Phase, mode: str, *, hold: str
) -> Iterator[Event]:
    route = aws.listener
    yield RunOpen(plan.name, plan.hash, ACCOUNT, REGION, mode, "0.1.0", (route,))
    yield LeaseTaken("ana@bastion", "bastion", 1)
    if to is Phase.PREFLIGHT:
        return
    yield Snapshot({route: config_body(found)}, {route: "keep"}, {aws.source: 2}, {})
    yield records.phase_changed("PREFLIGHT", "ATTACHING", "checks passed", -1)
    yield records.phase_changed("ATTACHING", "SHIFTING", "healthy", 0)
    live = aws.set_weight(50)
    yield records.intent(route, "move", 0, 1, found.hash, config_body(live), 50, "step 1")
    yield Outcome(route, 1, "applied")
    yield Verified(route, live.hash, 50, 1, 3)
    yield records.phase_changed("SHIFTING", "SETTLING", "committed", 0)
    yield records.phase_changed("SETTLING", "BAKING", "in effect", 0)
    if to is Phase.COMPLETED:
        yield records.phase_changed("BAKING", "COMPLETED", "every gate passes", 1)
    if to is Phase.HOLDING:
        yield records.phase_changed("BAKING", "HOLDING", hold, 0, hold=hold)
    if to is Phase.ROLLING_BACK:
        yield records.phase_changed("BAKING", "ROLLING_BACK", "errors: 5 %", 0, cause="breach")


def damaged(run: RunDirectory) -> None:
    """Change one letter in the middle of the journal."""
    lines = run.journal.read_bytes().splitlines(keepends=True)
    lines[2] = lines[2].replace(b"snapshot", b"snapshop")
    run.journal.write_bytes(b"".join(lines))


def phases(run: RunDirectory) -> list[str]:
    """Every phase that the journal names, in order."""
    records = [json.loads(line) for line in run.journal.read_text().splitlines()]
    return [record["after"] for record in records if record["type"] == "phase"]
