"""The sections of a plan file and their defaults, each field with its unit and what it means."""

from __future__ import annotations

from functools import cached_property
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    ConfigDict,
    Field,
    StringConstraints,
    model_validator,
)
from pydantic_core import PydanticCustomError

from cutover.core.plan.arns import ListenerArn, RouteArn, RuleArn, TargetGroupArn, parse_arn
from cutover.core.plan.gates import PlannedGate, default_gates
from cutover.core.plan.notify import Notify
from cutover.core.plan.steps import Sliver, Step, climbed
from cutover.core.plan.texts import Account, Name, Region, Sentence, Store
from cutover.core.plan.windows import Window
from cutover.core.units import Duration, Model, PerMinute, Share
from cutover.core.values import HOUR, MINUTE, SECOND, RouteId

RollbackOrHold = Literal["rollback", "hold"]


class Aws(Model):
    """Where the routes are; both are compared with what AWS says about the caller."""

    region: Region = Field(description="Region of every ARN in the plan")
    account: Account = Field(
        description="account that owns every ARN, as text in quotes; compared with the caller's"
    )


class Route(Model):
    """One place where the split is set: a listener rule, or a listener's default action."""

    model_config = ConfigDict(
        json_schema_extra={"oneOf": [{"required": ["rule"]}, {"required": ["listener"]}]}
    )

    rule: RuleArn | None = Field(
        default=None, description="ARN of a listener rule that is not the default one"
    )
    listener: ListenerArn | None = Field(
        default=None, description="ARN of a listener: its default action is the route"
    )
    source: TargetGroupArn = Field(description="target group of the EC2 side")
    destination: TargetGroupArn = Field(description="target group of the EKS side")

    @model_validator(mode="after")
    def _one_place(self) -> Route:
        if (self.rule is None) == (self.listener is None):
            raise PydanticCustomError(
                "one_key",
                "a route is either a `rule` (a listener rule) or a `listener` (its default action)"
                + (", not both" if self.rule else "; neither is given"),
            )
        return self

    @property
    def id(self) -> RouteId:
        """The ARN of the rule or listener."""
        return RouteId(self.rule or self.listener or "")

    @property
    def kind(self) -> Literal["rule", "listener"]:
        """Which of the two it is."""
        return "rule" if self.rule else "listener"

    @property
    def load_balancer(self) -> str:
        """`app/NAME/ID`, CloudWatch's LoadBalancer dimension."""
        return parse_arn(self.id, "listener-rule", "listener").scope


class Risk(Model):
    """A budget of failed requests that the steps are held against, at the measured traffic or `traffic`.

    Beyond it `validate` warns (`--strict`: refuses), and `plan`, `preflight` and `run` refuse with check `risk`.
    """

    harmed_requests: int = Field(
        ge=1,
        description="how many requests a defect that is there from the beginning may fail at any step before traffic is back: "
        "at the first step one that fails everything, at a later one the worst that the bakes before are not sure (95 %) to have "
        "seen. A defect that fails less than twice what the `errors` gate allows is not counted, nor one that only shows under "
        "the load of its step: `cutover plan` prints that as overload",
    )


class Safety(Model):
    """What happens when things are unclear."""

    source_reserve: Share = Field(
        default=900_000,
        description="healthy targets the source must keep, of those it had at the start; below it nothing is raised",
    )
    blind_budget: Duration = Field(
        default=10 * MINUTE, description="how long evidence may be missing before the run holds"
    )
    hold_timeout: Duration = Field(
        default=2 * HOUR, description="how long a hold waits before `on_hold_timeout`"
    )
    ask_timeout: Duration = Field(
        default=20 * MINUTE,
        description="how long a person has to answer when the destination is bad and too little traffic is left at "
        "the source to tell whether it suffers the same; then `on_hold_timeout`",
    )
    on_hold_timeout: RollbackOrHold = Field(
        default="rollback",
        description="when a hold for missing or bad evidence is over; other holds page again",
    )
    on_shared_after_raise: RollbackOrHold = Field(
        default="rollback",
        description="when the source turns bad within 5 minutes after a raise of ours",
    )
    on_interrupt: RollbackOrHold = Field(default="hold", description="on Ctrl-C or SIGTERM")
    on_drift: RollbackOrHold = Field(
        default="hold", description="when somebody else changed a route"
    )


