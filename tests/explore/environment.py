"""The ports of the shipped runner, answered by the adversary's choices."""

from __future__ import annotations

import marshal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from cutover.core.journal.codec import body, parse
from cutover.core.journal.events import Event, PhaseChanged, Record, Snapshot
from cutover.core.moment import Moment
from cutover.core.observation import (
    LOST,
    OWNED,
    Absent,
    AlarmState,
    CommandName,
    Comparison,
    Count,
    GroupHealth,
    Identity,
    Known,
    Minute,
    OperatorCommand,
    Reading,
    Series,
    Side,
    Survey,
    Unknown,
)
from cutover.core.plan import Plan
from cutover.core.routing import RouteConfig
from cutover.core.state import RunState, evolve
from cutover.core.state.model import MISMATCH
from cutover.core.values import RouteId, Weight
from cutover.ports import (
    NOT_SENT,
    Alarms,
    Change,
    Clock,
    Inbox,
    Journal,
    Lease,
    Listener,
    Metrics,
    Permit,
    Router,
    Surveyor,
    TargetHealth,
    WriteOutcome,
    WriteResult,
)
from cutover.runner import Ports
from tests.explore.choices import Chooser, Option
from tests.explore.oracle import COUNTS, FAILED
from tests.explore.world import REMEMBERED, Configuration, Flying, Node, World
from tests.fakes import FakeClock, FakeHealth, FakeRouter, FakeSurveyor, config
from tests.promises import facts as fact
from tests.promises.from_bench import portion, taken_out

PER_MINUTE = 6_000
WELL = GroupHealth(6, 6, {"a": 2, "c": 2, "d": 2})
SHORT = GroupHealth(5, 6, {"a": 1, "c": 2, "d": 2})
NONE = GroupHealth(0, 6, {})
BEYOND_FRESH = 3_000
DECODED_KEPT = 100_000

CALM = Option("")


def _options(free: Sequence[str] = (), faults: Sequence[str] = ()) -> tuple[Option, ...]:
    return (CALM, *(Option(name) for name in free), *(Option(name, 1) for name in faults))


_STOPPING = ("pause", "rollback", "interrupt")
READS = _options(faults=("failed", "denied"))
READS_STALE = _options(faults=("stale", "failed", "denied"))
HEALTHS = _options(faults=("source short", "source none", "unknown", "destination none"))
VERDICTS = _options(
    free=("waiting",),
    faults=(
        "unknown",
        "shared",
        "shared_now",
        "shared_perhaps",
        "breach",
        "breach_hold",
        "breach_ask",
    ),
)
MINUTES = _options(
    faults=("failed", "raises", "late", "half published", "bad already", "destination silent")
)
IDENTITIES = _options(faults=("unknown", "denied", "another account"))
LEASES = _options(faults=("lost", "another owner"))
PREPARES = _options(faults=("not ready",))
_WIRE_FAULTS = (Option("slow", 1), Option("another owner", 1))
WIRES = {
    cost: (CALM, *(Option(command, cost) for command in _STOPPING), *_WIRE_FAULTS)
    for cost in (0, 1)
}
FATES = _options(
    faults=(
        "throttled", "denied", "lost before", "lost after", "late", "another reply",
        "dies before", "dies after", "dies, and it is late",
    )
)  # fmt: skip
WRITERS = (
    "same weight",
    "other weight",
    "destination removed",
    "both removed",
    "rule gone",
    "sticky",
    "restored by hand",
)


class Died(BaseException):
    """The process was killed here."""


class RaisedError(Exception):
    """A port fell over instead of answering."""


class UndecodableError(AssertionError):
    """A record does not come back from its own text."""


@dataclass(frozen=True)
class Mark:
    """How far a turn was when records were to be kept, of which any number may be the last.

    Attributes:
        facts, kept: so many there were.
        world: as it was.
    """

    facts: int
    kept: int
    world: World
    told: tuple[str, str]


