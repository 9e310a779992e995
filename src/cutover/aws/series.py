"""What a `Series` is called in CloudWatch. Pure.

AWS docs: "CloudWatch metrics for your Application Load Balancer" (names, statistics, dimensions) and
"CloudWatch statistics definitions" (`TC(x:)`, the count of samples above x, may be fractional).
Only published combinations of dimensions exist; an unknown one returns nothing, never an error.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from cutover.core.arn import resource
from cutover.core.observation import Comparison, Series, Side

ALB: Final = "AWS/ApplicationELB"

_OF_GROUP: Final = {
    "requests": "RequestCount",
    "target_2xx": "HTTPCode_Target_2XX_Count",
    "target_3xx": "HTTPCode_Target_3XX_Count",
    "target_4xx": "HTTPCode_Target_4XX_Count",
    "target_5xx": "HTTPCode_Target_5XX_Count",
    "connection_errors": "TargetConnectionErrorCount",
}
_OF_BALANCER: Final = {
    "requests": "RequestCount",
    "elb_4xx": "HTTPCode_ELB_4XX_Count",
    "elb_5xx": "HTTPCode_ELB_5XX_Count",
    "elb_500": "HTTPCode_ELB_500_Count",
    "elb_502": "HTTPCode_ELB_502_Count",
    "elb_503": "HTTPCode_ELB_503_Count",
    "elb_504": "HTTPCode_ELB_504_Count",
}


@dataclass(frozen=True)
class Query:
    """One CloudWatch statistic; equal queries are asked once.

    Attributes:
        milli: the value is wanted in thousandths.
        nearest: round to the nearest whole number, not up: where CloudWatch interpolates (`TC`), rounding up
            would make evidence out of rounding.
    """

    namespace: str
    metric: str
    dimensions: tuple[tuple[str, str], ...]
    statistic: str
    milli: bool = False
    nearest: bool = False

    def request(self, name: str, period_s: int) -> dict[str, Any]:
        """The entry of GetMetricData's query list; `name` must begin with a lower-case letter."""
        return {
            "Id": name,
            "MetricStat": {
                "Metric": {
                    "Namespace": self.namespace,
                    "MetricName": self.metric,
                    # sorted, so that emulators that compare lists find them too
                    "Dimensions": [{"Name": n, "Value": v} for n, v in self.dimensions],
                },
                "Period": period_s,
                "Stat": self.statistic,
            },
            "ReturnData": True,
        }

    def count(self, value: float) -> int | None:
        """The value as the whole number a minute holds; None when it is no number."""
        if not math.isfinite(value):
            return None
        scaled = value * (1000 if self.milli else 1)
        # six decimals first: 0.1 + 0.2 must not round up to one more
        return round(scaled) if self.nearest else math.ceil(round(scaled, 6))


def query_of(series: Series, comparison: Comparison) -> Query:
    """What to ask CloudWatch for one series of a comparison.

    Raises:
        ValueError: when no such series exists.
    """
    if series.custom is not None:
        custom = series.custom
        return Query(
            custom.namespace,
            custom.metric,
            tuple(sorted(custom.dimensions)),
            custom.statistic,
            milli=True,
        )
    if series.side is Side.BALANCER and series.name in _OF_BALANCER:
        return Query(
            ALB, _OF_BALANCER[series.name], (("LoadBalancer", comparison.load_balancer),), "Sum"
        )
    if series.side in (Side.SOURCE, Side.DESTINATION):
        dimensions = group_dimensions(
            comparison, comparison.source if series.side is Side.SOURCE else comparison.destination
        )
        if series.name == "slower" and series.over_ms is not None:
            return Query(
                ALB,
                "TargetResponseTime",
                dimensions,
                f"TC({seconds_text(series.over_ms)}:)",
                milli=True,
                nearest=True,
            )
        if series.name in _OF_GROUP:
            return Query(ALB, _OF_GROUP[series.name], dimensions, "Sum")
    raise ValueError(f"no CloudWatch metric for the series {series.key!r}")


def group_dimensions(comparison: Comparison, group: str) -> tuple[tuple[str, str], ...]:
    """The dimensions of a target group's metrics, sorted by name."""
    return (("LoadBalancer", comparison.load_balancer), ("TargetGroup", resource(group)))


def seconds_text(ms: int) -> str:
    """`800` ms as `0.8`, `1000` as `1`: TargetResponseTime is in seconds."""
    text = f"{Decimal(ms) / 1000:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