class Leave(Model):
    """A rule or default action that forwards to a planned group but is not moved."""

    rule: RouteArn = Field(
        description="ARN of the rule, or of the listener for its default action"
    )
    why: Sentence = Field(
        description="why it stays; printed by `cutover plan` and kept in the journal"
    )


class Waive(Model):
    """A preflight check whose failure is accepted."""

    check: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]*$")] = Field(
        description="id of the check, as `cutover preflight` prints it"
    )
    why: Sentence = Field(description="why it is accepted; kept in the journal")


class Observe(Model):
    """How CloudWatch and the routes are read; the defaults are facts of ALB metrics."""

    period: Duration = Field(
        default=60 * SECOND,
        description="length of one CloudWatch period; ALB publishes one datapoint a minute",
    )
    settle: Duration = Field(
        default=120 * SECOND, description="age at which a period counts as complete"
    )
    poll: Duration = Field(default=15 * SECOND, description="time between two looks")
    confirm: Duration = Field(
        default=60 * SECOND,
        description="a finished or restored route is read again after this time",
    )


def _at_least_one(gates: tuple[PlannedGate, ...]) -> tuple[PlannedGate, ...]:
    if not gates:
        raise PydanticCustomError(
            "no_gates",
            "an empty list of gates would pass everything; remove the section to get the default gates",
        )
    return gates


class PlanFields(Model):
    """The top level of a plan file."""

    version: Literal[1] = Field(description="version of this format")
    name: Name = Field(description="short name of the service: part of run ids and messages")
    aws: Aws
    routes: tuple[Route, ...] = Field(min_length=1, description="they move together, as one step")
    written: tuple[Step, ...] = Field(
        alias="steps",
        min_length=1,
        max_length=100,
        description="weights that rise to at most 100",
    )
    hold_back: Sliver | None = Field(
        default=None,
        description="traffic that stays at the source while the last step bakes, to compare with; when that bake has "
        "passed the rest follows. At most 20%, and only with a last step at 100; 0% says that none is meant to stay",
    )
    gates: Annotated[tuple[PlannedGate, ...], AfterValidator(_at_least_one)] = Field(
        default_factory=default_gates,
        description="what every step is judged by; without this section: errors, latency, client_errors, lb_errors and healthy",
    )
    risk: Risk | None = None
    safety: Safety = Safety()
    managed_by: Literal["terraform", "cloudformation", "none"] | None = Field(
        default=None,
        description="infrastructure code that owns the routes: `cutover plan` prints what to tell it",
    )
    leave: tuple[Leave, ...] = Field(
        default=(), description="what else forwards to a planned group and is not moved"
    )
    waive: tuple[Waive, ...] = Field(
        default=(), description="preflight checks whose failure is accepted"
    )
    traffic: PerMinute | None = Field(
        default=None,
        description="expected requests over all routes, for example 6000/min: lets `validate` see steps that cannot be judged",
    )
    observe: Observe = Observe()
    windows: tuple[Window, ...] = Field(
        default=(), description="no raise inside; a rollback is always allowed"
    )
    notify: tuple[Notify, ...] = Field(
        default=(), description="who is told; secrets only as `env:NAME`"
    )
    store: Store = Field(default="local", description="where journal and lease live")
    acknowledge_big_bang: bool = Field(
        default=False,
        description="must be true when the only step is 100: all traffic moves at once",
    )

    @cached_property
    def steps(self) -> tuple[Step, ...]:
        """The steps as they are climbed: with `hold_back` one more than are written (`plan.steps`)."""
        return climbed(self.written, self.hold_back)
