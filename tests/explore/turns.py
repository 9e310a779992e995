"""Turns of the shipped runner, played from any state in every way that the adversary may choose."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta

from cutover.core.journal.events import LeaseTaken, RunOpen
from cutover.core.moment import Moment
from cutover.core.routing import RouteConfig
from cutover.core.state import HOLDS, TERMINAL, Hold, Phase, RunState
from cutover.core.values import MINUTE, RouteId
from cutover.runner import Loop, Runner
from tests.explore.choices import Chooser, Option, every_way
from tests.explore.environment import (
    DIES_AFTER,
    WRITERS,
    Died,
    Environment,
    Play,
    command_of,
    foreign,
    shortened,
)
from tests.explore.world import Configuration, Flying, Node, Place, World
from tests.fakes import START
from tests.promises import facts as fact
from tests.promises.catalogue import PROMISES
from tests.promises.from_bench import portion
from tests.promises.promise import Promise, Watch

LATE_MS = 180_000
"""A stop that is a gap (two polls and 2 s), and still short."""

AWAY_MS = 10 * MINUTE
"""A stop that is longer than everything that a plan of the search waits for."""

SAID = (
    "pause", "resume", "approve", "rollback", "finish", "interrupt", "confirm_restored", "accept_drift", "leave",
    "rollback+resume", "pause+resume", "resume+pause", "interrupt+rollback", "approve+resume", "rollback+rollback",
    "interrupt+interrupt",
)  # fmt: skip
FIRST = (
    "resume",
    "rollback",
    "finish",
    "finish detach",
    "leave",
    "confirm_restored",
    "accept_drift",
)
COMBINED = frozenset({"rollback", "resume", "accept_drift", "finish detach"})
"""Commands that lead to writes: said together with a fault of the same turn."""

ANSWERS = frozenset({"resume", "approve", "rollback", "accept_drift", "leave", "approve+resume"})
"""What a person says to a run that holds: that costs nothing."""


def commands(cost: int, free: frozenset[str], *, asks: bool) -> tuple[Option, ...]:
    """Each costs what its commands do; `approve` is for plans that ask."""
    said = [name for name in SAID if asks or "approve" not in name]
    return (
        Option(""),
        *(Option(name, 0 if name in free else cost * len(name.split("+"))) for name in said),
    )


_TIMES = (
    Option(""), Option("3 minutes late", 1), Option("10 minutes late", 1), Option("clock set back", 1),
)  # fmt: skip
_COMES = (Option(""), Option("10 minutes later"), Option("after a reboot"))


@dataclass(frozen=True)
class Edge:
    """One transition: what the adversary answered, and what is broken by it."""

    script: tuple[int, ...]
    moves: tuple[str, ...]
    faults: int
    calm: bool
    to: Node
    broken: tuple[str, ...] = ()


class Transitions:
    """Plays turns of the shipped runner from any state of a configuration."""

    def __init__(
        self, configuration: Configuration, promises: tuple[Promise, ...] = PROMISES
    ) -> None:
        self.configuration = configuration
        self._env = Environment(configuration)
        self._promises = promises
        unasked, asks = configuration.unasked, any(one.approve for one in configuration.plan.steps)
        self._said = commands(unasked, frozenset(), asks=asks)
        self._answers = commands(unasked, ANSWERS, asks=asks)

    def root(self) -> Node:
        """A run that was opened, and has not looked yet."""
        return self.opened()[0]

    def opened(self) -> tuple[Node, Play]:
        """The same, and its first records."""
        plan = self.configuration.plan
        routes = tuple(route.id for route in plan.routes)
        found = self.configuration.found
        at = Moment(START.wall.replace(second=0, microsecond=0), 5_000_000, START.boot_id)
        world = World(at, tuple(Place(found, None) for _ in routes))
        watch = Watch.over(tuple(one for one in self._promises if one.searched))
        empty = Node(world, RunState(epoch=1), None, Loop(), at, watch, routes=routes)
        play = Play(self.configuration, empty, Chooser())
        period = plan.observe.period
        play.split = tuple((at.wall_ms - n * period, play.weight()) for n in range(6, -1, -1))
        play.keep(
            (
                RunOpen(
                    plan.name, plan.hash, plan.aws.account, plan.aws.region, "rehearsal", "0",
                    tuple(str(route) for route in routes),
                ),
                LeaseTaken("ana@bastion", "bastion", 1),
            ),
            at,
            durable=True,
        )  # fmt: skip
        facts = (fact.Started(at.wall_ms), *play.facts)
        watch, _ = watch.after(self.configuration.setting, facts)
        state = play.folded()
        node = replace(empty, world=play.world(state), state=state, running=state, watch=watch)
        return node, play

    def edges(self, node: Node, budget: int) -> Iterator[Edge]:
        """Every transition that costs at most `budget` faults."""
        if self.over(node):
            return

        def play(chooser: Chooser) -> tuple[Play, Node, list[str]]:
            return self.turn(node, chooser)

        def died(
            result: tuple[Play, Node, list[str]], place: int, number: int
        ) -> tuple[Play, Node, list[str]] | None:
            return self._died(node, result[0], place, number)

        for chooser, (_, after, broken) in every_way(play, budget, combined=COMBINED, known=died):
            yield Edge(
                chooser.script,
                chooser.moves,
                chooser.faults,
                _calm(chooser),
                after,
                tuple(broken),
            )

    def again(self, node: Node, script: tuple[int, ...]) -> tuple[Edge, Play]:
        """One transition by its script."""
        chooser = Chooser(script)
        played, after, broken = self.turn(node, chooser)
        edge = Edge(
            chooser.script, chooser.moves, chooser.faults, _calm(chooser), after, tuple(broken)
        )
        return edge, played

    def over(self, node: Node) -> bool:
        """Nothing of ours can happen any more."""
        if node.running is not None:
            return False
        return node.world.owned or node.state.phase in TERMINAL

    def waits(self, node: Node) -> bool:
        """Over, or it waits for a person who was told."""
        if self.over(node):
            return True
        state = node.running
        if state is None:
            return True  # its process ended: people see that, and nothing happens without them
        if state.phase is Phase.HOLDING and state.held is not None:
            # an approval clears its hold, and only a person gives one
            asks = not HOLDS[state.held.reason].clears or state.held.reason is Hold.APPROVAL
            return asks and node.told == (state.phase.value, state.held.reason.value)
        return False

    def turn(self, node: Node, chooser: Chooser) -> tuple[Play, Node, list[str]]:
        """One turn as the chooser has it: what was seen of it, the state after it, and what it breaks."""
        play = Play(self.configuration, node, chooser)
        self._env.play = play
        self._meanwhile(play, node)
        if node.running is None:
            runner, commands = self._started(play)
        else:
            runner, commands = self._woken(play, node, node.running)
        running: RunState | None = None
        loop, wake, code = Loop(), play.at, node.code
        broken = []
        try:
            result = runner.turn(tuple(command_of(command) for command in commands))
        except Died:
            pass
        except Exception as error:  # noqa: BLE001 - whatever it is, the search goes on beside it
            broken.append(f"{type(error).__name__}: {error}")
            return play, replace(node, running=None), broken
        else:
            if isinstance(result, Moment):
                running, loop, wake, code = runner.state, runner.loop, result, -1
            else:
                code = int(result)
                live = {
                    str(route): ("", -1)
                    if place.live is None
                    else (place.live.text, portion(place.live))
                    for route, place in play.places.items()
                }
                play.facts.append(fact.Ended(play.ms, code, live))
        if play.told != node.told:
            play.facts.append(fact.Told(play.ms, *play.told))
        if running is None:
            play.disk = ""  # somebody makes room before another process comes
        if running is None or play.disk:
            state = play.folded()
        else:
            # the same records fold to the same state, so it is asked once for every state that is left
            if not chooser.script and play.folded() != running:
                broken.append("the records do not fold to the process's own state")
            state = running
        watch, said = node.watch.after(self.configuration.setting, play.facts)
        watch = watch.next_turn()
        after = Node(
            play.world(running or state),
            state,
            running,
            loop,
            wake,
            watch,
            code,
            play.told,
            0,
            node.routes,
        )
        return play, after, [*broken, *said]

    def _died(
        self, node: Node, play: Play, place: int, number: int
    ) -> tuple[Play, Node, list[str]] | None:
        """The same turn, had its process died while it kept records: a turn that went on shows all of that already."""
        mark = play.marks.get(place)
        option = play.chooser.asked[place].options[number].name
        if mark is None or not option.startswith(DIES_AFTER):
            return None
        kept = int(option.removeprefix(DIES_AFTER))
        facts: list[fact.Fact] = [
            *play.facts[: mark.facts + kept],
            fact.Died(mark.world.at.wall_ms + mark.world.skew_ms),
        ]
        if mark.told != node.told:
            facts.append(fact.Told(mark.world.at.wall_ms + mark.world.skew_ms, *mark.told))
        state = play.folded(mark.kept + kept)
        watch, broken = node.watch.after(self.configuration.setting, facts)
        world = replace(mark.world, disk="", split=shortened(mark.world.split, state, play.plan))
        after = Node(
            world, state, None, Loop(), world.at, watch.next_turn(), node.code, mark.told, 0, node.routes
        )  # fmt: skip
        return play, after, broken

    def _meanwhile(self, play: Play, node: Node) -> None:
        """What happens to the routes before anybody looks; before the first look it would be what is found."""
        options = [Option("")]
        looked = (
            node.running is None
            or node.running.phase is not Phase.PREFLIGHT
            or bool(node.running.observed)
        )
        found = self.configuration.found
        acts: dict[str, Callable[[], None]] = {}
        for number, (route, place) in enumerate(play.places.items(), 1):
            for flying in place.flying:
                name = f"write {flying.number} of route {number} arrives"
                options.append(Option(name))
                acts[name] = lambda r=route, f=flying: _arrives(play, r, f)  # type: ignore[misc]
            if place.live is None or not looked:
                continue
            for kind in WRITERS:
                changed = foreign(kind, place.live, found)
                if changed == place.live:
                    continue
                name = f"route {number}: {kind}"
                options.append(Option(name, 1))
                acts[name] = lambda r=route, c=changed: _changed(play, r, c)  # type: ignore[misc]
        chosen = play.pick("meanwhile", tuple(options))
        if chosen:
            acts[chosen]()

    def _woken(self, play: Play, node: Node, state: RunState) -> tuple[Runner, tuple[str, ...]]:
        answers = state.phase is Phase.HOLDING
        said = play.pick("command", self._answers if answers else self._said)
        commands = tuple(said.split("+")) if said else ()
        play.facts.extend(fact.Ordered(play.ms, command) for command in commands)
        commands, play.commands = (*play.commands, *commands), ()
        if commands:
            when = play.at
        else:
            grain = self.configuration.grain_ms
            wait = max(0, node.wake.after(play.at))
            ahead = -(play.at.wall_ms + wait) % grain if wait else 0
            when = play.at.plus(wait + ahead)
            late = play.pick("time", _TIMES)
            if late == "clock set back":
                wall = when.wall - timedelta(milliseconds=AWAY_MS)
                when, play.skew_ms = (
                    Moment(wall, when.boot_ms, when.boot_id),
                    play.skew_ms + AWAY_MS,
                )
            elif late:
                away = AWAY_MS if late == "10 minutes late" else LATE_MS
                when = when.plus(away)
                play.facts.append(fact.Slept(play.ms + away, away))
        play.move_to(when)
        return Runner(self.configuration.plan, self._env.ports, state, node.loop), commands

    def _started(self, play: Play) -> tuple[Runner, tuple[str, ...]]:
        command = play.pick("command", tuple(Option(name) for name in FIRST))
        comes = play.pick("it comes", _COMES)
        when = play.at if not comes else play.at.plus(AWAY_MS)
        if comes == "after a reboot":
            when = Moment(when.wall, 1_000, f"{when.boot_id}+")
        play.move_to(when)
        play.facts.append(fact.Started(play.ms, (command,)))
        play.epoch += 1
        play.keep((LeaseTaken("ana@bastion", "bastion", 2),), play.at, durable=True)
        commands, play.commands = (*play.commands, command), ()
        return Runner(self.configuration.plan, self._env.ports, play.folded()), commands


def _arrives(play: Play, route: RouteId, flying: Flying) -> None:
    place = play.places[route]
    rest = tuple(one for one in place.flying if one.number != flying.number)
    play.places[route] = replace(place, flying=rest)
    if place.live is not None:
        play.change(route, flying.config)
        weight = portion(flying.config)
        play.facts.append(fact.Took(play.ms, route, flying.config.text, weight, flying.number))


def _changed(play: Play, route: RouteId, live: RouteConfig | None) -> None:
    play.change(route, live)
    weight = -1 if live is None else portion(live)
    play.facts.append(fact.Changed(play.ms, route, "" if live is None else live.text, weight))


def _calm(chooser: Chooser) -> bool:
    """Nothing but what happens on good days, and no person said anything: a write may arrive."""
    return all(
        not one.taken or (one.point == "meanwhile" and not one.option.faults)
        for one in chooser.asked
    )
