"""One peer through the steps of one world."""

from __future__ import annotations

from collections import deque

from benchmarks.gating.peers import LOOK_AT, Look, Peer, Point
from benchmarks.gating.results import ACT, Outcome
from benchmarks.gating.scenarios import BAKES, WEIGHTS, Course
from benchmarks.gating.world import World

REMEMBERED = 30
"""Published minutes a peer may look back on."""


class Published:
    """The series a peer sees, with one random draw a minute for the percentiles."""

    def __init__(self, world: World, course: Course) -> None:
        self._world, self._course = world, course
        self._points: dict[tuple[int, float], Point] = {}

    def until(self, now: float) -> list[Point]:
        """What is published at `now` of the last minutes, oldest first."""
        found = deque[Point]()
        for t in range(int(now) - 1, int(now) - 1 - REMEMBERED, -1):
            point = self._point(t, now)
            if point is not None:
                found.appendleft(point)
        return list(found)

    def _point(self, t: int, now: float) -> Point | None:
        shown = self._world.shown(t, now)
        if shown is None:
            return None
        if self._world.scenario.disorder:
            key = (t, now)
        else:
            key = (t, shown[0])
        point = self._points.get(key)
        if point is None:
            row = self._world.visible(t, self._course, now)
            assert row is not None
            (p95_b, p99_b), (p95_c, p99_c) = self._world.percentiles(t, row)
            point = Point(t, row.n_b, row.e_b, row.n_c, row.e_c, p95_b, p95_c, p99_b, p99_c)
            self._points[key] = point
        return point


def run(world: World, peer: Peer) -> Outcome:
    """Step by step, until it rolls back or the last bake is over."""
    course = Course()
    course.move(0.0, WEIGHTS[0])
    published = Published(world, course)
    step, since, now = 0, 0.0, LOOK_AT
    while True:
        now += 1.0
        over = now - since >= BAKES[step]
        if peer.look(Look(now, since, over, published.until(now))):
            return Outcome(
                back=now,
                cause="breach",
                ended=now,
                onset=world.onset(course),
                harm=world.harm(course, now + ACT),
                finished=False,
            )
        if over and step + 1 == len(WEIGHTS):
            return Outcome(
                back=None,
                cause="",
                ended=now,
                onset=world.onset(course),
                harm=world.harm(course, now),
                finished=True,
            )
        if over:
            step, since = step + 1, now
            course.move(now, WEIGHTS[step])
