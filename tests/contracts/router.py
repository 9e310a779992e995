"""What every `Router` must do, whatever stands behind it: a new router writes a stage, and passes this suite.

A module of tests subclasses `RouterContract`, gives it the fixture `stage`, and may add tests of its own.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from enum import StrEnum

import pytest

from cutover.core.journal.codec import body, parse
from cutover.core.journal.events import Snapshot
from cutover.core.observation import Known, Unknown
from cutover.core.routing import RouteConfig, config_body, config_of
from cutover.core.state.model import MISMATCH
from cutover.core.values import RouteId, Weight, canonical_json
from cutover.ports import NOT_SENT, Change, Permit, Router, Unconditional, WriteResult


class Found(StrEnum):
    """What somebody made of a route before the router looks."""

    SOURCE_ONLY = "the source alone"
    SPLIT = "both groups, 900 to 100"
    STICKY = "both groups, 900 to 100, with sticky clients"
    THIRD_GROUP = "both groups and a third one, where 100 per mille can be set"
    DESTINATION_ONLY = "the destination alone"
    FOREIGN = "neither group"


OWN = (Found.SOURCE_ONLY, Found.SPLIT, Found.STICKY, Found.THIRD_GROUP)
"""What a run may begin with."""


class RouterStage(ABC):
    """A router, two routes that exist, and the hands of others.

    Attributes:
        missing: a route of the plan that does not exist (any more).
    """

    router: Router
    routes: tuple[RouteId, RouteId]
    missing: RouteId

    @abstractmethod
    def put(self, route: RouteId, found: Found) -> None:
        """Somebody else makes this of the route."""

    @abstractmethod
    def spelled(self, route: RouteId) -> object:
        """What the service holds of the route, to the letter."""

    @abstractmethod
    def beside(self, config: RouteConfig) -> object:
        """All that the config says beside our two weights, the shares of third groups in it."""

    @abstractmethod
    def fail_write(self, route: RouteId, how: str) -> None:
        """The next write of the route is `throttled`, `denied`, `timeout` (no effect), `lost_reply` or `mismatch` (both applied)."""

    @abstractmethod
    def fail_reads(self, how: str) -> None:
        """Every read is `throttled`, `denied`, `timeout` or `foreign`."""

    @abstractmethod
    def arrived(self, route: RouteId) -> int:
        """How many writes of the route have come to the service so far."""

    def live(self, route: RouteId) -> RouteConfig:
        """What the route says."""
        reading = self.router.read([route])[route]
        assert isinstance(reading, Known), reading
        return reading.value

    def found(self, found: Found) -> RouteConfig:
        """What the router reads of it."""
        self.put(self.routes[0], found)
        return self.live(self.routes[0])


@dataclass
class Refusing(Permit):
    """Refuses some routes, and notes who was asked about."""

    refused: frozenset[RouteId] = frozenset()
    asked: list[RouteId] = field(default_factory=list)
    lasting: bool = False

    def refusal(self, route: RouteId) -> str:
        self.asked.append(route)
        return "another owner" if route in self.refused else ""


class RouterContract:
    """The suite."""

    # Reading

    @pytest.mark.parametrize(
        ("found", "weight", "attached", "source"),
        [
            (Found.SOURCE_ONLY, None, False, True),
            (Found.SPLIT, 100, True, True),
            (Found.THIRD_GROUP, 0, True, True),
            (Found.DESTINATION_ONLY, None, True, False),
            (Found.FOREIGN, None, False, False),
        ],
    )
    def test_a_config_says_its_weight_only_where_both_groups_have_one(
        self, stage: RouterStage, found: Found, weight: int | None, attached: bool, source: bool
    ) -> None:
        config = stage.found(found)
        assert config.weight == weight
        assert (config.attached, config.source_present) == (attached, source)
        assert config.sticky is False

    def test_sticky_clients_are_seen(self, stage: RouterStage) -> None:
        assert stage.found(Found.STICKY).sticky

    def test_every_route_asked_has_a_reading_and_no_other_has(self, stage: RouterStage) -> None:
        first, second = stage.routes
        assert stage.router.read([]) == {}
        assert list(stage.router.read([second])) == [second]
        assert set(stage.router.read([first, second, first])) == {first, second}

    def test_reading_changes_nothing_and_equal_routing_reads_equal(
        self, stage: RouterStage
    ) -> None:
        first, second = stage.routes
        for route in stage.routes:
            stage.put(route, Found.SPLIT)
        once, again = stage.live(first), stage.live(first)
        assert once == again
        assert once.hash == again.hash == stage.live(second).hash

    @pytest.mark.parametrize("once", [False, True])
    def test_a_route_that_does_not_exist_is_gone_and_hides_no_other(
        self, stage: RouterStage, once: bool
    ) -> None:
        readings = stage.router.read([stage.missing, *stage.routes], once=once)
        lost = readings[stage.missing]
        assert isinstance(lost, Unknown)
        assert lost.gone
        assert lost.code
        assert not lost.denied
        assert all(isinstance(readings[route], Known) for route in stage.routes)

    @pytest.mark.parametrize("once", [False, True])
    @pytest.mark.parametrize("how", ["throttled", "denied", "timeout", "foreign"])
    def test_a_read_that_fails_is_unknown_with_its_code_and_never_gone(
        self, stage: RouterStage, how: str, once: bool
    ) -> None:
        stage.fail_reads(how)
        for reading in stage.router.read(stage.routes, once=once).values():
            assert isinstance(reading, Unknown)
            assert reading.code
            assert reading.reason
            assert reading.denied is (how == "denied")
            assert not reading.gone

    # What is to be written: pure

    @pytest.mark.parametrize("found", OWN)
    @pytest.mark.parametrize("weight", [0, 100, 1000])
    def test_a_weight_changes_our_two_weights_and_nothing_else(
        self, stage: RouterStage, found: Found, weight: int
    ) -> None:
        route, config = stage.routes[0], stage.found(found)
        body_before = config_body(config)
        moved = stage.router.with_weight(route, config, Weight(weight))
        assert (moved.weight, moved.attached, moved.source_present) == (weight, True, True)
        assert stage.beside(moved) == stage.beside(config)
        assert moved.sticky == config.sticky
        assert moved == stage.router.with_weight(route, config, Weight(weight))
        assert config_body(config) == body_before
        assert stage.live(route) == config, "nothing was written"

    def test_the_same_weight_again_is_the_same_config(self, stage: RouterStage) -> None:
        route, config = stage.routes[0], stage.found(Found.SPLIT)
        moved = stage.router.with_weight(route, config, Weight(500))
        assert stage.router.with_weight(route, moved, Weight(500)).hash == moved.hash

    @pytest.mark.parametrize("found", [Found.FOREIGN, Found.DESTINATION_ONLY])
    def test_a_config_without_the_source_carries_no_weight(
        self, stage: RouterStage, found: Found
    ) -> None:
        config = stage.found(found)
        with pytest.raises(ValueError, match=r"\w"):
            stage.router.with_weight(stage.routes[0], config, Weight(100))

    @pytest.mark.parametrize("found", [Found.SPLIT, Found.STICKY, Found.THIRD_GROUP])
    def test_to_detach_leaves_the_destination_and_everything_else(
        self, stage: RouterStage, found: Found
    ) -> None:
        config = stage.found(found)
        alone = stage.router.detach(stage.routes[0], config)
        assert (alone.source_present, alone.attached, alone.weight) == (False, True, None)
        assert stage.beside(alone) == stage.beside(config)
        assert stage.live(stage.routes[0]) == config, "nothing was written"

    @pytest.mark.parametrize("found", [Found.SOURCE_ONLY, Found.FOREIGN])
    def test_where_the_destination_is_not_nothing_is_detached(
        self, stage: RouterStage, found: Found
    ) -> None:
        config = stage.found(found)
        with pytest.raises(ValueError, match=r"\w"):
            stage.router.detach(stage.routes[0], config)

    # The way back: pure

    @pytest.mark.parametrize("snapshot", OWN)
    @pytest.mark.parametrize("live", list(Found))
    def test_back_verbatim_is_the_snapshot_whatever_is_live(
        self, stage: RouterStage, snapshot: Found, live: Found
    ) -> None:
        before, now = stage.found(snapshot), stage.found(live)
        back = stage.router.restored(stage.routes[0], now, before, "keep", verbatim=True)
        assert back == before
        assert stage.live(stage.routes[0]) == now, "nothing was written"

    @pytest.mark.parametrize("live", [Found.SPLIT, Found.STICKY, Found.THIRD_GROUP])
    def test_back_with_our_weights_only_leaves_what_others_made_of_it(
        self, stage: RouterStage, live: Found
    ) -> None:
        before, now = stage.found(Found.SOURCE_ONLY), stage.found(live)
        back = stage.router.restored(stage.routes[0], now, before, "keep", verbatim=False)
        assert back is not None
        assert back.weight == 0
        assert stage.beside(back) == stage.beside(now)

    def test_back_with_our_weights_only_needs_the_source(self, stage: RouterStage) -> None:
        before, now = stage.found(Found.SPLIT), stage.found(Found.FOREIGN)
        router, route = stage.router, stage.routes[0]
        assert router.restored(route, now, before, "keep", verbatim=False) is None
        now = stage.found(Found.DESTINATION_ONLY)
        assert router.restored(route, now, before, "keep", verbatim=False) is None

    def test_back_with_our_weights_only_adds_no_group_that_others_took_out(
        self, stage: RouterStage
    ) -> None:
        before, now = stage.found(Found.SPLIT), stage.found(Found.SOURCE_ONLY)
        back = stage.router.restored(stage.routes[0], now, before, "keep", verbatim=False)
        assert back is not None
        assert (back.attached, back.source_present, back.weight) == (False, True, None)

    @pytest.mark.parametrize("verbatim", [True, False])
    @pytest.mark.parametrize(
        ("strategy", "sticky", "attached"),
        [("keep", True, True), ("unstick", False, True), ("remove", True, False)],
    )
    def test_the_way_back_follows_the_stickiness_strategy(
        self, stage: RouterStage, strategy: str, sticky: bool, attached: bool, verbatim: bool
    ) -> None:
        route, before = stage.routes[0], stage.found(Found.STICKY)
        now = stage.router.with_weight(route, before, Weight(500))
        back = stage.router.restored(route, now, before, strategy, verbatim=verbatim)
        assert back is not None
        assert (back.sticky, back.attached) == (sticky, attached)
        assert back.weight == (before.weight if attached else None)

    def test_a_restore_command_is_one_line_for_each_route_and_tells_configs_apart(
        self, stage: RouterStage
    ) -> None:
        first, second = stage.routes
        split, alone = stage.found(Found.SPLIT), stage.found(Found.SOURCE_ONLY)
        commands = stage.router.restore_commands({second: split, first: alone})
        assert len(commands) == 2
        assert second in commands[0]
        assert first in commands[1]
        assert not any("\n" in command for command in commands)
        assert commands == stage.router.restore_commands({second: split, first: alone})
        assert (
            stage.router.restore_commands({second: alone})
            != stage.router.restore_commands({second: split})
            == commands[:1]
        )
        assert stage.live(first) == alone, "nothing was written"

    @pytest.mark.parametrize("found", list(Found))
    def test_a_config_survives_the_journal_and_means_the_same_after_it(
        self, stage: RouterStage, found: Found
    ) -> None:
        route, config = stage.routes[0], stage.found(found)
        event = Snapshot({route: config_body(config)}, {}, {}, {})
        kept = parse(event.type, body(event))
        assert isinstance(kept, Snapshot)
        again = config_of(kept.configs[route])
        assert again == config
        assert canonical_json(config_body(again)) == canonical_json(config_body(config))
        commands = stage.router.restore_commands
        assert commands({route: again}) == commands({route: config})
        if found in OWN:
            router = stage.router
            moved = router.with_weight(route, again, Weight(100))
            assert moved == router.with_weight(route, config, Weight(100))

    # Writing

    def test_it_is_ready_to_write(self, stage: RouterStage) -> None:
        assert isinstance(stage.router.prepare(), Known)

    @pytest.mark.parametrize("found", OWN)
    def test_what_is_applied_is_read_back_equal_and_goes_back_equal(
        self, stage: RouterStage, found: Found
    ) -> None:
        route, before = stage.routes[0], stage.found(found)
        arrived = stage.arrived(route)
        moved = stage.router.with_weight(route, before, Weight(100))
        for config in (moved, before):
            outcome = stage.router.write([Change(route, config)], Unconditional())[route]
            assert outcome.result is WriteResult.APPLIED
            assert stage.live(route).hash == config.hash
        assert stage.arrived(route) == arrived + 2

    @pytest.mark.parametrize("found", OWN)
    def test_what_goes_back_is_to_the_letter_what_was_found(
        self, stage: RouterStage, found: Found
    ) -> None:
        route, config = stage.routes[0], stage.found(found)
        before = stage.spelled(route)
        snapshot = config_of(config_body(config))
        moved = stage.router.with_weight(route, config, Weight(100))
        stage.router.write([Change(route, moved)], Unconditional())
        assert stage.spelled(route) != before or moved == config
        back = stage.router.restored(route, stage.live(route), snapshot, "keep", verbatim=True)
        assert back is not None
        outcome = stage.router.write([Change(route, back)], Unconditional())[route]
        assert outcome.result is WriteResult.APPLIED
        assert stage.spelled(route) == before

    def test_every_change_has_an_outcome_and_one_failure_stops_no_other(
        self, stage: RouterStage
    ) -> None:
        changes = changes_to(stage, 100)
        stage.fail_write(stage.routes[0], "throttled")
        outcomes = stage.router.write(changes, Unconditional())
        assert list(outcomes) == list(stage.routes)
        assert [one.result for one in outcomes.values()] == [
            WriteResult.NOT_APPLIED,
            WriteResult.APPLIED,
        ]
        assert stage.live(stage.routes[1]).weight == 100

    @pytest.mark.parametrize(
        ("how", "result", "applied"),
        [
            ("throttled", WriteResult.NOT_APPLIED, False),
            ("denied", WriteResult.NOT_APPLIED, False),
            ("timeout", WriteResult.AMBIGUOUS, False),
            ("lost_reply", WriteResult.AMBIGUOUS, True),
            ("mismatch", WriteResult.AMBIGUOUS, True),
        ],
    )
    def test_a_write_is_sent_once_and_is_only_as_sure_as_its_reply(
        self, stage: RouterStage, how: str, result: WriteResult, applied: bool
    ) -> None:
        route = stage.routes[0]
        (change, _), before = changes_to(stage, 100), stage.live(route)
        arrived = stage.arrived(route)
        stage.fail_write(route, how)
        outcome = stage.router.write([change], Unconditional())[route]
        assert outcome.result is result
        assert outcome.code
        assert outcome.denied is (how == "denied")
        assert (outcome.code == MISMATCH) is (how == "mismatch")
        assert outcome.code != NOT_SENT
        assert stage.arrived(route) <= arrived + 1
        assert stage.live(route) == (change.config if applied else before)

    def test_a_write_of_a_route_that_does_not_exist_is_not_applied(
        self, stage: RouterStage
    ) -> None:
        config = stage.router.with_weight(stage.missing, stage.found(Found.SPLIT), Weight(500))
        outcome = stage.router.write([Change(stage.missing, config)], Unconditional())
        assert outcome[stage.missing].result is WriteResult.NOT_APPLIED
        assert outcome[stage.missing].code not in ("", NOT_SENT)
        reading = stage.router.read([stage.missing])[stage.missing]
        assert isinstance(reading, Unknown), "the write made no route"

    def test_what_the_permit_refuses_never_leaves_and_the_rest_does(
        self, stage: RouterStage
    ) -> None:
        first, second = stage.routes
        changes, before = changes_to(stage, 100), stage.live(first)
        arrived = stage.arrived(first)
        permit = Refusing(frozenset({first}))
        outcomes = stage.router.write(changes, permit)
        assert (outcomes[first].result, outcomes[first].code) == (
            WriteResult.NOT_APPLIED,
            NOT_SENT,
        )
        assert outcomes[first].message == "another owner"
        assert outcomes[second].result is WriteResult.APPLIED
        assert set(permit.asked) == {first, second}
        assert stage.arrived(first) == arrived
        assert stage.live(first) == before

    def test_a_permit_is_asked_for_each_write_anew(self, stage: RouterStage) -> None:
        first, _ = stage.routes
        (change, _) = changes_to(stage, 100)
        refused = stage.router.write([change], Refusing(frozenset({first})))[first]
        assert refused.code == NOT_SENT
        assert stage.router.write([change], Refusing())[first].result is WriteResult.APPLIED

    def test_no_change_is_no_call(self, stage: RouterStage) -> None:
        permit = Refusing()
        assert stage.router.write([], permit) == {}
        assert permit.asked == []


def changes_to(stage: RouterStage, weight: int) -> list[Change]:
    """Both routes from an even split to this weight."""
    changes = []
    for route in stage.routes:
        stage.put(route, Found.SPLIT)
        even = stage.router.with_weight(route, stage.live(route), Weight(500))
        changes.append(Change(route, even))
    outcomes = stage.router.write(changes, Unconditional())
    assert {one.result for one in outcomes.values()} == {WriteResult.APPLIED}
    return [
        Change(route, stage.router.with_weight(route, stage.live(route), Weight(weight)))
        for route in stage.routes
    ]