class Play:
    """One turn being played: the world as it changes, and what is seen of it.

    Attributes:
        marks: by the place of the question how many of the records are kept before the process dies.
    """

    def __init__(self, configuration: Configuration, node: Node, chooser: Chooser) -> None:
        self.configuration = configuration
        self.plan: Plan = configuration.plan
        self.chooser = chooser
        self.at = node.world.at
        self.places = dict(zip(node.routes, node.world.places, strict=True))
        self.split = node.world.split
        self.commands = node.world.commands
        self.disk = node.world.disk
        self.owned = node.world.owned
        self.skew_ms = node.world.skew_ms
        self.writes = node.world.writes
        self.told = node.told
        self.facts: list[fact.Fact] = []
        self.kept: list[Record] = []
        self.marks: dict[int, Mark] = {}
        self.epoch = node.state.epoch
        self._before = node.state
        self._folded = [node.state]
        self._seq = node.state.seq

    @property
    def seq(self) -> int:
        """Of the newest record."""
        return self._seq

    def world(self, state: RunState) -> World:
        """As it is now; `state` is what the run knows of its minutes."""
        return World(
            self.at,
            tuple(self.places.values()),
            shortened(self.split, state, self.plan),
            self.commands,
            self.disk,
            self.owned,
            self.skew_ms,
            self.writes,
        )

    @property
    def aws_ms(self) -> int:
        """Now, on AWS's clock."""
        return self.at.wall_ms + self.skew_ms

    @property
    def ms(self) -> int:
        """Now, on the clock of whoever watches: it never jumps."""
        return self.aws_ms

    def pick(self, point: str, options: tuple[Option, ...]) -> str:
        """The adversary's answer."""
        return self.chooser.pick(point, options)

    def act(self, point: str, options: tuple[Option, ...]) -> str:
        """Its answer while the process acts."""
        self.chooser.acting = True
        return self.chooser.pick(point, options)

    def move_to(self, at: Moment) -> None:
        """Time goes by; the minutes that begin meanwhile have the split of now."""
        self.at = at
        period, weight = self.plan.observe.period, self.weight()
        first = self.split[-1][0] + period
        self.split = (*self.split, *((ms, weight) for ms in range(first, self.aws_ms + 1, period)))

    def weight(self) -> int:
        """The destination's portion of all requests."""
        weights = [
            max(0, portion(place.live)) if place.live is not None else 0
            for place in self.places.values()
        ]
        return sum(weights) // len(weights)

    def change(self, route: RouteId, live: RouteConfig | None) -> None:
        """The route is different from now on; a stale read shows what was there before."""
        place = self.places[route]
        if live != place.live:
            self.places[route] = replace(place, live=live, older=place.live or place.older)

    def died(self) -> None:
        """Nothing after this happens."""
        self.facts.append(fact.Died(self.ms))
        raise Died

    def keep(self, events: Sequence[Event], at: Moment, *, durable: bool) -> None:
        """The records as a later process will read them: encoded, and decoded again.

        The body of a record is texts, whole numbers, lists and mappings by text already, so JSON changes nothing in it.
        """
        for event in events:
            data, decoded = _decoded(event)
            record = Record(self._seq + 1, self.epoch, at, decoded)
            self._seq += 1
            self.kept.append(record)
            self.facts.append(
                fact.Recorded(self.ms, event.type, data, record.seq, record.epoch, durable)
            )

    def mark(self) -> None:
        """Nothing was kept yet of the records about which was asked just now."""
        place = len(self.chooser.asked) - 1
        world = self.world(self._before)
        self.marks[place] = Mark(len(self.facts), len(self.kept), world, self.told)

    def folded(self, most: int | None = None) -> RunState:
        """What the journal says now, or said with so many records of this turn."""
        if most is None:
            most = len(self.kept)
        for record in self.kept[len(self._folded) - 1 : most]:
            self._folded.append(evolve(self.plan, self._folded[-1], record))
        return self._folded[most]


_DECODED: dict[tuple[str, bytes], Event] = {}


def _decoded(event: Event) -> tuple[Mapping[str, Any], Event]:
    """The event's body, and the event of that body; asked once of each body."""
    data = body(event)
    key = (event.type, marshal.dumps(data, 0))
    found = _DECODED.get(key)
    if found is None:
        found = parse(event.type, data)
        if found != event and body(found) != data:
            raise UndecodableError(f"a {event.type} record does not decode to itself")
        if len(_DECODED) < DECODED_KEPT:
            _DECODED[key] = found
    return data, found


def shortened(
    split: tuple[tuple[int, int], ...], state: RunState, plan: Plan
) -> tuple[tuple[int, int], ...]:
    """The minutes that may still be read."""
    newest = min(state.journalled_ms.values(), default=0)
    since = newest - REMEMBERED * plan.observe.period
    return tuple(one for one in split if one[0] >= since)


class Environment:
    """The ports; `play` is what they are about now."""

    def __init__(self, configuration: Configuration) -> None:
        plan = configuration.plan
        self.play: Play
        clock = FakeClock()
        shim = FakeRouter(clock, [route.id for route in plan.routes], configuration.found)
        self.ports = Ports(
            _Router(self),
            _Metrics(self),
            _Health(self),
            _Alarms(self),
            _Surveyor(self, FakeSurveyor(plan, clock, shim, FakeHealth(clock)), shim),
            _Journal(self),
            _Lease(self),
            _Clock(self),
            _Mailbox(self),
            (_People(self),),
        )


