"""Listener rules and default actions of an Application Load Balancer as routes."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from cutover.aws import route_config
from cutover.aws.fanout import Fanout, attempt
from cutover.aws.restored import way_back
from cutover.aws.retry import FOREIGN_REPLY, NOT_CONNECTED, Failure, Kind
from cutover.aws.route_config import Ends
from cutover.aws.session import AwsSession
from cutover.aws.unmodelled import UNMODELLED
from cutover.aws.write_tickets import Departures, Ticket
from cutover.core.moment import Moment
from cutover.core.observation import Known, Reading, Unknown
from cutover.core.routing import RouteConfig
from cutover.core.state.model import MISMATCH
from cutover.core.values import RouteId, Weight, canonical_json
from cutover.ports import NOT_SENT, Change, Permit, Router, WriteOutcome, WriteResult

BATCH: Final = 20
"""ARNs per Describe call; one that is gone fails the whole call, which is then asked one by one."""

_GONE: Final = frozenset({"RuleNotFound", "ListenerNotFound"})

Live = tuple[RouteConfig, Moment]


def listener_of(route: str) -> str:
    """The listener's ARN of a rule's or listener's ARN."""
    head, kind, tail = _parts(route)
    return f"{head}:listener/{tail.rsplit('/', 1)[0]}" if kind == "listener-rule" else route


def balancer_of(route: str) -> str:
    """The load balancer's ARN of a rule's or listener's ARN."""
    head, _, tail = _parts(listener_of(route))
    return f"{head}:loadbalancer/{tail.rsplit('/', 1)[0]}"


def is_rule(route: str) -> bool:
    """Whether the ARN names a rule, not a listener."""
    return ":listener-rule/" in route


def _parts(arn: str) -> tuple[str, str, str]:
    head, _, resource = arn.rpartition(":")
    kind, _, tail = resource.partition("/")
    return head, kind, tail


