"""A moto server as a process of its own, and what stands on it."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from itertools import count
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from tests.e2e.fork_server import ForkServer, fork_server

REGION = "us-east-1"
ACCOUNT = "123456789012"

_SERVE = """
import logging, sys
logging.getLogger("werkzeug").setLevel(logging.ERROR)
from moto.server import ThreadedMotoServer
server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
server.start()
print(server.get_host_and_port()[1], flush=True)
sys.stdin.read()  # until whoever started us is gone
"""


@dataclass(frozen=True)
class Route:
    """One route as it was built; `by` is the plan's word for it."""

    by: str
    arn: str


@dataclass(frozen=True)
class Place:
    """A load balancer of its own with a source, a destination and its routes."""

    balancer: str
    listener: str
    source: str
    destination: str
    routes: tuple[Route, ...]


class Emulator:
    """Builds on the server and looks at it, past every witness."""

    def __init__(self, url: str, forks: ForkServer | None = None) -> None:
        self.url = url
        self.forks = forks
        self._numbers = count(1)
        self._building = threading.Lock()

    @cached_property
    def elb(self) -> Any:
        return self._client("elbv2")

    def _client(self, service: str) -> Any:
        session = boto3.Session(
            aws_access_key_id="test", aws_secret_access_key="test", region_name=REGION
        )
        return session.client(
            service, endpoint_url=self.url, config=Config(max_pool_connections=32)
        )

    @cached_property
    def _inputs(self) -> tuple[str, list[str]]:
        ec2 = self._client("ec2")
        vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        return vpc, [
            ec2.create_subnet(
                VpcId=vpc, CidrBlock=f"10.0.{n}.0/24", AvailabilityZone=f"{REGION}{zone}"
            )["Subnet"]["SubnetId"]
            for n, zone in enumerate("ab")
        ]

    def build(
        self, rules: int, *, listener: bool, sticky: bool, destination_targets: int
    ) -> Place:
        """A listener whose default action is a route or leads nowhere, and rules that go to the source."""
        with self._building:
            return self._build(
                rules, listener=listener, sticky=sticky, destination_targets=destination_targets
            )

    def _build(
        self, rules: int, *, listener: bool, sticky: bool, destination_targets: int
    ) -> Place:
        vpc, subnets = self._inputs
        number, elb = next(self._numbers), self.elb
        balancer = elb.create_load_balancer(Name=f"shop-{number}", Subnets=subnets)
        balancer_arn = balancer["LoadBalancers"][0]["LoadBalancerArn"]
        source, destination = (
            elb.create_target_group(
                Name=f"{side}-{number}", TargetType="ip", Protocol="HTTP", Port=80, VpcId=vpc
            )["TargetGroups"][0]["TargetGroupArn"]
            for side in ("ec2", "eks")
        )
        for group, targets in ((source, 4), (destination, destination_targets)):
            if targets:
                elb.register_targets(
                    TargetGroupArn=group,
                    Targets=[
                        {
                            "Id": f"10.0.{n % 2}.{n + 4}",
                            "AvailabilityZone": f"{REGION}{'ab'[n % 2]}",
                        }
                        for n in range(targets)
                    ],
                )
        forward: dict[str, Any] = {"Type": "forward", "TargetGroupArn": source}
        if sticky:
            forward = {
                "Type": "forward",
                "ForwardConfig": {
                    "TargetGroups": [{"TargetGroupArn": source, "Weight": 7}],
                    "TargetGroupStickinessConfig": {"Enabled": True, "DurationSeconds": 60},
                },
            }
        nowhere = {"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "404"}}
        listener_arn = elb.create_listener(
            LoadBalancerArn=balancer_arn,
            Protocol="HTTP",
            Port=80,
            DefaultActions=[forward if listener else nowhere],
        )["Listeners"][0]["ListenerArn"]
        routes = [
            Route(
                "rule",
                elb.create_rule(
                    ListenerArn=listener_arn,
                    Priority=10 + n,
                    Conditions=[{"Field": "path-pattern", "Values": [f"/checkout-{n}*"]}],
                    Actions=[forward],
                )["Rules"][0]["RuleArn"],
            )
            for n in range(rules)
        ]
        if listener:
            routes.append(Route("listener", listener_arn))
        return Place(balancer_arn, listener_arn, source, destination, tuple(routes))

    def actions(self, route: Route) -> list[dict[str, Any]]:
        """The route's live action list, as AWS would say it."""
        found: list[dict[str, Any]]
        if route.by == "rule":
            found = self.elb.describe_rules(RuleArns=[route.arn])["Rules"][0]["Actions"]
        else:
            listeners = self.elb.describe_listeners(ListenerArns=[route.arn])["Listeners"]
            found = listeners[0]["DefaultActions"]
        return found

    def write(self, route: Route, actions: list[dict[str, Any]]) -> None:
        """Somebody else's hand."""
        if route.by == "rule":
            self.elb.modify_rule(RuleArn=route.arn, Actions=actions)
        else:
            self.elb.modify_listener(ListenerArn=route.arn, DefaultActions=actions)


def meaning(actions: list[dict[str, Any]]) -> tuple[Any, ...]:
    """What an action list does to traffic, however it is spelled: (type, weights, stickiness) of each."""
    return tuple(_meaning(action) for action in actions)


def _meaning(action: dict[str, Any]) -> tuple[Any, ...]:
    config = action.get("ForwardConfig", {})
    groups = config.get("TargetGroups") or (
        [{"TargetGroupArn": action["TargetGroupArn"]}] if "TargetGroupArn" in action else []
    )
    weights = {one["TargetGroupArn"]: one.get("Weight", 1) for one in groups}
    if len(weights) == 1:
        weights = dict.fromkeys(weights, 1)  # a lone group has everything
    sticky = config.get("TargetGroupStickinessConfig", {})
    duration = sticky.get("DurationSeconds", 0) if sticky.get("Enabled") else 0
    return action["Type"], tuple(sorted(weights.items())), duration


@contextmanager
def serving() -> Iterator[Emulator]:
    """A moto server that ends with the `with` block, or with this process."""
    process = subprocess.Popen(
        [sys.executable, "-c", _SERVE], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdin is not None
    try:
        port = int(process.stdout.readline())
        with (
            tempfile.TemporaryDirectory(prefix="forks-") as place,
            fork_server(Path(place) / "socket") as forks,
        ):
            yield Emulator(f"http://127.0.0.1:{port}", forks)
    finally:
        process.stdin.close()
        process.stdout.close()
        process.kill()
        process.wait()
