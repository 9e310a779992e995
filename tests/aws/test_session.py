from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cutover.aws.endpoint_policy import DryRunError
from cutover.aws.identity import read_identity
from cutover.aws.session import open_session
from cutover.core.errors import CredentialsError, RefusedError, UsageError
from cutover.core.observation import Known, Unknown
from tests.aws.topology import INLINE, Faults, StepClock, session


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An environment with nothing but the files of this test."""
    for name in list(__import__("os").environ):
        if name.startswith("AWS_"):
            monkeypatch.delenv(name)
    config = tmp_path / "config"
    config.write_text("")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    return config


def test_a_plain_session_is_real_and_asks_standard_endpoints(home: Path) -> None:
    aws = open_session(StepClock(), region="eu-west-1")
    assert not aws.emulated
    client = aws.client("elbv2")
    assert client.meta.endpoint_url == "https://elasticloadbalancing.eu-west-1.amazonaws.com"
    assert aws.client("elbv2") is client


@pytest.mark.parametrize(("service", "read_s"), [("elbv2", 10), ("cloudwatch", 4), ("sts", 4)])
def test_a_client_gives_one_attempt_and_short_timeouts(
    home: Path, service: str, read_s: int
) -> None:
    config = open_session(StepClock(), region="eu-west-1").client(service).meta.config
    assert config.retries["total_max_attempts"] == 1
    assert (config.connect_timeout, config.read_timeout) == (3, read_s)
    assert "cutover/" in config.user_agent_extra


def test_a_loopback_endpoint_makes_it_emulated(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:5000")
    aws = open_session(StepClock(), region="eu-west-1")
    assert aws.emulated
    assert aws.client("elbv2").meta.endpoint_url == "http://127.0.0.1:5000"


def test_half_an_emulation_is_refused(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_CLOUDWATCH", "http://127.0.0.1:5000")
    aws = open_session(StepClock(), region="eu-west-1")
    aws.client("cloudwatch")
    with pytest.raises(RefusedError, match="some endpoints are custom"):
        aws.client("elbv2")


@pytest.mark.parametrize(
    "text",
    [
        "[profile dev]\nendpoint_url = https://proxy.example\n",
        "[profile dev]\nservices = mine\n[services mine]\nelastic_load_balancing_v2 =\n  endpoint_url = https://p.example\n",
        "[profile dev]\nuse_dualstack_endpoint = true\n",
    ],
)
def test_a_profile_that_leads_elsewhere_is_refused(home: Path, text: str) -> None:
    home.write_text(text)
    with pytest.raises(RefusedError):
        open_session(StepClock(), profile="dev", region="eu-west-1")


def test_an_unknown_profile_says_so_with_exit_code_8(home: Path) -> None:
    with pytest.raises(CredentialsError, match="nowhere") as raised:
        open_session(StepClock(), profile="nowhere", region="eu-west-1")
    assert raised.value.exit_code == 8
    assert raised.value.hint


def test_a_missing_region_is_asked_for(home: Path) -> None:
    with pytest.raises(UsageError, match="Region"):
        open_session(StepClock())


def test_a_dry_run_refuses_below_the_sdk() -> None:
    with pytest.raises(DryRunError, match="dry run"):
        session(dry_run=True).client("elbv2").modify_rule(RuleArn="arn", Actions=[])


def test_reads_pass_a_dry_run() -> None:
    assert isinstance(read_identity(session(dry_run=True), INLINE), Known)


class Reply:
    status_code = 200

    def __init__(self, date: str | None) -> None:
        self.headers = {} if date is None else {"Date": date}


@pytest.mark.parametrize(
    ("date", "skew"),
    [
        ("Mon, 02 Mar 2026 09:02:07 GMT", 120_500),
        ("Mon, 02 Mar 2026 08:58:07 GMT", -119_500),
        ("Mon, 02 Mar 2026 09:00:08 GMT", 0),
        ("not a date", 0),
        (None, 0),
    ],
)
def test_the_skew_is_awss_date_minus_our_clock(date: str | None, skew: int) -> None:
    aws = session(trust_date=True)
    reply: Any = Reply(date)
    aws.client("sts").meta.events.emit(
        "after-call.sts.GetCallerIdentity",
        http_response=reply,
        parsed={"Account": "123456789012", "Arn": "arn:aws:iam::123456789012:user/ops"},
        model=aws.client("sts").meta.service_model.operation_model("GetCallerIdentity"),
        context={},
    )
    assert aws.skew_ms == skew


def test_an_emulators_clock_is_not_believed() -> None:
    aws = session()
    reply: Any = Reply("Mon, 02 Mar 2026 19:00:00 GMT")
    aws.client("sts").meta.events.emit(
        "after-call.sts.GetCallerIdentity",
        http_response=reply,
        parsed={"Account": "123456789012", "Arn": "arn:aws:iam::123456789012:user/ops"},
        model=aws.client("sts").meta.service_model.operation_model("GetCallerIdentity"),
        context={},
    )
    assert aws.skew_ms == 0


def test_who_we_are_is_unknown_and_denied_when_the_token_expired() -> None:
    aws = session()
    Faults({"GetCallerIdentity": ["expired"]}).install(aws, "sts")
    found = read_identity(aws, INLINE)
    assert isinstance(found, Unknown)
    assert found.denied