class AlbRouter(Router):
    """Reads and writes the split of routes on Application Load Balancers.

    Args:
        aws: the session.
        fanout: runs calls side by side.
        routes: the two groups of every route it is ever asked for.
        may_drop: the plan accepts that a raise loses what this version cannot read (`waive: unmodelled`).
    """

    def __init__(
        self,
        aws: AwsSession,
        fanout: Fanout,
        routes: Mapping[RouteId, Ends],
        *,
        may_drop: bool = False,
    ) -> None:
        self._may_drop = may_drop
        self._aws = aws
        self._fanout = fanout
        self._ends = dict(routes)
        self._default_rules: set[RouteId] = set()
        self._departures = Departures()

    def read(
        self, routes: Sequence[RouteId], *, once: bool = False
    ) -> Mapping[RouteId, Reading[RouteConfig]]:
        by_way: dict[bool, list[RouteId]] = {True: [], False: []}
        for route in dict.fromkeys(routes):
            by_way[self._by_rule(route)].append(route)
        batches = [
            (way, tuple(some[start : start + BATCH]))
            for way, some in by_way.items()
            for start in range(0, len(some), BATCH)
        ]
        found = self._asked(batches, once=once)
        lonely = [
            (way, (route,))
            for way, batch in batches
            if len(batch) > 1
            and isinstance(answer := found[way, batch], Failure)
            and answer.code in _GONE
            for route in batch
        ]
        for key, answer in self._asked(lonely, once=once).items():
            found[key] = answer
        readings: dict[RouteId, Reading[RouteConfig]] = {}
        for (way, batch), answer in found.items():
            for route in batch:
                readings[route] = self._reading(route, answer, rule=way)
        return {route: readings[route] for route in routes}

    def with_weight(self, route: RouteId, config: RouteConfig, weight: Weight) -> RouteConfig:
        return route_config.with_weight(config, self._ends[route], weight, may_drop=self._may_drop)

    def restored(
        self,
        route: RouteId,
        live: RouteConfig,
        snapshot: RouteConfig,
        stickiness_strategy: str,
        *,
        verbatim: bool,
    ) -> RouteConfig | None:
        return way_back(live, snapshot, self._ends[route], stickiness_strategy, verbatim=verbatim)

    def detach(self, route: RouteId, config: RouteConfig) -> RouteConfig:
        return route_config.detach(config, self._ends[route], may_drop=self._may_drop)

    def prepare(self) -> Reading[None]:
        at = self._aws.clock.now()

        def ready() -> None:
            self._aws.client("elbv2")
            self._aws.keys()

        answer = self._fanout.run({"": ready})[""]
        if isinstance(answer, Failure):
            return answer.unknown()
        if self._aws.unguarded:
            return Unknown(f"late writes could not be stopped: {self._aws.unguarded}", "unguarded")
        return Known(None, at)

    def write(self, changes: Sequence[Change], permit: Permit) -> Mapping[RouteId, WriteOutcome]:
        tickets = {
            change.route: self._departures.ticket(change.route, permit) for change in changes
        }
        calls: dict[RouteId, Callable[[], WriteOutcome]] = {
            change.route: self._writer(change, tickets[change.route]) for change in changes
        }
        try:
            answers = self._fanout.run(calls)
        finally:
            for ticket in tickets.values():
                ticket.give_up()
        return {
            route: self._unanswered(answer, tickets[route])
            if isinstance(answer, Failure)
            else answer
            for route, answer in answers.items()
        }

    def restore_commands(self, configs: Mapping[RouteId, RouteConfig]) -> tuple[str, ...]:
        return tuple(self._restore_command(route, config) for route, config in configs.items())

    def _by_rule(self, route: RouteId) -> bool:
        return is_rule(route) and route not in self._default_rules

    def _asked(
        self, batches: Sequence[tuple[bool, tuple[RouteId, ...]]], *, once: bool
    ) -> dict[tuple[bool, tuple[RouteId, ...]], Mapping[str, Any] | Failure]:
        calls: dict[
            tuple[bool, tuple[RouteId, ...]], Callable[[], Mapping[str, Any] | Failure]
        ] = {(way, batch): self._reader(batch, rules=way, once=once) for way, batch in batches}
        return dict(self._fanout.run(calls))

    def _reader(
        self, batch: tuple[RouteId, ...], *, rules: bool, once: bool
    ) -> Callable[[], Mapping[str, Any] | Failure]:
        def ask() -> Mapping[str, Any]:
            client = self._aws.client("elbv2")
            at = self._aws.clock.now()  # before the call: what we learn is at least as new as this
            if rules:
                answer = client.describe_rules(RuleArns=list(batch))
                found = {rule["RuleArn"]: rule for rule in answer["Rules"]}
            else:
                arns = list(dict.fromkeys(listener_of(route) for route in batch))
                answer = client.describe_listeners(ListenerArns=arns)
                found = {listener["ListenerArn"]: listener for listener in answer["Listeners"]}
            return {"at": at, "found": found}

        return (lambda: attempt(ask)) if once else (lambda: self._aws.reads.read(ask))

    def _reading(
        self, route: RouteId, answer: Mapping[str, Any] | Failure, *, rule: bool
    ) -> Reading[RouteConfig]:
        if isinstance(answer, Failure):
            return replace(answer.unknown(), gone=answer.code in _GONE)
        item = answer["found"].get(route if rule else listener_of(route))
        if item is None:  # AWS names a route that is gone by an error, never by leaving it out
            return Unknown(f"the answer does not name {route}", FOREIGN_REPLY)
        if rule and item.get("IsDefault"):
            self._default_rules.add(route)  # only ModifyListener may change it
        actions = item["Actions" if rule else "DefaultActions"]
        unmodelled = item.get(UNMODELLED, ())
        config = attempt(
            lambda: route_config.config_of_actions(actions, self._ends[route], unmodelled)
        )
        return config.unknown() if isinstance(config, Failure) else Known(config, answer["at"])

    def _writer(self, change: Change, ticket: Ticket) -> Callable[[], WriteOutcome]:
        def ask() -> tuple[Any, str]:
            client = self._aws.client("elbv2")
            actions = route_config.actions_of(change.config)
            if self._by_rule(change.route):
                answer = client.modify_rule(RuleArn=change.route, Actions=actions)
                said = [one["Actions"] for one in answer["Rules"]]
            else:
                answer = client.modify_listener(
                    ListenerArn=listener_of(change.route), DefaultActions=actions
                )
                said = [one["DefaultActions"] for one in answer["Listeners"]]
            request_id = str(answer.get("ResponseMetadata", {}).get("RequestId", ""))
            return said[0] if said else None, request_id

        def send() -> WriteOutcome:
            with ticket.sending():
                answer = attempt(ask)
            if not isinstance(answer, Failure):
                return self._confirmed(change, *answer)
            if answer.code == "OperationNotPermitted" and is_rule(change.route):
                self._default_rules.add(change.route)  # AWS docs: default rules by ModifyListener
            return self._unanswered(answer, ticket)

        return send

    @staticmethod
    def _unanswered(failure: Failure, ticket: Ticket) -> WriteOutcome:
        """What became of a write without a good answer: whether it left is known, whatever went wrong."""
        if ticket.refused:
            return WriteOutcome(WriteResult.NOT_APPLIED, NOT_SENT, ticket.refused)
        outcome = failure.outcome()
        if ticket.left or failure.kind not in (Kind.AMBIGUOUS, Kind.UNEXPECTED):
            return outcome
        if ticket.lasting and ticket.on_its_way:
            return WriteOutcome(
                WriteResult.AMBIGUOUS, failure.code, "not sent yet, and not given up"
            )
        code = failure.code if failure.kind is Kind.UNEXPECTED else NOT_CONNECTED
        return WriteOutcome(WriteResult.NOT_APPLIED, code, failure.message)

    def _confirmed(self, change: Change, said: Any, request_id: str) -> WriteOutcome:
        if said is not None:
            seen = route_config.weights_of(
                route_config.config_of_actions(said, self._ends[change.route])
            )
            if seen == route_config.weights_of(change.config):
                dropped = change.config.unmodelled
                message = f"it may have dropped {', '.join(dropped)}" if dropped else ""
                return WriteOutcome(WriteResult.APPLIED, message=message, request_id=request_id)
        message = "AWS accepted the call but did not answer with the weights that were sent"
        return WriteOutcome(WriteResult.AMBIGUOUS, MISMATCH, message, request_id)

    def _restore_command(self, route: RouteId, config: RouteConfig) -> str:
        arn, verb, option = (
            listener_of(route),
            "modify-listener --listener-arn",
            "--default-actions",
        )
        if self._by_rule(route):
            arn, verb, option = route, "modify-rule --rule-arn", "--actions"
        actions = shlex.quote(canonical_json(route_config.actions_of(config)))
        return f"aws elbv2 {verb} {shlex.quote(arn)} {option} {actions} --region {shlex.quote(self._aws.region)}"
