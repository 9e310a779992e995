"""What a turn of the loop sees: readings, minutes of evidence, health, and the survey."""

from cutover.core.observation.minutes import (
    Absent,
    Count,
    CustomMetric,
    Minute,
    Pair,
    Series,
    Side,
    beside_source,
)
from cutover.core.observation.readings import (
    NOT_ASKED,
    AlarmState,
    GroupHealth,
    Identity,
    Known,
    NotAsked,
    Reading,
    Unknown,
    Word,
    WordName,
)
from cutover.core.observation.survey import (
    AutoScaling,
    GroupFacts,
    ListenerFacts,
    RouteFacts,
    RuleUse,
    Survey,
)
from cutover.core.observation.turn import Calibration, Observation

__all__ = [
    "NOT_ASKED",
    "Absent",
    "AlarmState",
    "AutoScaling",
    "Calibration",
    "Count",
    "CustomMetric",
    "GroupFacts",
    "GroupHealth",
    "Identity",
    "Known",
    "ListenerFacts",
    "Minute",
    "NotAsked",
    "Observation",
    "Pair",
    "Reading",
    "RouteFacts",
    "RuleUse",
    "Series",
    "Side",
    "Survey",
    "Unknown",
    "Word",
    "WordName",
    "beside_source",
]
