"""A rollback of many routes is one round trip: the writes go side by side."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs

from benchmarks.measuring import Figure, wall
from cutover.aws.alb import AlbRouter
from cutover.aws.fanout import Threads
from cutover.aws.route_config import Ends, config_of_actions
from cutover.aws.session import open_session
from cutover.core.values import RouteId
from cutover.local.clock import SystemClock
from cutover.ports import Change, Unconditional, WriteResult
from tests.fakes import DESTINATION, RULE, SOURCE

DELAY_S = 0.05
ROUTES = 8
ENDS = Ends(SOURCE, DESTINATION)
ACTION = {
    "Type": "forward",
    "ForwardConfig": {
        "TargetGroups": [
            {"TargetGroupArn": SOURCE, "Weight": 999},
            {"TargetGroupArn": DESTINATION, "Weight": 0},
        ]
    },
}


class SlowAlb(BaseHTTPRequestHandler):
    """Answers every ModifyRule after a round trip's time, as asked."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_POST(self) -> None:
        """One write."""
        asked = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        time.sleep(DELAY_S)
        groups = "".join(
            f"<member><TargetGroupArn>{arn}</TargetGroupArn><Weight>{weight}</Weight></member>"
            for arn, weight in ((SOURCE, 999), (DESTINATION, 0))
        )
        body = (
            '<ModifyRuleResponse xmlns="http://elasticloadbalancing.amazonaws.com/doc/2015-12-01/">'
            f"<ModifyRuleResult><Rules><member><RuleArn>{asked['RuleArn'][0]}</RuleArn><Actions><member>"
            f"<Type>forward</Type><ForwardConfig><TargetGroups>{groups}</TargetGroups></ForwardConfig>"
            "</member></Actions></member></Rules></ModifyRuleResult></ModifyRuleResponse>"
        ).encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/xml")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """A benchmark has one output."""


class Server(ThreadingHTTPServer):
    """One thread a connection; nothing to wait for at the end."""

    daemon_threads = True
    request_queue_size = 64


@contextmanager
def slow_alb() -> Iterator[None]:
    """An ELBv2 endpoint on loopback, and settings that reach it."""
    server = Server(("127.0.0.1", 0), SlowAlb)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    before = dict(os.environ)
    os.environ.update(
        AWS_ENDPOINT_URL=f"http://127.0.0.1:{server.server_port}",
        AWS_ACCESS_KEY_ID="testing",
        AWS_SECRET_ACCESS_KEY="testing",
    )
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
        server.shutdown()
        server.server_close()


def measure() -> list[Figure]:
    with slow_alb():
        clock = SystemClock()
        session = open_session(clock, profile=None, region="ap-northeast-1", dry_run=False)
        routes = [RouteId(f"{RULE[:-4]}{number:04x}") for number in range(ROUTES)]
        router = AlbRouter(session, Threads(clock), dict.fromkeys(routes, ENDS))
        changes = [Change(route, config_of_actions([ACTION], ENDS)) for route in routes]

        def write(count: int) -> None:
            outcomes = router.write(changes[:count], Unconditional())
            wrong = [one for one in outcomes.values() if one.result is not WriteResult.APPLIED]
            if wrong:
                raise RuntimeError(f"a write was not applied: {wrong[0]}")

        write(ROUTES)  # clients and connections are made once in a run, before any rollback
        one = wall(lambda: write(1), repeats=15)
        many = wall(lambda: write(ROUTES), repeats=15)
    return [
        Figure(
            id="rollback-width",
            what=f"wall time of writing {ROUTES} routes in one call, each answered after {1000 * DELAY_S:.0f} ms",
            promised="a rollback of N routes in one round trip (one after the other would be "
            f"{ROUTES} times)",
            ratio=many / one,
            yardstick="the same write with 1 route",
            met=many < 2 * one,
            parts={
                "1 route ms": round(1000 * one),
                f"{ROUTES} routes ms": round(1000 * many),
                "answer after ms": round(1000 * DELAY_S),
            },
        )
    ]
