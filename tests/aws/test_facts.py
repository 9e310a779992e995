"""What a read's answer becomes as a fact of the survey."""

from __future__ import annotations

from dataclasses import replace

from cutover.aws.facts import fact, fact_of
from cutover.aws.retry import Failure, Kind
from cutover.aws.survey import AwsSurveyor
from cutover.core.moment import Moment
from cutover.core.observation import NOT_ASKED, Known, Survey, Unknown
from tests.aws.test_survey import plan_for
from tests.aws.topology import INLINE, START, StepClock, session, world

LIST = "some:List"
DENIED = Failure(Kind.DENIED, "AccessDenied", "no")


def test_a_denied_read_names_the_permission_and_stays_denied() -> None:
    assert fact(DENIED, LIST, START) == Unknown(
        "AccessDenied: no", "AccessDenied", denied=True, missing_permission=LIST
    )


def test_a_read_that_failed_otherwise_asks_for_no_permission() -> None:
    throttled = Failure(Kind.THROTTLED, "Throttling", "slow down")
    assert fact(throttled, LIST, START) == Unknown("Throttling: slow down", "Throttling")


def test_a_ports_reading_keeps_its_own_moment() -> None:
    own = Known(7, START.plus(5_000))
    assert fact_of(own, LIST) is own


def test_a_ports_reading_that_is_gone_stays_gone() -> None:
    gone = Unknown("RuleNotFound: no such rule", "RuleNotFound", gone=True)
    assert fact_of(gone, LIST) == gone
    denied = replace(gone, denied=True)
    assert fact_of(denied, LIST) == replace(denied, missing_permission=LIST)


def test_what_was_not_asked_is_unknown() -> None:
    assert fact_of(NOT_ASKED, LIST) == Unknown("it was not asked")


def facts_of(survey: Survey) -> list[object]:
    """Every fact of it."""
    return [
        survey.identity, survey.skew_ms, *survey.routes.values(), *survey.groups.values(), *survey.health.values(),
        survey.uses, survey.balancer_tags, *survey.listeners.values(), survey.auto_scaling, survey.dns_aliases,
        survey.metrics, survey.calibration, survey.alarms, survey.custom,
    ]  # fmt: skip


class TickingClock(StepClock):
    """A clock on which a second passes after every look at it."""

    def now(self) -> Moment:
        seen, self.at = self.at, self.at.plus(1_000)
        return seen


def test_no_fact_of_a_survey_is_dated_later_than_the_call_that_read_it() -> None:
    there, clock = world(instances=True), TickingClock()
    plan = plan_for(there)
    found = AwsSurveyor(session(clock), INLINE, lambda _: {}).survey(plan)
    known = [one for one in facts_of(found) if isinstance(one, Known)]
    assert len(known) == len(facts_of(found))
    assert all(START.wall <= one.at.wall < clock.at.wall for one in known)
    # what the survey reads itself is dated before its first call, however long the others took
    own = [found.uses, found.balancer_tags, found.auto_scaling, found.dns_aliases, found.skew_ms]
    assert {one.at for one in own if isinstance(one, Known)} == {START}
