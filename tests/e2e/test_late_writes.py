"""Writes that hang on their way, replies that never come, and no network at all: through the real command."""

from __future__ import annotations

import socket

import pytest

from tests.e2e.relay import Relay
from tests.e2e.stage import Stage
from tests.e2e.witness import named

pytestmark = [pytest.mark.e2e, pytest.mark.slow]


def test_a_raise_that_hangs_on_its_way_never_arrives_once_the_run_went_back(stage: Stage) -> None:
    relay = Relay(stage.witness.url)
    plan = stage.plan("weight: 10, bake: 2s", "weight: 40, bake: 2s")
    run = stage.drive("run", plan, "--yes", "--run-id", "one", env={"AWS_ENDPOINT_URL": relay.url})
    try:
        stage.until_phase("BAKING", run, step=0)
        relay.hold_the_next_write()
        stage.until("a raise on its way", relay.held.is_set, run)
        assert stage.say("rollback", "one").code == 0
        stage.expect(run, 3)
        relay.release.set()
        stage.until("what became of it", lambda: relay.reset.is_set() or relay.passed_on.is_set())
        assert not relay.passed_on.is_set()
    finally:
        relay.close()
    assert stage.is_restored()
    assert max(stage.climbs()) <= 0.1
    outcomes = [one["result"] for one in stage.records() if one["type"] == "outcome"]
    assert "ambiguous" in outcomes


def test_replies_that_never_come_are_asked_for_again(stage: Stage) -> None:
    stage.witness.happens("wait", named("GetCallerIdentity"))
    stage.witness.happens("wait", named("GetMetricData"), times=2)
    done = stage.say("preflight", stage.plan("weight: 10, bake: 2s"))
    assert done.code == 0, done.said


def nobody_listens() -> str:
    with socket.create_server(("127.0.0.1", 0)) as once:
        return f"http://127.0.0.1:{once.getsockname()[1]}"


@pytest.mark.parametrize("command", ["plan", "preflight", "run"])
@pytest.mark.parametrize("silent", [False, True])
def test_without_a_network_a_command_says_so_and_asks_nobody_to_log_in(
    stage: Stage, command: str, silent: bool
) -> None:
    commands = [
        command,
        stage.plan("weight: 10, bake: 2s"),
        *(["--yes"] if command == "run" else []),
    ]
    with socket.create_server(("127.0.0.1", 0)) as mute:  # takes connections, and says nothing
        url = f"http://127.0.0.1:{mute.getsockname()[1]}" if silent else nobody_listens()
        done = stage.say(*commands, env={"AWS_ENDPOINT_URL": url})
    assert done.code == 7, done.said
    assert "log in" not in done.said
    assert ("Read timeout" if silent else "Could not connect") in done.said
    assert "BLOCKS" not in done.said, "one cause is one message"
