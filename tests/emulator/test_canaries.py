"""What rehearsals use of moto and botocore without a promise: each of these fails when an upgrade changes it."""

from __future__ import annotations

import inspect
from typing import Any

import boto3
import pytest
from botocore.client import BaseClient
from botocore.configprovider import BOTOCORE_DEFAUT_SESSION_VARIABLES
from moto import mock_aws
from moto.core.base_backend import BackendDict
from moto.core.botocore_stubber import BotocoreStubber, MockRawResponse
from moto.core.models import botocore_stubber
from moto.core.responses import BaseResponse
from moto.elbv2.models import (
    ELBv2Backend,
    FakeAction,
    FakeListener,
    FakeListenerRule,
    FakeLoadBalancer,
    FakeTargetGroup,
    elbv2_backends,
)

from tests.emulator.worlds import LISTENER, world

CLIENT: Any = BaseClient


def parameters(what: object) -> list[str]:
    return list(inspect.signature(what).parameters)  # type: ignore[arg-type]


def test_moto_still_answers_a_prepared_request_by_itself() -> None:
    assert parameters(BotocoreStubber.process_request) == ["self", "request"]
    assert isinstance(botocore_stubber, BotocoreStubber)
    assert MockRawResponse("x").read() == b"x"


def test_moto_still_keeps_backends_by_account_and_region() -> None:
    backends: Any = BackendDict
    assert isinstance(backends._instances, list)
    assert isinstance(elbv2_backends, dict)
    assert "x-moto-account-id" in inspect.getsource(BaseResponse.get_current_account)


@pytest.mark.parametrize(
    ("made", "names"),
    [
        (FakeLoadBalancer, {"name", "security_groups", "subnets", "vpc_id", "arn", "dns_name", "state"}),
        (FakeListener, {"load_balancer_arn", "arn", "protocol", "port", "ssl_policy", "certificate", "default_actions", "alpn_policy"}),
        (FakeListenerRule, {"listener_arn", "arn", "conditions", "priority", "actions"}),
        (FakeTargetGroup, {"name", "account_id", "region_name", "vpc_id", "protocol", "port", "protocol_version", "target_type", "healthcheck_path"}),
        (FakeAction, {"data"}),
        (ELBv2Backend, {"region_name", "account_id"}),
    ],
)  # fmt: skip
def test_moto_still_builds_its_models_from_these_arguments(made: type, names: set[str]) -> None:
    assert names <= set(parameters(made))


def test_moto_still_asks_a_group_for_the_health_of_each_target() -> None:
    assert parameters(FakeTargetGroup.health_for) == ["self", "target", "ec2_backend"]


def test_a_listener_still_keeps_its_default_rule_where_the_twin_names_it() -> None:
    with world() as made:
        assert made.balancer.listeners()[LISTENER]._default_rule[0].is_default


def test_botocore_still_lets_a_handler_answer_before_the_request_is_sent() -> None:
    source = inspect.getsource(CLIENT._make_api_call)
    assert "before-call." in source
    assert "event_response is not None" in source
    assert "after-call." in source
    assert "provide-client-params" in inspect.getsource(CLIENT._emit_api_params)


@pytest.mark.parametrize(
    "name",
    [
        "profile",
        "config_file",
        "credentials_file",
        "use_dualstack_endpoint",
        "ignore_configured_endpoint_urls",
    ],
)
def test_botocore_still_has_the_settings_that_a_rehearsal_fixes(name: str) -> None:
    assert len(BOTOCORE_DEFAUT_SESSION_VARIABLES[name]) == 4


def test_moto_alone_still_takes_a_weight_that_aws_refuses() -> None:
    """When this fails, moto has become stricter: see what of emulator/validation.py can go."""
    with mock_aws():
        keys: Any = {
            "region_name": "us-east-1",
            "aws_access_key_id": "a",
            "aws_secret_access_key": "b",
        }
        elb, ec2 = boto3.client("elbv2", **keys), boto3.client("ec2", **keys)
        vpc = ec2.describe_vpcs()["Vpcs"][0]["VpcId"]
        subnets = [s["SubnetId"] for s in ec2.describe_subnets()["Subnets"][:2]]
        balancer = elb.create_load_balancer(Name="b", Subnets=subnets)["LoadBalancers"][0]
        group = elb.create_target_group(Name="g", Protocol="HTTP", Port=80, VpcId=vpc)[
            "TargetGroups"
        ][0]["TargetGroupArn"]
        action = {
            "Type": "forward",
            "ForwardConfig": {"TargetGroups": [{"TargetGroupArn": group, "Weight": 1000}]},
        }
        made = elb.create_listener(
            LoadBalancerArn=balancer["LoadBalancerArn"],
            Protocol="HTTP",
            Port=80,
            DefaultActions=[action],
        )
        assert (
            made["Listeners"][0]["DefaultActions"][0]["ForwardConfig"]["TargetGroups"][0]["Weight"]
            == 1000
        )
