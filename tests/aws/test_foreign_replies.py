"""Every port against a zoo of replies that are not AWS's, over real HTTP: never an exception, and never an answer."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterator
from random import Random
from typing import Any

import boto3
import pytest

from cutover.aws import calibration, history
from cutover.aws.alb import AlbRouter
from cutover.aws.cloudwatch import CloudWatchAlarms, CloudWatchMetrics
from cutover.aws.fanout import Threads
from cutover.aws.identity import read_identity
from cutover.aws.route_config import Ends
from cutover.aws.session import AwsSession
from cutover.aws.survey import AwsSurveyor
from cutover.aws.target_health import AlbTargetHealth
from cutover.core.errors import CutoverError
from cutover.core.observation import Known, Minute, Unknown
from cutover.core.values import RouteId
from cutover.ports import Change, Unconditional, WriteOutcome, WriteResult
from tests.aws.peer import Peer, http, peer
from tests.aws.test_wire import split
from tests.aws.topology import START, StepClock
from tests.fakes import DESTINATION, LISTENER, RULE, SOURCE, TWO_ROUTES, plan_of

PAGE = "<html><head><title>Log in</title></head><body>Welcome to the airport<br></body></html>"
PLAN = plan_of(
    routes=TWO_ROUTES,
    gates=[{"errors": {"max": "1%"}}, {"latency": {"max": "1s"}}, {"alarm": {"name": "slo"}}],
)
NOW_MS = 1_772_442_000_000
JSON = "application/x-amz-json-1.0"


def cut(body: str, **headers: str) -> bytes:
    return http(body, **headers)[:-20]


def xml(operation_result: str) -> str:
    return f"<Response>{operation_result}</Response>"


TEXT_FOR_LISTS = xml(
    "".join(
        f"<{name}Result><Rules>x</Rules><Listeners>x</Listeners><Account>x</Account>"
        "<TargetHealthDescriptions><member>x</member></TargetHealthDescriptions>"
        f"</{name}Result>"
        for name in (
            "DescribeRules",
            "DescribeListeners",
            "ModifyRule",
            "ModifyListener",
            "GetCallerIdentity",
            "DescribeTargetHealth",
        )
    )
)

ZOO: dict[str, bytes] = {
    "a portal's page": http(PAGE, Content_Type="text/html"),
    "a portal's page, well formed": http(PAGE.replace("<br>", ""), Content_Type="text/html"),
    "nothing at all": http(""),
    "a closed connection": b"",
    "no HTTP": b"220 mail.example.com ESMTP\r\n",
    "half a page": cut(PAGE),
    "half a JSON": cut(json.dumps({"MetricDataResults": [], "MetricAlarms": []})),
    "JSON without its members": http("{}", Content_Type=JSON),
    "a JSON list": http("[]", Content_Type=JSON),
    "a JSON null": http("null", Content_Type=JSON),
    "a JSON text": http('"welcome"', Content_Type=JSON),
    "members of other types": http(
        json.dumps({"MetricDataResults": {"a": 1}, "MetricAlarms": "none", "Account": 1}),
        Content_Type=JSON,
    ),
    "members of members of other types": http(
        json.dumps(
            {
                "MetricDataResults": [{"Id": "q0", "Timestamps": ["soon"], "Values": ["many"]}],
                "MetricAlarms": [{"AlarmName": 7}],
            }
        ),
        Content_Type=JSON,
    ),
    "values that are no numbers": http(
        '{"MetricDataResults": [{"Id": "q0", "StatusCode": "Complete", "Timestamps": [1772441940],'
        ' "Values": [NaN]}, {"Id": "q1", "StatusCode": "Complete", "Timestamps": [1772441940],'
        ' "Values": [Infinity]}], "MetricAlarms": [null]}',
        Content_Type=JSON,
    ),
    "an id that nobody asked for": http(
        '{"MetricDataResults": [{"Id": "x", "StatusCode": "Complete", "Timestamps": [], "Values": []}]}',
        Content_Type=JSON,
    ),
    "very deep JSON": http("[" * 100_000, Content_Type=JSON),
    "XML without its members": http(xml("<ResponseMetadata/>")),
    "XML with text for lists": http(TEXT_FOR_LISTS),
    "a redirect": http(PAGE, "302 Found", Location="https://portal.example.com/"),
    "a redirect without a page": http("", "307 Temporary Redirect", Location="/"),
    "a proxy's refusal": http(PAGE, "502 Bad Gateway", Content_Type="text/html"),
    "bytes that are no text": http(b"\xff\xfe\x00<a>\x80"),
    "a packed body that is not packed": http(PAGE, Content_Encoding="gzip"),
    "half a packed body": http(gzip.compress(PAGE.encode())[:-9], Content_Encoding="gzip"),
    "a date that is none": http(PAGE, Date="Mon, 99 Foo 20xx 99:99:99 +9999999999"),
}

BOTH = [RouteId(RULE), RouteId(LISTENER)]
ENDS = Ends(SOURCE, DESTINATION)


class Ports:
    """Every port, on one session to the peer."""

    def __init__(self, server: Peer) -> None:
        self.server = server
        made = boto3.Session(
            aws_access_key_id="test", aws_secret_access_key="test", region_name="ap-northeast-1"
        )
        self.aws = AwsSession(
            made, StepClock(), emulated=True, loopback=True, trust_date=True, random=Random(1)
        )
        self.fanout = Threads(self.aws.clock, deadline_ms=60_000)
        self.router = AlbRouter(self.aws, self.fanout, dict.fromkeys(BOTH, ENDS))
        self.metrics = CloudWatchMetrics(self.aws, self.fanout, PLAN.observe)


@pytest.fixture(scope="module")
def ports() -> Iterator[Ports]:
    with peer(lambda _: b"") as server, pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", server.url)
        yield Ports(server)


def reads_routes(ports: Ports) -> list[Any]:
    return list(ports.router.read(BOTH).values())


def writes_a_rule(ports: Ports) -> list[Any]:
    return list(ports.router.write([Change(BOTH[0], split(400))], Unconditional()).values())


def writes_a_listener(ports: Ports) -> list[Any]:
    return list(ports.router.write([Change(BOTH[1], split(400))], Unconditional()).values())


def reads_minutes(ports: Ports) -> list[Any]:
    found = ports.metrics.read(PLAN.series({}), NOW_MS - 600_000, NOW_MS)
    return list(found.value) if isinstance(found, Known) else [found]


def reads_alarms(ports: Ports) -> list[Any]:
    return [CloudWatchAlarms(ports.aws, ports.fanout).read(["slo"])]


def reads_health(ports: Ports) -> list[Any]:
    return list(AlbTargetHealth(ports.aws, ports.fanout).read([SOURCE, DESTINATION]).values())


def asks_who(ports: Ports) -> list[Any]:
    return [read_identity(ports.aws, ports.fanout)]


def surveys(ports: Ports) -> list[Any]:
    found = AwsSurveyor(ports.aws, ports.fanout).survey(PLAN)
    return [
        found.identity, *found.routes.values(), *found.groups.values(), *found.health.values(),
        found.uses, found.balancer_tags, found.metrics, found.calibration, found.alarms,
        found.auto_scaling, found.dns_aliases,
    ]  # fmt: skip


def calibrates(ports: Ports) -> list[Any]:
    return [
        calibration.calibrate(PLAN, ports.metrics, NOW_MS, START),
        calibration.recent_requests(PLAN, ports.metrics, NOW_MS, START),
    ]


def reads_the_past(ports: Ports) -> list[Any]:
    try:
        return [history.request_rates(PLAN, ports.metrics, 1, NOW_MS)]
    except CutoverError as error:
        return [error]


PORTS = (
    reads_routes, writes_a_rule, writes_a_listener, reads_minutes, reads_alarms, reads_health, asks_who, surveys,
    calibrates, reads_the_past,
)  # fmt: skip


def knows_nothing(found: Any) -> bool:
    if isinstance(found, WriteOutcome):
        return found.result is WriteResult.AMBIGUOUS
    if isinstance(found, Minute):
        return not found.answered
    return isinstance(found, Unknown | CutoverError)


@pytest.mark.parametrize("port", PORTS)
@pytest.mark.parametrize("name", ZOO)
def test_a_foreign_reply_is_unknown_or_ambiguous_at_every_port(
    ports: Ports, port: Callable[[Ports], list[Any]], name: str
) -> None:
    ports.server.answer = lambda _: ZOO[name]
    found = port(ports)
    assert found
    assert [one for one in found if not knows_nothing(one)] == []
    assert [one for one in found if getattr(one, "code", "") == "bug"] == []


LISTS_OF_OTHERS = {
    "DescribeRules": "<Rules><member><RuleArn>arn:other</RuleArn><Actions/></member></Rules>",
    "DescribeListeners": "<Listeners><member><ListenerArn>arn:other</ListenerArn><DefaultActions/></member></Listeners>",
    "ModifyRule": "<Rules><member><RuleArn>arn:other</RuleArn><Actions/></member></Rules>",
}


@pytest.mark.parametrize("port", [reads_routes, writes_a_rule])
@pytest.mark.parametrize("empty", [False, True])
def test_a_list_without_ours_says_nothing_about_ours(
    ports: Ports, port: Callable[[Ports], list[Any]], empty: bool
) -> None:
    def answer(request: bytes) -> bytes:
        name = next(one for one in LISTS_OF_OTHERS if f"Action={one}&".encode() in request)
        items = LISTS_OF_OTHERS[name]
        if empty:
            items = items.split("<member>")[0] + items.rsplit("</member>", 1)[1]
        return http(f"<{name}Response><{name}Result>{items}</{name}Result></{name}Response>")

    ports.server.answer = answer
    for found in port(ports):
        assert knows_nothing(found)
        if isinstance(found, Unknown):  # gone is what AWS says by an error
            assert found.code == "foreign_reply"


def test_what_is_wrong_with_a_foreign_reply_is_said(ports: Ports) -> None:
    ports.server.answer = lambda _: http("{}", Content_Type=JSON)
    found = reads_alarms(ports)[0]
    assert isinstance(found, Unknown)
    assert "the reply to DescribeAlarms is not AWS's" in found.reason
