"""All that one turn of the loop saw."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from cutover.core.moment import Moment
from cutover.core.observation.minutes import Minute
from cutover.core.observation.readings import (
    NOT_ASKED,
    AlarmState,
    GroupHealth,
    Identity,
    OperatorCommand,
    Reading,
)
from cutover.core.observation.survey import Survey
from cutover.core.routing import RouteConfig
from cutover.core.values import RouteId

Calibration = Mapping[str, Mapping[str, int]]
"""By comparison id, then by name (`p95`, in ms; `elb_bad_ppm`): measured on the source before the run."""


@dataclass(frozen=True)
class Observation:
    """All that one turn saw.

    Attributes:
        configs: by route; one reading each, for a throttled rule must not hide the others.
        minutes: newest reading of the asked window, oldest first, settled and unsettled.
        health: by target group ARN.
        alarms: by alarm name.
        identity: the caller.
        survey: preflight's facts.
        journal: Unknown when the last append failed.
        lease: Unknown when it cannot be proven to be ours.
        commands: said since the last turn, oldest first.
        aws_skew_ms: AWS's Date header minus the local wall clock, when known.
        previous: when the turn before this one looked, None on a process's first turn.
        due: when this turn was to begin; a much later one is a gap.
        began: when it began to look; slow answers are no gap.
    """

    configs: Mapping[RouteId, Reading[RouteConfig]] = field(default_factory=dict)
    minutes: Reading[tuple[Minute, ...]] = NOT_ASKED
    health: Mapping[str, Reading[GroupHealth]] = field(default_factory=dict)
    alarms: Reading[Mapping[str, AlarmState]] = NOT_ASKED
    identity: Reading[Identity] = NOT_ASKED
    survey: Reading[Survey] = NOT_ASKED
    journal: Reading[None] = NOT_ASKED
    lease: Reading[None] = NOT_ASKED
    commands: tuple[OperatorCommand, ...] = ()
    aws_skew_ms: int = 0
    previous: Moment | None = None
    due: Moment | None = None
    began: Moment | None = None