class _Router(Router):
    def __init__(self, env: Environment) -> None:
        self._env = env
        self._pure = FakeRouter(FakeClock(), [])

    def read(
        self, routes: Sequence[RouteId], *, once: bool = False
    ) -> Mapping[RouteId, Reading[RouteConfig]]:
        return {route: self._read(number, route) for number, route in enumerate(routes, 1)}

    def _read(self, number: int, route: RouteId) -> Reading[RouteConfig]:
        play = self._env.play
        place = play.places[route]
        stale = place.older is not None and place.older != place.live
        how = play.pick(f"read of route {number}", READS_STALE if stale else READS)
        if how in ("failed", "denied"):
            play.facts.append(fact.Read(play.ms, route, ""))
            return Unknown(how, how, denied=how == "denied")
        seen = place.older if how == "stale" else place.live
        if seen is None:
            play.facts.append(fact.Read(play.ms, route, "", gone=True))
            return Unknown("there is no such rule", "RuleNotFound", gone=True)
        weight = portion(seen)
        play.facts.append(
            fact.Read(
                play.ms,
                route,
                seen.text,
                weight=weight,
                stale=how == "stale",
                taken_out=taken_out(seen),
            )
        )
        return Known(seen, play.at)

    def with_weight(self, route: RouteId, config: RouteConfig, weight: Weight) -> RouteConfig:
        return self._pure.with_weight(route, config, weight)

    def restored(
        self,
        route: RouteId,
        live: RouteConfig,
        snapshot: RouteConfig,
        stickiness_strategy: str,
        *,
        verbatim: bool,
    ) -> RouteConfig | None:
        return self._pure.restored(route, live, snapshot, stickiness_strategy, verbatim=verbatim)

    def detach(self, route: RouteId, config: RouteConfig) -> RouteConfig:
        return self._pure.detach(route, config)

    def restore_commands(self, configs: Mapping[RouteId, RouteConfig]) -> tuple[str, ...]:
        return self._pure.restore_commands(configs)

    def prepare(self) -> Reading[None]:
        play = self._env.play
        if play.act("credentials", PREPARES):
            return Unknown("the credential helper hangs", "credentials")
        return Known(None, play.at)

    def write(self, changes: Sequence[Change], permit: Permit) -> Mapping[RouteId, WriteOutcome]:
        play = self._env.play
        meanwhile = play.act("while it connects", WIRES[play.configuration.unasked])
        if meanwhile == "slow":
            play.move_to(play.at.plus(BEYOND_FRESH))
        elif meanwhile == "another owner":
            _owner(play)
        elif meanwhile:
            play.commands = (*play.commands, meanwhile)
            play.facts.append(fact.Ordered(play.ms, meanwhile))
        numbers = {route: number for number, route in enumerate(play.places, 1)}
        return {
            change.route: self._write(numbers[change.route], change, permit) for change in changes
        }

    def _write(self, number: int, change: Change, permit: Permit) -> WriteOutcome:
        play, route = self._env.play, change.route
        if why := permit.refusal(route):
            return WriteOutcome(WriteResult.NOT_APPLIED, NOT_SENT, why)
        fate = play.act(f"write of route {number}", FATES)
        if fate == "dies before":
            play.died()
        weight = portion(change.config)
        play.writes += 1
        play.facts.append(fact.Sent(play.ms, route, change.config.text, weight, play.writes))
        gone = play.places[route].live is None
        if fate == "throttled" or (gone and fate in ("", "another reply")):
            play.facts.append(fact.Replied(play.ms, route, play.writes, "refused"))
            return WriteOutcome(
                WriteResult.NOT_APPLIED, "RuleNotFound" if gone else "Throttling", "no"
            )
        if fate == "denied":
            play.facts.append(fact.Replied(play.ms, route, play.writes, "refused"))
            return WriteOutcome(WriteResult.NOT_APPLIED, "AccessDenied", "no", denied=True)
        if fate in ("late", "dies, and it is late"):
            place = play.places[route]
            flying = (*place.flying, Flying(play.writes, change.config))
            play.places[route] = replace(place, flying=flying)
        elif fate != "lost before" and not gone:
            play.change(route, change.config)
            play.facts.append(fact.Took(play.ms, route, change.config.text, weight, play.writes))
        if fate.startswith("dies"):
            play.died()
        if fate in ("lost before", "lost after", "late"):
            play.facts.append(fact.Replied(play.ms, route, play.writes, "lost"))
            return WriteOutcome(WriteResult.AMBIGUOUS, "timeout", "read timed out")
        play.facts.append(fact.Replied(play.ms, route, play.writes, "applied"))
        if fate == "another reply":
            return WriteOutcome(WriteResult.AMBIGUOUS, MISMATCH, "other weights in the answer")
        return WriteOutcome(WriteResult.APPLIED, request_id="r")


