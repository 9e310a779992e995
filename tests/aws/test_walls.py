from __future__ import annotations

import pytest

from cutover.aws import walls
from cutover.core.errors import RefusedError


@pytest.mark.parametrize(
    ("url", "loopback"),
    [
        ("http://127.0.0.1:5000", True),
        ("http://127.8.9.1", True),
        ("http://[::1]:5000", True),
        ("http://localhost:4566", True),
        ("http://aws.localhost:4566", True),
        ("http://10.0.0.1:5000", False),
        ("http://localhost.example.com", False),
        ("https://elasticloadbalancing.eu-west-1.amazonaws.com", False),
        ("http://127.0.0.1.example.com", False),
        ("", False),
    ],
)
def test_only_this_machine_is_loopback(url: str, loopback: bool) -> None:
    assert walls.is_loopback(url) is loopback


@pytest.mark.parametrize(
    ("environment", "profile", "services", "where"),
    [
        ({"AWS_ENDPOINT_URL": "http://10.0.0.1"}, {}, {}, "AWS_ENDPOINT_URL"),
        (
            {"AWS_ENDPOINT_URL_CLOUDWATCH": "https://cw.example"},
            {},
            {},
            "AWS_ENDPOINT_URL_CLOUDWATCH",
        ),
        ({}, {"endpoint_url": "https://proxy.example"}, {}, "endpoint_url in the profile"),
        (
            {},
            {"services": "dev"},
            {"dev": {"sts": {"endpoint_url": "https://sts.example"}}},
            "endpoint_url of sts",
        ),
    ],
)
def test_every_way_to_a_custom_endpoint_is_refused_and_named(
    environment: dict[str, str],
    profile: dict[str, str],
    services: dict[str, dict[str, dict[str, str]]],
    where: str,
) -> None:
    with pytest.raises(RefusedError, match=where):
        walls.emulated_by(walls.custom_endpoints(environment, profile, services))
    ignored = {**environment, "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true"}
    assert not walls.emulated_by(walls.custom_endpoints(ignored, profile, services))


def test_loopback_makes_the_session_emulated_and_no_setting_makes_it_real() -> None:
    assert walls.emulated_by(
        walls.custom_endpoints({"AWS_ENDPOINT_URL": "http://127.0.0.1:5000"}, {}, {})
    )
    assert not walls.emulated_by(
        walls.custom_endpoints({}, {}, {"dev": {"sts": {"endpoint_url": "https://x"}}})
    )


@pytest.mark.parametrize(
    ("url", "loopback", "allowed"),
    [
        ("https://elasticloadbalancing.eu-west-1.amazonaws.com", False, True),
        ("https://monitoring.cn-north-1.amazonaws.com.cn", False, True),
        ("http://elasticloadbalancing.eu-west-1.amazonaws.com", False, False),
        ("https://elasticloadbalancing.eu-west-1.api.aws", False, False),
        ("https://amazonaws.com.example", False, False),
        ("http://127.0.0.1:5000", False, False),
        ("http://127.0.0.1:5000", True, True),
        ("https://elasticloadbalancing.eu-west-1.amazonaws.com", True, False),
    ],
)
def test_a_clients_own_endpoint_is_held_against_the_session(
    url: str, loopback: bool, allowed: bool
) -> None:
    if allowed:
        walls.check_endpoint(url, loopback=loopback)
    else:
        with pytest.raises(RefusedError):
            walls.check_endpoint(url, loopback=loopback)


@pytest.mark.parametrize("where", ["environment", "profile"])
def test_dual_stack_is_refused(where: str) -> None:
    environment = {"AWS_USE_DUALSTACK_ENDPOINT": "true"} if where == "environment" else {}
    profile = {"use_dualstack_endpoint": "true"} if where == "profile" else {}
    with pytest.raises(RefusedError, match="dualstack"):
        walls.refuse_dualstack(environment, profile)
    walls.refuse_dualstack({"AWS_USE_DUALSTACK_ENDPOINT": "false"}, profile)


@pytest.mark.parametrize(
    ("name", "dry", "live"),
    [
        ("DescribeRules", True, True),
        ("GetCallerIdentity", True, True),
        ("GetMetricData", True, True),
        ("ListHostedZones", True, True),
        ("ModifyRule", False, True),
        ("ModifyListener", False, True),
        ("DeleteRule", False, False),
        ("ModifyTargetGroupAttributes", False, False),
        ("PutMetricData", False, False),
        ("SetRulePriorities", False, False),
    ],
)
def test_only_reads_and_our_two_writes_ever_pass(name: str, dry: bool, live: bool) -> None:
    for dry_run, allowed in ((True, dry), (False, live)):
        if allowed:
            walls.check_operation(name, dry_run=dry_run)
        else:
            with pytest.raises(walls.DryRunError, match=name):
                walls.check_operation(name, dry_run=dry_run)
