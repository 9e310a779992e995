"""Minutes of evidence: integer counts per series, where an absent value is never a number."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import Enum, StrEnum
from functools import cached_property


class Absent(Enum):
    """Why a series has no number in a minute. Each gate says whether NO_DATAPOINT means zero."""

    NO_DATAPOINT = "-"  # CloudWatch answered completely and has no datapoint
    UNKNOWN = "?"  # denied, partial, throttled, late: nobody knows


Count = int | Absent
"""A whole number (requests, errors; thousandths for slow requests and custom metrics), or why there is none."""


class Side(StrEnum):
    """Where a series is measured."""

    SOURCE = "source"
    DESTINATION = "destination"
    BALANCER = "balancer"
    CUSTOM = "custom"


@dataclass(frozen=True)
class Comparison:
    """One judged unit: the routes of a plan with the same load balancer, source and destination.

    Attributes:
        id: short unique name within the plan, `checkout-ec2>checkout-eks`; the key in the journal.
        load_balancer: CloudWatch dimension value, `app/prod/50dc6c495c0c9188`.
        source: ARN of the source's target group.
        destination: ARN of the destination's target group.
    """

    id: str
    load_balancer: str
    source: str
    destination: str


@dataclass(frozen=True)
class CustomMetric:
    """A CloudWatch metric that a plan names itself."""

    namespace: str
    metric: str
    dimensions: tuple[tuple[str, str], ...]
    statistic: str

    @property
    def text(self) -> str:
        """The name as CloudWatch is asked for it: a metric is its namespace, its name and exactly its dimensions."""
        of = ", ".join(f"{name}={value}" for name, value in self.dimensions)
        return f"namespace {self.namespace}, metric {self.metric}, {f'dimensions {of}' if of else 'no dimensions'}"


@dataclass(frozen=True)
class Series:
    """One column of a minute, asked of `Metrics` and found in `Minute.counts` under `key`.

    Attributes:
        side: SOURCE and DESTINATION are per target group, BALANCER per load balancer.
        name: for target groups `requests target_2xx target_3xx target_4xx target_5xx
            connection_errors slower`; for the balancer `requests elb_4xx elb_5xx elb_502 elb_503 elb_504`;
            for CUSTOM the gate's name.
        over_ms: for `slower`: requests slower than this many ms (CloudWatch `TC(x:)`), in thousandths of a
            request. AWS docs: "CloudWatch statistics definitions": the count is interpolated.
        custom: for CUSTOM: what to ask; its value is in milli-units.
    """

    side: Side
    name: str
    over_ms: int | None = None
    custom: CustomMetric | None = None

    @cached_property
    def key(self) -> str:
        """The column's name: `destination.target_5xx`, `source.slower.800`, `custom.log-volume`."""
        return f"{self.side}.{self.name}" + (
            f".{self.over_ms}" if self.over_ms is not None else ""
        )


def beside_source(wanted: Iterable[Series]) -> tuple[Series, ...]:
    """The series, and of each of the destination's also the source's, so that the source can stand in its place."""
    every = tuple(wanted)
    twins = (replace(one, side=Side.SOURCE) for one in every if one.side is Side.DESTINATION)
    return tuple(dict.fromkeys((*every, *twins)))


@dataclass(frozen=True)
class Minute:
    """What one comparison did in one period (`observe.period`, 60 s on ALB).

    Attributes:
        comparison: `Comparison.id`.
        at_ms: the period's start, ms since the epoch on AWS's clock.
        counts: by `Series.key`. Whole requests, rounded up if ever fractional (against the destination);
            `slower` and custom metrics in thousandths.
        settled: the period ended at least `observe.settle` ago. A series that was not answered then is unknown in it:
            its own gates wait for it, and no other does.
    """

    comparison: str
    at_ms: int
    counts: Mapping[str, Count]
    settled: bool = True

    def number(self, key: str) -> int | None:
        """The series' number, or None when it is absent or was not asked."""
        count = self.counts.get(key, Absent.UNKNOWN)
        return count if isinstance(count, int) else None

    def is_unknown(self, key: str) -> bool:
        """Nobody knows this series in this minute (not asked counts as unknown)."""
        return self.counts.get(key, Absent.UNKNOWN) is Absent.UNKNOWN

    @property
    def answered(self) -> bool:
        """Some series of it is known, if only to have no datapoint."""
        return any(count is not Absent.UNKNOWN for count in self.counts.values())

    def known_beside(self, kept: Minute) -> Minute:
        """This minute; what it does not know is as in `kept`, for what was known once is not unlearnt."""
        counts = {
            key: kept.counts.get(key, count) if count is Absent.UNKNOWN else count
            for key, count in self.counts.items()
        }
        return replace(self, counts=counts)

    def source_twice(self) -> Minute:
        """As if the destination had done exactly what the source did (`beside_source` was asked)."""
        mine, theirs = f"{Side.DESTINATION}.", f"{Side.SOURCE}."
        counts = {
            key: self.counts.get(theirs + key.removeprefix(mine), Absent.UNKNOWN)
            if key.startswith(mine)
            else count
            for key, count in self.counts.items()
        }
        return replace(self, counts=counts)

    def zero_if_requests(self, key: str, requests_key: str) -> int | None:
        """The number; 0 when it has no datapoint but `requests_key` has requests; else None.

        ALB reports error series only when non-zero (AWS: CloudWatch metrics for your ALB), so a
        missing datapoint means zero exactly in the minutes that had requests.
        """
        count = self.counts.get(key, Absent.UNKNOWN)
        if isinstance(count, int):
            return count
        if count is Absent.NO_DATAPOINT and (self.number(requests_key) or 0) > 0:
            return 0
        return None