def _owner(play: Play) -> None:
    play.owned = True
    play.facts.append(fact.Owner(play.ms, ours=False))


class _Metrics(Metrics):
    def __init__(self, env: Environment) -> None:
        self._env = env

    def read(
        self, wanted: Mapping[Comparison, tuple[Series, ...]], start_ms: int, end_ms: int
    ) -> Reading[tuple[Minute, ...]]:
        play = self._env.play
        how = play.pick("minutes", MINUTES)
        if how == "failed":
            return Unknown("throttled", "Throttling")
        if how == "raises":
            raise RaisedError("a bug in a port")
        observe = play.plan.observe
        found = []
        newest = play.split[-1][0] if play.split else 0
        for at_ms, weight in play.split:
            settled = at_ms + observe.period + observe.settle <= end_ms
            whole = at_ms + observe.period <= end_ms
            if (
                at_ms < start_ms
                or not whole
                or (how == "late" and at_ms + 3 * observe.period > newest)
            ):
                continue
            bad = how in ("half published", "bad already") and not settled and weight > 0
            silent = how == "destination silent"
            for comparison, series in wanted.items():
                counts = {
                    one.key: _count(
                        one, weight, bad=bad, half=how == "half published", silent=silent
                    )
                    for one in series
                }
                found.append(Minute(comparison.id, at_ms, counts, settled=settled))
        return Known(tuple(found), play.at)


def _count(one: Series, weight: int, *, bad: bool, half: bool, silent: bool) -> Count:
    destination = PER_MINUTE * weight // 1000
    if one.key == FAILED.key:
        return destination if bad and destination else Absent.NO_DATAPOINT
    if one.name != "requests":
        return Absent.NO_DATAPOINT
    if one.side is Side.DESTINATION:
        return destination if destination and not silent else Absent.NO_DATAPOINT
    if one.side is Side.SOURCE:
        source = PER_MINUTE - destination
        return source if source and not (bad and half) else Absent.NO_DATAPOINT
    return PER_MINUTE


class _Health(TargetHealth):
    def __init__(self, env: Environment) -> None:
        self._env = env

    def read(self, groups: Sequence[str]) -> Mapping[str, Reading[GroupHealth]]:
        play = self._env.play
        how = play.pick("target health", HEALTHS)
        found: dict[str, Reading[GroupHealth]] = {}
        for group in groups:
            source = any(comparison.source == group for comparison in play.plan.comparisons)
            health = WELL
            if source and how.startswith("source"):
                health = NONE if how == "source none" else SHORT
            elif not source and how == "destination none":
                health = NONE
            found[group] = Unknown("throttled") if how == "unknown" else Known(health, play.at)
            if source:
                told = -1 if how == "unknown" else health.healthy
                play.facts.append(fact.Health(play.ms, told, WELL.healthy))
        return found


class _Alarms(Alarms):
    def __init__(self, env: Environment) -> None:
        self._env = env

    def read(self, names: Sequence[str]) -> Reading[Mapping[str, AlarmState]]:
        play = self._env.play
        verdict = play.pick("verdict", VERDICTS) or "pass"
        play.facts.append(fact.Shown(play.ms, verdict))
        return Known({COUNTS: verdict}, play.at)  # type: ignore[dict-item]  # the oracle reads it


class _Surveyor(Surveyor):
    def __init__(self, env: Environment, well: FakeSurveyor, shim: FakeRouter) -> None:
        self._env, self._well, self._shim = env, well, shim

    def survey(self, plan: Plan) -> Survey:
        play = self._env.play
        found = play.configuration.found
        self._shim.configs = {  # type: ignore[assignment]
            route: place.live or found for route, place in play.places.items()
        }
        survey = self._well.survey(plan)
        gone = {
            route: Unknown("there is no such rule")
            for route, place in play.places.items()
            if place.live is None
        }
        return replace(survey, routes={**survey.routes, **gone}) if gone else survey

    def identity(self) -> Reading[Identity]:
        play = self._env.play
        how = play.pick("identity", IDENTITIES)
        if how in ("unknown", "denied"):
            return Unknown(how, how, denied=how == "denied")
        account = "999999999999" if how else play.plan.aws.account
        return Known(Identity(account, "arn:aws:iam::123456789012:role/ops"), play.at)

    def skew_ms(self) -> int:
        return self._env.play.skew_ms


