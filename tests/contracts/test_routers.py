"""The router suite on the ALB adapter in the emulator, and on the fake that tests of the engine use."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from random import Random
from typing import Any

import pytest

from cutover.aws.alb import AlbRouter
from cutover.aws.fanout import DEADLINE_MS, Fanout, Inline, K, R, too_late
from cutover.aws.retry import Failure
from cutover.aws.route_config import Ends, actions_of, canonical, others, pair_sum
from cutover.aws.session import AwsSession
from cutover.core.observation import Unknown
from cutover.core.routing import RouteConfig
from cutover.core.values import RouteId
from cutover.emulator.balancer import forward
from cutover.emulator.injections import Fault
from cutover.emulator.normal_form import normal_actions
from cutover.emulator.witness import Actions, Witness
from cutover.emulator.world import World
from cutover.ports import NOT_SENT, Change, Unconditional, WriteResult
from tests.contracts.router import Found, RouterContract, RouterStage, changes_to
from tests.emulator.worlds import DESTINATION, LISTENER, RULE, SOURCE, armed, world
from tests.fakes import FakeClock, FakeRouter, WriteFault, config
from tests.promises.from_bench import Log, rest

THIRD = SOURCE.replace("checkout-ec2", "beta")
ENDS = Ends(SOURCE, DESTINATION)
ROUTES = (RouteId(RULE), RouteId(LISTENER))
RULE_ID = ROUTES[0]
MISSING = RouteId(f"{RULE[:-4]}beef")
MINUTE_S = 60


class Counting(Witness):
    """How many writes of each route came to the emulated AWS."""

    def __init__(self) -> None:
        self.came: Counter[str] = Counter()

    def sent(self, number: int, route: str, actions: Actions) -> None:
        self.came[route] += 1


class AlbStage(RouterStage):
    """The adapter, with an emulated AWS behind its session."""

    _SPLIT: Mapping[Found, dict[str, Any]] = {
        Found.SOURCE_ONLY: {  # as AWS may spell it: a lone weight, and a duration of what is off
            "Type": "forward",
            "ForwardConfig": {
                "TargetGroups": [{"TargetGroupArn": SOURCE, "Weight": 7}],
                "TargetGroupStickinessConfig": {"Enabled": False, "DurationSeconds": 3600},
            },
        },
        Found.SPLIT: forward({SOURCE: 900, DESTINATION: 100}),
        Found.STICKY: forward({SOURCE: 900, DESTINATION: 100}, sticky_seconds=10 * MINUTE_S),
        Found.THIRD_GROUP: forward({SOURCE: 500, DESTINATION: 0, THIRD: 50}),
        Found.DESTINATION_ONLY: forward({DESTINATION: 1}),
        Found.FOREIGN: {
            "Type": "fixed-response",
            "FixedResponseConfig": {"StatusCode": "503", "ContentType": "text/plain"},
        },
    }

    def __init__(self, made: World, witness: Counting) -> None:
        self.made = made
        self.routes, self.missing = ROUTES, MISSING
        self._witness = witness
        made.balancer.add_group(THIRD, (), kind="instance", protocol_version="HTTP1", sticky=False)
        self.aws = AwsSession(made.session, made.clock, emulated=True, random=Random(1))
        self.router = self.through(Inline())

    def through(self, fanout: Fanout) -> AlbRouter:
        return AlbRouter(self.aws, fanout, dict.fromkeys((*ROUTES, MISSING), ENDS))

    def put(self, route: RouteId, found: Found) -> None:
        self.made.balancer.set_actions(route, [self._SPLIT[found]])

    def spelled(self, route: RouteId) -> object:
        return normal_actions(self.made.balancer.actions(route))

    def beside(self, config: RouteConfig) -> object:
        actions = canonical(actions_of(config))
        for action in actions:
            for group in action.get("ForwardConfig", {}).pop("TargetGroups", ()):
                if group["TargetGroupArn"] not in (SOURCE, DESTINATION):
                    action.setdefault("others", []).append(group)
        ours = pair_sum(config, ENDS) if others(config, ENDS) else 0
        return json.dumps(actions, sort_keys=True), ours

    def fail_write(self, route: RouteId, how: str) -> None:
        operation = "ModifyRule" if ":listener-rule/" in route else "ModifyListener"
        armed(self.made, Fault(operation=operation, kind=how, times=1))  # type: ignore[arg-type]

    def fail_reads(self, how: str) -> None:
        armed(self.made, Fault(operation="Describe*", kind=how))  # type: ignore[arg-type]

    def arrived(self, route: RouteId) -> int:
        return self._witness.came[route]


class FakeStage(RouterStage):
    """The fake: a config is its own description."""

    _FOUND: Mapping[Found, RouteConfig] = {
        Found.SOURCE_ONLY: config(0, attached=False),
        Found.SPLIT: config(100),
        Found.STICKY: config(100, sticky=True),
        Found.THIRD_GROUP: config(0, tag="beside a third group"),
        Found.DESTINATION_ONLY: config(1000, source=False),
        Found.FOREIGN: config(None, attached=False, source=False),
    }

    def __init__(self) -> None:
        clock = FakeClock()
        self.routes, self.missing = ROUTES, MISSING
        self.router: FakeRouter = FakeRouter(clock, ROUTES)
        self._came: Counter[str] = Counter()
        came = self._came

        class Counted(Log):
            def sent(self, change: Change) -> int:
                came[change.route] += 1
                return super().sent(change)

        self.router.log = Counted(clock.now)

    def put(self, route: RouteId, found: Found) -> None:
        self.router.configs[route] = self._FOUND[found]

    def spelled(self, route: RouteId) -> object:
        return self.router.configs[route].text

    def beside(self, config: RouteConfig) -> object:
        return rest(config)

    def fail_write(self, route: RouteId, how: str) -> None:
        kind = {"throttled": "throttle", "lost_reply": "lost"}.get(how, how)
        self.router.faults.append(WriteFault(kind, route=route))

    def fail_reads(self, how: str) -> None:
        code = {"throttled": "Throttling", "denied": "AccessDenied"}.get(how, how)
        failed = Unknown(f"the read is {how}", code, denied=how == "denied")
        self.router.read_fails = lambda _route: failed

    def arrived(self, route: RouteId) -> int:
        return self._came[route]


class TestAlbRouter(RouterContract):
    """aws/alb on the emulator's session."""

    @pytest.fixture
    def stage(self) -> Iterator[AlbStage]:
        witness = Counting()
        with world(witness=witness) as made:
            yield AlbStage(made, witness)

    def test_what_was_given_up_before_its_first_byte_never_leaves(self, stage: AlbStage) -> None:
        (change, _) = changes_to(stage, 100)
        given_up: list[Callable[[], object]] = []

        class Later(Fanout):
            """No answer within the deadline; the calls are made afterwards."""

            def run(
                self, calls: Mapping[K, Callable[[], R]], within_ms: int = DEADLINE_MS
            ) -> dict[K, R | Failure]:
                given_up.extend(calls.values())
                return dict.fromkeys(calls, too_late(within_ms))

        before = stage.arrived(RULE_ID)
        outcome = stage.through(Later()).write([change], Unconditional())[RULE_ID]
        assert (outcome.result, outcome.code) == (WriteResult.NOT_APPLIED, NOT_SENT)
        for call in given_up:
            call()
        assert stage.arrived(RULE_ID) == before


class TestFakeRouter(RouterContract):
    """tests/fakes.FakeRouter."""

    @pytest.fixture
    def stage(self) -> FakeStage:
        return FakeStage()

    def test_a_write_that_found_no_connection_never_left(self, stage: FakeStage) -> None:
        (change, _) = changes_to(stage, 100)
        before = stage.arrived(RULE_ID)
        stage.fail_write(RULE_ID, "unconnected")
        outcome = stage.router.write([change], Unconditional())[RULE_ID]
        assert outcome.result is WriteResult.NOT_APPLIED
        assert stage.arrived(RULE_ID) == before
