"""Preflight's eyes: every fact about a plan, read side by side and read-only."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from cutover.aws import route_config
from cutover.aws.alb import AlbRouter, balancer_of, is_rule, listener_of
from cutover.aws.calibration import calibrate, recent_requests
from cutover.aws.cloudwatch import CloudWatchAlarms, CloudWatchMetrics
from cutover.aws.facts import TAGS_BATCH, Elb, fact, fact_of
from cutover.aws.fanout import Fanout
from cutover.aws.identity import read_identity
from cutover.aws.metric_names import MetricNames, custom_facts, silent_sources
from cutover.aws.parse_survey import (
    ELB,
    Answer,
    Elements,
    all_tags,
    gone,
    group_facts,
    is_default,
    listener_facts,
    permission,
    rule_arns,
    rule_uses,
)
from cutover.aws.restored import stickiness_strategy_for
from cutover.aws.route_config import Ends
from cutover.aws.session import AwsSession
from cutover.aws.target_health import AlbTargetHealth
from cutover.core.moment import Moment
from cutover.core.observation import (
    AlarmState,
    Identity,
    Known,
    Reading,
    RouteFacts,
    Survey,
    Unknown,
)
from cutover.core.observation.survey import Fact
from cutover.core.plan import Plan, Route
from cutover.core.routing import RouteConfig
from cutover.core.values import RouteId
from cutover.ports import Surveyor

Claims = Callable[[Sequence[RouteId]], Mapping[RouteId, str]]
"""Which live or resting run, other than ours, claims which of these routes."""


class AwsSurveyor(Surveyor):
    """Reads a `Survey` with what the session may read; everything else is `Unknown`.

    Args:
        aws: the session.
        fanout: runs the reads side by side.
        claims: asks the lease store who holds a route; the caller's room.
    """

    def __init__(self, aws: AwsSession, fanout: Fanout, claims: Claims = lambda _: {}) -> None:
        self._aws = aws
        self._fanout = fanout
        self._claims = claims
        self._elb = Elb(aws)

    def identity(self) -> Reading[Identity]:
        return read_identity(self._aws, self._fanout)

    def skew_ms(self) -> int:
        return self._aws.skew_ms

    def survey(self, plan: Plan) -> Survey:
        aws, fanout = self._aws, self._fanout
        at = aws.clock.now()  # before every call: what is learned is at least as new as this
        identity = fact_of(self.identity(), "sts:GetCallerIdentity")
        groups = tuple(
            dict.fromkeys(
                arn for route in plan.routes for arn in (route.source, route.destination)
            )
        )
        balancers = tuple(dict.fromkeys(balancer_of(route.id) for route in plan.routes))
        router = AlbRouter(
            aws, fanout, {route.id: Ends(route.source, route.destination) for route in plan.routes}
        )
        readings = router.read([route.id for route in plan.routes])
        seen = self._elements(balancers, groups, at)
        listeners = [
            item
            for answer in seen.listeners.values()
            if isinstance(answer, list)
            for item in answer
        ]
        rules = self._side_by_side(
            {one["ListenerArn"]: self._elb.rules(one["ListenerArn"]) for one in listeners}
        )
        tags = self._tags(
            (*balancers, *(one["ListenerArn"] for one in listeners), *rule_arns(plan), *groups), at
        )
        others = self._others(plan, seen)
        now_ms = aws.clock.now().wall_ms + aws.skew_ms
        metrics = CloudWatchMetrics(aws, fanout, plan.observe)
        names, requests = MetricNames(aws, fanout), recent_requests(plan, metrics, now_ms, at)
        health = AlbTargetHealth(aws, fanout).read(groups)
        return Survey(
            identity=identity,
            region=aws.region,
            skew_ms=Known(aws.skew_ms, at),
            routes={
                route.id: self._route(
                    route, fact_of(readings[route.id], permission(route)), seen, rules, tags
                )
                for route in plan.routes
            },
            groups={arn: group_facts(arn, seen, tags) for arn in groups},
            health={arn: fact_of(health[arn], ELB + "DescribeTargetHealth") for arn in groups},
            uses=rule_uses(groups, seen, rules, [route.id for route in plan.routes]),
            balancer_tags=all_tags(tags, balancers, at),
            listeners=listener_facts(seen, tags),
            auto_scaling=fact(others["auto_scaling"], "autoscaling:DescribeAutoScalingGroups", at),
            dns_aliases=fact(others["aliases"], "route53:ListResourceRecordSets", at),
            metrics=requests,
            calibration=calibrate(plan, metrics, now_ms, at),
            alarms=self._alarms(plan, at),
            custom=custom_facts(plan, metrics, names, now_ms, at),
            silent=silent_sources(plan, requests, names),
            claimed_by=self._claims([route.id for route in plan.routes]),
            emulated=aws.emulated,
            at_ms=now_ms,
        )

    def _side_by_side(self, calls: Mapping[str, Callable[[], Any]]) -> dict[str, Answer]:
        return dict(self._fanout.run(calls))

    def _elements(self, balancers: Sequence[str], groups: Sequence[str], at: Moment) -> Elements:
        elb = self._elb
        asked = {
            **{f"balancer {arn}": elb.balancer(arn) for arn in balancers},
            **{f"listeners {arn}": elb.listeners(arn) for arn in balancers},
            **{f"group {arn}": elb.group(arn) for arn in groups},
            **{f"attributes {arn}": elb.attributes(arn) for arn in groups},
        }
        answers = self._side_by_side(asked)

        def under(kind: str, arns: Sequence[str]) -> dict[str, Answer]:
            return {arn: answers[f"{kind} {arn}"] for arn in arns}

        return Elements(
            under("balancer", balancers),
            under("listeners", balancers),
            under("group", groups),
            under("attributes", groups),
            at,
        )

    def _tags(self, arns: Sequence[str], at: Moment) -> dict[str, Fact[Mapping[str, str]]]:
        once = list(dict.fromkeys(arns))
        batches = [once[n : n + TAGS_BATCH] for n in range(0, len(once), TAGS_BATCH)]
        answers = self._side_by_side(
            {str(n): self._elb.tags(batch) for n, batch in enumerate(batches)}
        )
        # a resource that is gone fails its whole batch: then each is asked alone
        broken = [n for n, batch in enumerate(batches) if len(batch) > 1 and gone(answers[str(n)])]
        alone = self._side_by_side(
            {arn: self._elb.tags([arn]) for n in broken for arn in batches[n]}
        )
        found: dict[str, Fact[Mapping[str, str]]] = {}
        for n, batch in enumerate(batches):
            for arn in batch:
                got = fact(alone.get(arn, answers[str(n)]), ELB + "DescribeTags", at)
                found[arn] = Known(got.value.get(arn, {}), at) if isinstance(got, Known) else got
        return found

    def _others(self, plan: Plan, seen: Elements) -> dict[str, Answer]:
        names = [
            str(item["DNSName"])
            for answer in seen.balancers.values()
            if isinstance(answer, list)
            for item in answer
        ]
        return self._side_by_side(
            {
                "auto_scaling": self._elb.auto_scaling({route.source for route in plan.routes}),
                "aliases": self._elb.aliases(names),
            }
        )

    def _alarms(self, plan: Plan, at: Moment) -> Fact[Mapping[str, AlarmState]]:
        if not plan.alarms:
            return Known({}, at)
        reading = CloudWatchAlarms(self._aws, self._fanout).read(plan.alarms)
        return fact_of(reading, "cloudwatch:DescribeAlarms")

    def _route(
        self,
        route: Route,
        config: Fact[RouteConfig],
        seen: Elements,
        rules: Mapping[str, Answer],
        tags: Mapping[str, Fact[Mapping[str, str]]],
    ) -> Fact[RouteFacts]:
        if isinstance(config, Unknown):
            return config
        ends = Ends(route.source, route.destination)
        found = config.value
        sticky = self._target_sticky(found, ends, seen)
        if isinstance(sticky, Unknown):
            return sticky
        stickiness_strategy, why = stickiness_strategy_for(found, ends, sticky)
        own = tags.get(route.id)
        return Known(
            RouteFacts(
                config=found,
                stickiness_strategy=stickiness_strategy,
                stickiness_strategy_why=why,
                listener=listener_of(route.id),
                is_default=not is_rule(route.id) or is_default(route.id, rules),
                action_types=route_config.action_types(found),
                other_groups=route_config.others(found, ends),
                tags=own.value if isinstance(own, Known) else {},
                sticky_seconds=route_config.sticky_seconds(found),
                pair_sum=route_config.pair_sum(found, ends),
                bare_actions=route_config.bare_actions(found),
            ),
            seen.at,
        )

    def _target_sticky(
        self, config: RouteConfig, ends: Ends, seen: Elements
    ) -> tuple[str, ...] | Unknown:
        """The groups of the action, with ours attached, whose target stickiness is on."""
        every = tuple(
            dict.fromkeys((ends.source, ends.destination, *route_config.weights_of(config)))
        )
        unseen = {arn: self._elb.attributes(arn) for arn in every if arn not in seen.attributes}
        answers = {**seen.attributes, **self._side_by_side(unseen)}
        sticky = []
        for arn in every:
            got: Fact[Mapping[str, str]] = fact(
                answers[arn], ELB + "DescribeTargetGroupAttributes", seen.at
            )
            if isinstance(got, Unknown):
                return replace(got, reason=f"stickiness of {arn}: {got.reason}")
            if got.value.get("stickiness.enabled") == "true":
                sticky.append(arn)
        return tuple(sticky)
