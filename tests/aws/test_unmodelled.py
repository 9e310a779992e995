"""A younger AWS describes what the SDK's model has no name for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from botocore.awsrequest import AWSResponse
from moto.core.botocore_stubber import MockRawResponse
from moto.core.models import botocore_stubber

from cutover.app.break_glass import restore_routes
from cutover.aws.alb import AlbRouter
from cutover.core.observation import Known
from cutover.core.routing import RouteConfig, config_body, config_of
from cutover.core.values import RouteId, Weight
from cutover.ports import Change, Unconditional, WriteResult
from tests.aws.topology import INLINE, StepClock, World, world

MIRROR = "<Mirror><TargetGroupArn>arn:shadow</TargetGroupArn></Mirror>"


def younger_aws(there: World, change: Callable[[str], str]) -> None:
    """Replies of DescribeRules and DescribeListeners as `change` makes them, on the wire."""

    def answer(event_name: str, request: Any, **_: Any) -> Any:
        reply = botocore_stubber(event_name=event_name, request=request)
        if "Describe" not in event_name or reply is None:
            return reply
        body = change(reply.content.decode())
        headers: Any = reply.headers
        return AWSResponse(request.url, 200, headers, MockRawResponse(body))

    events = there.aws.client("elbv2").meta.events
    events.unregister("before-send", botocore_stubber)
    events.register_first("before-send", answer)


def mirrored(body: str) -> str:
    return body.replace("<TargetGroups>", MIRROR + "<TargetGroups>").replace(
        "<Type>forward</Type>", "<Type>forward</Type><Pace>slow</Pace>"
    )


@pytest.fixture
def there() -> World:
    found = world()
    both = [{"TargetGroupArn": found.source, "Weight": 999}]
    spelled = [{"Type": "forward", "ForwardConfig": {"TargetGroups": both}}]
    found.elb.modify_rule(RuleArn=found.rule, Actions=spelled)
    found.elb.modify_listener(ListenerArn=found.listener, DefaultActions=spelled)
    return found


def read(alb: AlbRouter, route: RouteId) -> RouteConfig:
    reading = alb.read([route])[route]
    assert isinstance(reading, Known), reading
    return reading.value


def router(there: World, *, may_drop: bool = False) -> AlbRouter:
    routes = (there.rule, RouteId(there.listener))
    ends = dict.fromkeys(routes, there.ends)
    return AlbRouter(there.aws, INLINE, ends, may_drop=may_drop)


def test_what_the_model_knows_is_never_called_unknown(there: World) -> None:
    alb = router(there)
    assert read(alb, there.rule).unmodelled == ()
    assert read(alb, RouteId(there.listener)).unmodelled == ()


@pytest.mark.parametrize("kind", ["rule", "listener"])
def test_a_raise_is_refused_where_it_would_drop_what_only_the_raw_reply_shows(
    there: World, kind: str
) -> None:
    younger_aws(there, mirrored)
    alb, route = router(there), RouteId(getattr(there, kind))
    found = read(alb, route)
    assert sorted(found.unmodelled) == ["ForwardConfig.Mirror", "Pace"]
    with pytest.raises(ValueError, match=r"this version would drop .*ForwardConfig\.Mirror"):
        alb.with_weight(route, found, Weight(10))


def test_a_plan_that_accepts_the_loss_may_raise_and_the_write_says_what_it_lost(
    there: World,
) -> None:
    younger_aws(there, mirrored)
    alb = router(there, may_drop=True)
    change = Change(there.rule, alb.with_weight(there.rule, read(alb, there.rule), Weight(10)))
    outcome = alb.write([change], Unconditional())[there.rule]
    assert outcome.result is WriteResult.APPLIED
    assert "may have dropped" in outcome.message
    assert "ForwardConfig.Mirror" in outcome.message


@pytest.mark.parametrize("verbatim", [True, False])
def test_a_rollback_goes_on_and_names_what_it_may_drop(there: World, verbatim: bool) -> None:
    alb = router(there)
    snapshot = config_of(config_body(read(alb, there.rule)))
    alb.write(
        [Change(there.rule, alb.with_weight(there.rule, snapshot, Weight(300)))], Unconditional()
    )
    younger_aws(there, mirrored)
    back = alb.restored(there.rule, read(alb, there.rule), snapshot, "keep", verbatim=verbatim)
    assert back is not None
    outcome = alb.write([Change(there.rule, back)], Unconditional())[there.rule]
    assert outcome.result is WriteResult.APPLIED
    assert "ForwardConfig.Mirror" in outcome.message
    assert read(alb, there.rule).weight in (None, 0)


@pytest.mark.parametrize("younger", [True, False])
def test_the_way_back_without_a_run_is_refused_nothing_that_only_a_raise_may_be_refused(
    there: World, younger: bool
) -> None:
    alb = router(there)
    with_weight = alb.with_weight(there.rule, read(alb, there.rule), Weight(300))
    alb.write([Change(there.rule, with_weight)], Unconditional())

    def bare(body: str) -> str:
        """An older SDK reads a JWT validation without its settings."""
        first = "<Actions><member><Type>jwt-validation</Type><Order>1</Order></member>"
        return body.replace("<Actions>", first)

    younger_aws(there, mirrored if younger else bare)
    with pytest.raises(ValueError, match="would"):
        alb.with_weight(there.rule, read(alb, there.rule), Weight(400))
    said: list[str] = []
    restored = restore_routes((there.rule,), router(there), StepClock(), said.append)
    if younger:
        assert list(restored.done) == [there.rule]
        assert "ForwardConfig.Mirror" in said[0]
    else:  # the emulator refuses what this SDK can not even spell; AWS is asked all the same
        assert "cannot be set" not in restored.open.get(there.rule, "")


def test_what_was_read_so_is_remembered_by_the_journal_and_is_no_difference(there: World) -> None:
    plain = read(router(there), there.rule)
    younger_aws(there, mirrored)
    found = read(router(there), there.rule)
    assert config_of(config_body(found)).unmodelled == found.unmodelled
    assert found == plain
    assert found.hash == plain.hash
