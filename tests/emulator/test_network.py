"""A rehearsal reaches nothing: not by settings, not by services that moto does not know."""

from __future__ import annotations

from pathlib import Path

import boto3
import pytest
from botocore.config import Config
from moto import mock_aws

from cutover.emulator.responses import NetworkBlockedError
from tests.emulator.worlds import DESTINATION, RULE, moved, small_plan, world


@pytest.mark.parametrize(
    "config", [Config(use_dualstack_endpoint=True), Config(use_fips_endpoint=True)]
)
def test_writes_by_dualstack_and_fips_endpoints_never_leave_the_process(config: Config) -> None:
    with world() as made:
        elb = made.session.client("elbv2", config=config)
        action = {"Type": "forward", "TargetGroupArn": DESTINATION}
        with pytest.raises(NetworkBlockedError):
            elb.modify_rule(RuleArn=RULE, Actions=[action])
        assert made.truth().weights[RULE] == 0


def test_a_custom_endpoint_is_blocked() -> None:
    with world() as made:
        elb = made.session.client("elbv2", endpoint_url="https://elb.example.test/")
        with pytest.raises(NetworkBlockedError):
            elb.describe_load_balancers()


def test_an_operation_that_moto_lacks_is_blocked_and_named() -> None:
    with world() as made, pytest.raises(NetworkBlockedError, match=r"ListServices|service-quotas"):
        made.session.client("service-quotas").list_services()


def test_nothing_in_the_environment_or_the_home_directory_is_read(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    config = tmp_path / "config"
    config.write_text(
        "[profile p]\nregion = us-west-1\nuse_dualstack_endpoint = true\nendpoint_url = https://evil.example.test\n"
    )
    settings = {
        "AWS_CONFIG_FILE": str(config), "AWS_PROFILE": "p", "AWS_DEFAULT_PROFILE": "p", "AWS_USE_DUALSTACK_ENDPOINT": "true",
        "AWS_ENDPOINT_URL": "https://evil.example.test", "AWS_ENDPOINT_URL_ELASTIC_LOAD_BALANCING_V2": "https://evil.example.test",
        "AWS_ACCESS_KEY_ID": "AKIAREAL", "AWS_SECRET_ACCESS_KEY": "real", "AWS_SESSION_TOKEN": "real", "MOTO_ACCOUNT_ID": "999999999999",
    }  # fmt: skip
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    with world() as made:
        elb = made.session.client("elbv2")
        assert elb.meta.endpoint_url == "https://elasticloadbalancing.ap-northeast-1.amazonaws.com"
        keys = made.session.get_credentials()
        assert keys is not None
        assert keys.access_key.startswith("REHEARSAL")
        assert keys.token is None
        assert elb.describe_load_balancers()["LoadBalancers"][0]["LoadBalancerName"] == "prod-web"
        moved(made, 5)
        assert made.truth().weights[RULE] == 50


def test_the_caller_is_the_account_of_the_plan() -> None:
    plan = small_plan()
    other = plan.model_validate_json(
        plan.model_dump_json(by_alias=True).replace("123456789012", "210987654321")
    )
    with world(plan=other) as made:
        assert made.session.client("sts").get_caller_identity()["Account"] == "210987654321"
        assert (
            made.session.client("elbv2")
            .describe_target_groups()["TargetGroups"][0]["TargetGroupArn"]
            .split(":")[4]
            == "210987654321"
        )


def test_a_world_leaves_what_else_uses_moto_in_this_process_alone() -> None:
    with mock_aws():
        theirs = boto3.client(
            "elbv2", region_name="ap-northeast-1", aws_access_key_id="a", aws_secret_access_key="b"
        )
        subnets = boto3.client(
            "ec2", region_name="ap-northeast-1", aws_access_key_id="a", aws_secret_access_key="b"
        ).describe_subnets()
        theirs.create_load_balancer(
            Name="theirs", Subnets=[s["SubnetId"] for s in subnets["Subnets"][:2]]
        )
        with world() as made:
            mine = made.session.client("elbv2").describe_load_balancers()["LoadBalancers"]
            assert [lb["LoadBalancerName"] for lb in mine] == ["prod-web"]
        assert [
            lb["LoadBalancerName"] for lb in theirs.describe_load_balancers()["LoadBalancers"]
        ] == ["theirs"]


def test_worlds_live_side_by_side_without_seeing_each_other() -> None:
    with world() as one, world() as other:
        moved(one, 5)
        assert (one.truth().weights[RULE], other.truth().weights[RULE]) == (50, 0)
        moved(other, 10)
        assert (one.truth().weights[RULE], other.truth().weights[RULE]) == (50, 100)
