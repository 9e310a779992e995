"""The peers through the steps of one world, side by side: the same minutes, the same moments to look."""

from __future__ import annotations

from collections.abc import Mapping

from benchmarks.gating.peers import LOOK_AT, Look, Peer, Point
from benchmarks.gating.results import ACT, Outcome
from benchmarks.gating.scenarios import BAKES, WEIGHTS, Course
from benchmarks.gating.world import World

REMEMBERED = 30
"""Published minutes a peer may look back on."""


class Published:
    """The series the peers see, with one random draw a minute for the percentiles."""

    def __init__(self, world: World, course: Course) -> None:
        self._world, self._course = world, course
        self._points: dict[tuple[int, float], Point] = {}

    def until(self, now: float) -> tuple[Point, ...]:
        """What is published at `now` of the last minutes, oldest first."""
        found = (self._point(t, now) for t in range(int(now) - REMEMBERED, int(now)))
        return tuple(point for point in found if point is not None)

    def _point(self, t: int, now: float) -> Point | None:
        shown = self._world.shown(t, now)
        if shown is None:
            return None
        key = (t, now if self._world.scenario.disorder else shown[0])
        point = self._points.get(key)
        if point is None:
            row = self._world.visible(t, self._course, now)
            assert row is not None
            (p95_b, p99_b), (p95_c, p99_c) = self._world.percentiles(t, row)
            if row.tau_b < 0:  # the latency series is not published yet
                p95_b = p99_b = p95_c = p99_c = 0.0
            point = Point(t, row.n_b, row.e_b, row.n_c, row.e_c, p95_b, p95_c, p99_b, p99_c)
            self._points[key] = point
        return point


def run(world: World, peers: Mapping[str, Peer]) -> dict[str, Outcome]:
    """Step by step, until each has rolled back or the last bake is over.

    Who has not gone back by then has had the same weights at the same times, so one course serves all.
    """
    course = Course()
    course.move(0.0, WEIGHTS[0])
    published = Published(world, course)
    left, found = dict(peers), dict[str, Outcome]()
    step, since, now = 0, 0.0, LOOK_AT
    while True:
        now += 1.0
        over = now - since >= BAKES[step]
        look = Look(now, since, over, published.until(now))
        last = over and step + 1 == len(WEIGHTS)
        for name, peer in list(left.items()):
            back = peer.look(look)
            if back or last:
                found[name] = Outcome(
                    back=now if back else None,
                    cause="breach" if back else "",
                    ended=now,
                    onset=world.onset(course),
                    harm=world.harm(course, now + ACT if back else now),
                    finished=not back,
                )
                del left[name]
        if not left:
            return found
        if over:
            step, since = step + 1, now
            course.move(now, WEIGHTS[step])