class _Journal(Journal):
    def __init__(self, env: Environment) -> None:
        self._env = env

    def append(self, event: Event, at: Moment) -> Reading[Record]:
        taken = self.append_all((event,), at)
        return Known(taken.value[0], at) if isinstance(taken, Known) else taken

    def append_all(self, events: Sequence[Event], at: Moment) -> Reading[tuple[Record, ...]]:
        play = self._env.play
        if play.disk:
            return Unknown("no space left on device", "disk_full")
        how = play.act("records", _kept(len(events)))
        if how == "disk full":
            play.disk = "full"
            play.facts.append(fact.DiskRefused(play.ms))
            return Unknown("no space left on device", "disk_full")
        if not how:
            play.mark()
        if how.startswith(DIES_AFTER):
            play.keep(events[: int(how.removeprefix(DIES_AFTER))], at, durable=True)
            play.died()
        records = tuple(
            Record(play.seq + 1 + number, play.epoch, at, event)
            for number, event in enumerate(events)
        )
        play.keep(events, at, durable=True)
        return Known(records, at)

    def bug(self, error: Exception) -> None:
        if not isinstance(error, RaisedError):
            raise error

    def forced(self, event: Event, at: Moment) -> Record:
        play = self._env.play
        play.keep((event,), at, durable=False)
        return Record(play.seq, play.epoch, at, event)

    def keep_snapshot(self, snapshot: Snapshot, commands: Sequence[str]) -> Reading[None]:
        play = self._env.play
        if play.disk:
            return Unknown("no space left on device", "disk_full")
        return Known(None, play.at)


DIES_AFTER = "dies after "
_KEPT: dict[int, tuple[Option, ...]] = {}


def _kept(count: int) -> tuple[Option, ...]:
    if count not in _KEPT:
        dies = tuple(f"{DIES_AFTER}{number}" for number in range(count + 1))
        _KEPT[count] = _options(faults=("disk full", *dies))
    return _KEPT[count]


class _Lease(Lease):
    def __init__(self, env: Environment) -> None:
        self._env = env

    def renew(self, now: Moment) -> Reading[None]:
        play = self._env.play
        how = "" if play.owned else play.pick("lease", LEASES)
        if how == "lost":
            return Unknown("the lock file is gone", LOST)
        if how == "another owner":
            _owner(play)
        if play.owned:
            return Unknown("bob@elsewhere has it", OWNED)
        return Known(None, now)

    def other_owner(self) -> str:
        return "bob@elsewhere" if self._env.play.owned else ""

    def ends(self, now: Moment) -> Moment | None:
        return None


class _Clock(Clock):
    def __init__(self, env: Environment) -> None:
        self._env = env

    def now(self) -> Moment:
        return self._env.play.at

    def sleep(self, ms: int) -> None:
        self._env.play.move_to(self._env.play.at.plus(ms))


class _Mailbox(Inbox):
    def __init__(self, env: Environment) -> None:
        self._env = env

    def wait(self, until: Moment) -> tuple[OperatorCommand, ...]:
        raise NotImplementedError("the search says when a turn comes")

    def stopping(self) -> str:
        return next((command for command in self._env.play.commands if command in _STOPPING), "")


def command_of(name: str) -> OperatorCommand:
    """A command as the inbox returns it; `finish detach` and `resume first` have their details."""
    base, _, detail = name.partition(" ")
    return OperatorCommand(
        CommandName(base),
        "ana@bastion",
        signal=2 if base == "interrupt" else 0,
        detail="detach_source" if detail == "detach" else "",
    )


class _People(Listener):
    def __init__(self, env: Environment) -> None:
        self._env = env

    def on_record(self, record: Record) -> None:
        event = record.event
        if isinstance(event, PhaseChanged):
            self._env.play.told = (str(event.after), str(event.hold))


@lru_cache(1 << 16)
def foreign(kind: str, live: RouteConfig, found: RouteConfig) -> RouteConfig | None:
    """What somebody else makes of a route."""
    weight = int(live.weight or 0)
    if kind == "rule gone":
        return None
    if kind == "restored by hand":
        return found
    if kind == "destination removed":
        return config(0, attached=False, tag="foreign")
    if kind == "both removed":
        return config(None, attached=False, source=False, tag="foreign")
    if kind == "sticky":
        return config(weight, sticky=True, tag="foreign")
    return config(500 if kind == "other weight" else weight, tag="foreign")
