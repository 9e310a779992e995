from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cutover.aws import endpoint_policy
from cutover.core.errors import RefusedError, UsageError

HOSTS = {
    "localhost": ("127.0.0.1", "::1"),
    "aws.localhost": ("::1%lo",),
    "stray.localhost": ("127.0.0.1", "203.0.113.9"),
    "abroad.localhost": ("203.0.113.9",),
}


@pytest.mark.parametrize(
    ("url", "loopback"),
    [
        ("http://127.0.0.1:5000", True),
        ("http://127.8.9.1", True),
        ("http://[::1]:5000", True),
        ("http://localhost:4566", True),
        ("http://aws.localhost:4566", True),
        ("http://ana:secret@127.0.0.1:4566", True),
        ("http://stray.localhost:4566", False),
        ("http://abroad.localhost:4566", False),
        ("http://nowhere.localhost:4566", False),
        ("http://127.0.0.1@abroad.localhost", False),
        ("http://10.0.0.1:5000", False),
        ("http://0.0.0.0:5000", False),
        ("http://localhost.example.com", False),
        ("http://notlocalhost", False),
        ("https://elasticloadbalancing.eu-west-1.amazonaws.com", False),
        ("http://127.0.0.1.example.com", False),
    ],
)
def test_only_this_machine_is_loopback_whatever_its_name_promises(
    url: str, loopback: bool
) -> None:
    host = endpoint_policy.parsed_url("AWS_ENDPOINT_URL", url).hostname
    assert endpoint_policy.is_loopback(str(host), lambda name: HOSTS.get(name, ())) is loopback


def test_the_machines_own_resolver_is_asked_for_localhost() -> None:
    assert endpoint_policy.is_loopback("localhost")
    assert not endpoint_policy.is_loopback("no-such-host.invalid")


@given(st.text(st.sampled_from("htps:/@[]\\%?#.127 0localx:9\t\n\u2100"), max_size=30))
def test_no_text_makes_the_parser_of_urls_raise_anything_but_a_usage_error(text: str) -> None:
    for url in (text, f"http://{text}", f"http://u:p@[{text}"):
        with suppress(UsageError):
            assert endpoint_policy.parsed_url("AWS_ENDPOINT_URL", url).hostname


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
        endpoint_policy.emulated_by(
            endpoint_policy.custom_endpoints(environment, profile, services)
        )
    ignored = {**environment, "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true"}
    assert not endpoint_policy.emulated_by(
        endpoint_policy.custom_endpoints(ignored, profile, services)
    )


def test_loopback_makes_the_session_emulated_and_no_setting_makes_it_real() -> None:
    assert endpoint_policy.emulated_by(
        endpoint_policy.custom_endpoints({"AWS_ENDPOINT_URL": "http://127.0.0.1:5000"}, {}, {})
    )
    assert not endpoint_policy.emulated_by(
        endpoint_policy.custom_endpoints({}, {}, {"dev": {"sts": {"endpoint_url": "https://x"}}})
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
        endpoint_policy.check_endpoint(url, loopback=loopback)
    else:
        with pytest.raises(RefusedError):
            endpoint_policy.check_endpoint(url, loopback=loopback)


@pytest.mark.parametrize("where", ["environment", "profile"])
def test_dual_stack_is_refused(where: str) -> None:
    environment = {"AWS_USE_DUALSTACK_ENDPOINT": "true"} if where == "environment" else {}
    profile = {"use_dualstack_endpoint": "true"} if where == "profile" else {}
    with pytest.raises(RefusedError, match="dualstack"):
        endpoint_policy.refuse_dualstack(environment, profile)
    endpoint_policy.refuse_dualstack({"AWS_USE_DUALSTACK_ENDPOINT": "false"}, profile)


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
            endpoint_policy.check_operation(name, dry_run=dry_run)
        else:
            with pytest.raises(endpoint_policy.DryRunError, match=name):
                endpoint_policy.check_operation(name, dry_run=dry_run)
