"""Commands on runs, against a loopback AWS: exit codes, who may act when, and what is left behind."""

from __future__ import annotations

import json
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from cutover.app import api
from cutover.app.commands import NoReply, Queued, say
from cutover.app.live import Options, restore_text_of
from cutover.app.offline import operator
from cutover.core.errors import LeaseError, UsageError
from cutover.core.journal.events import CommandGiven
from cutover.core.moment import wall_text
from cutover.core.observation import CommandName, Known, OperatorCommand
from cutover.core.state import Phase
from cutover.core.values import RouteId
from cutover.local.clock import SystemClock
from cutover.local.disk import RealDisk
from cutover.local.inbox import LocalInbox, enqueue
from cutover.local.journal import FileJournal
from cutover.local.lease import FlockLease
from cutover.local.plan_file import plan_of_text
from cutover.local.run_directory import RunDirectory
from cutover.local.snapshot_file import is_armed
from cutover.local.state_directory import StateDirectory
from tests import records
from tests.cli.command import called
from tests.cli.emulated import Aws, crashed_run, damaged, emulated_aws, phases

pytestmark = pytest.mark.slow
"""A rollback reads every route again after 2 s, and these are real ones."""


@pytest.fixture(scope="module")
def server() -> Iterator[Aws]:
    with emulated_aws() as aws:
        yield aws


@pytest.fixture
def aws(server: Aws, monkeypatch: pytest.MonkeyPatch) -> Aws:
    monkeypatch.setenv("AWS_ENDPOINT_URL", server.url)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    server.reset()
    return server


@pytest.fixture
def plan(aws: Aws, tmp_path: Path) -> Path:
    file = tmp_path / "shop.yaml"
    waived = "[{check: metrics, why: no traffic here}, {check: calibration, why: no traffic here}]"
    file.write_text(aws.plan_text(waive=waived))
    return file


def claims(place: StateDirectory) -> list[str]:
    return [path.name for path in place.leases.glob("*.claim")]


def locked(place: StateDirectory, aws: Aws, run_id: str) -> FlockLease:
    return FlockLease.take(place, (RouteId(aws.listener),), run_id, SystemClock().now())


def ends_soon(run: RunDirectory) -> None:
    """A command that wrongly becomes the runner would hold for ever: the kill switch ends it, with 3."""
    (run.path / "ROLLBACK").touch()


def test_preflight_judges_and_writes_nothing(plan: Path, place: StateDirectory) -> None:
    shown = called("preflight", plan, "--json")
    assert shown.code == shown.object["exit_code"] == 0
    assert shown.object["mode"] == "emulated"
    found = {one["id"] for one in shown.object["findings"]}
    assert found >= {"account", "routes-complete", "stickiness"}
    assert not place.root.exists()


def test_plan_shows_every_weight_of_a_route_and_its_way_back(plan: Path, aws: Aws) -> None:
    shown = called("plan", plan)
    assert shown.code == 0
    for group in ("shop-source 999", "shop-source 950", "shop-destination 50", "shop-source 800"):
        assert group in shown.out
    assert "rollback" in shown.out
    assert "ignore_changes = [default_action]" in shown.out
    assert not aws.config().attached


def test_a_plan_without_measured_traffic_promises_no_risk_of_zero(plan: Path) -> None:
    assert called("plan", plan, "--json").objects[0]["steps"][0]["at_risk"] is None


def test_plan_and_dry_run_end_with_7_when_preflight_would_refuse(
    plan: Path, place: StateDirectory
) -> None:
    plan.write_text(plan.read_text().replace("shop-destination", "shop-gone"))
    for command in (("plan", plan), ("run", plan, "--dry-run"), ("preflight", plan)):
        shown = called(*command, "--json")
        assert shown.code == 7
        assert any(found["severity"] == "block" for found in shown.objects[-1]["findings"])
    assert not place.root.exists()


def test_a_run_that_is_stopped_in_preflight_is_refused_and_frees_its_routes(
    plan: Path, aws: Aws, place: StateDirectory
) -> None:
    place.prepare()
    (place.root / "ROLLBACK").touch()
    shown = called("run", plan, "--yes", "--run-id", "one", "--json")
    assert shown.code == 7
    assert shown.objects[-1]["phase"] == "REFUSED"
    assert [one["type"] for one in shown.objects[:2]] == ["run_open", "lease"]
    assert claims(place) == []
    assert not aws.config().attached


def test_a_second_run_on_a_route_is_refused_with_6_and_leaves_nothing(
    plan: Path, aws: Aws, place: StateDirectory
) -> None:
    place.prepare()
    lease = locked(place, aws, "first")
    try:
        shown = called("run", plan, "--yes", "--json")
    finally:
        lease.close()
    assert shown.code == 6
    assert "run first" in shown.object["error"]
    assert place.list_runs() == ()


def test_a_crashed_run_keeps_its_routes_from_others(
    plan: Path, aws: Aws, place: StateDirectory
) -> None:
    crashed_run(place, aws, Phase.BAKING)
    locked(place, aws, "shop-1").close()
    shown = called("run", plan, "--yes")
    assert shown.code == 6
    assert "belongs to run shop-1 (BAKING)" in shown.err


def test_a_run_id_that_exists_is_refused_and_its_claim_stays(
    plan: Path, aws: Aws, place: StateDirectory
) -> None:
    crashed_run(place, aws, Phase.BAKING)
    locked(place, aws, "shop-1").close()
    assert called("run", plan, "--yes", "--run-id", "shop-1").code == 2
    assert len(claims(place)) == 1


def test_rollback_of_a_crashed_run_restores_what_was_found(
    aws: Aws, place: StateDirectory
) -> None:
    run = crashed_run(place, aws, Phase.BAKING)
    assert aws.config().weight == 50
    shown = called("rollback", "--why", "enough", "--json")
    assert shown.code == 3
    assert shown.objects[-1]["phase"] == "ROLLED_BACK"
    assert not aws.config().attached
    assert claims(place) == []
    assert phases(run)[-1] == "ROLLED_BACK"
    said = [json.loads(line) for line in run.journal.read_text().splitlines()]
    assert [one["why"] for one in said if one["type"] == "command"] == ["enough"]
    assert called("rollback", "shop-1").code == 3


def test_resume_of_a_crashed_rollback_goes_on_back(aws: Aws, place: StateDirectory) -> None:
    crashed_run(place, aws, Phase.ROLLING_BACK)
    assert called("resume").code == 3
    assert not aws.config().attached


def test_a_damaged_journal_refuses_to_go_forward_and_says_where(
    aws: Aws, place: StateDirectory
) -> None:
    run = crashed_run(place, aws, Phase.BAKING)
    damaged(run)
    ends_soon(run)
    leave = ("finish", "--leave-as-is", "x")
    for command in (("resume",), ("journal", "verify"), ("journal", "replay"), leave):
        shown = called(*command)
        assert shown.code == 7
        assert f"{run.journal}:3: corrupt" in shown.err
    shown = called("status")
    assert shown.code == 7
    assert "not known" in shown.out
    assert called("status", "--json").object["damage"]
    assert aws.config().weight == 50


@pytest.mark.parametrize("journal", ["missing", "empty", "directory"])
def test_a_journal_that_says_nothing_is_never_called_intact(
    aws: Aws, place: StateDirectory, journal: str
) -> None:
    run = crashed_run(place, aws, Phase.BAKING)
    run.journal.unlink()
    if journal == "empty":
        run.journal.touch()
    elif journal == "directory":
        run.journal.mkdir()
    for command in ("verify", "replay", "show"):
        for asked in ((), ("--json",)):
            shown = called("journal", command, run.id, *asked)
            assert shown.code == 7, command
            assert str(run.journal) in shown.err
            assert "intact" not in shown.out


def test_a_replay_doubts_a_plan_that_the_run_did_not_begin_with(
    aws: Aws, place: StateDirectory
) -> None:
    run = crashed_run(place, aws, Phase.BAKING)
    assert called("journal", "replay").code == 0
    text = run.plan.read_text()
    run.plan.write_text(text.replace("weight: 5,", "weight: 6,"))
    assert run.plan.read_text() != text
    shown = called("journal", "replay")
    assert shown.code == 7
    assert f"{run.plan} was changed since the run began" in shown.err


@pytest.mark.parametrize("journal", [b"", b"\0" * 4096, b'{"half":'])
def test_a_journal_without_a_record_never_refuses_a_rollback(
    aws: Aws, place: StateDirectory, journal: bytes
) -> None:
    run = crashed_run(place, aws, Phase.BAKING)
    run.journal.write_bytes(journal)
    assert called("status").code == 7
    assert called("resume").code == 7
    assert called("rollback").code == 3
    assert aws.config().weight == 0


@pytest.mark.parametrize("command", [("finish", "--leave-as-is", "x"), ("resume",)])
def test_a_rollback_that_waits_in_the_run_comes_before_what_anybody_else_says(
    aws: Aws, place: StateDirectory, command: tuple[str, ...]
) -> None:
    run = crashed_run(place, aws, Phase.HOLDING)
    enqueue(run, OperatorCommand(CommandName.ROLLBACK, "ana@bastion", "stop"), SystemClock().now())
    assert called(*command).code == 3
    assert phases(run)[-1] == "ROLLED_BACK"
    assert not aws.config().attached


def test_status_says_which_commands_the_next_process_will_hear(
    aws: Aws, place: StateDirectory
) -> None:
    run = crashed_run(place, aws, Phase.HOLDING)
    assert called("status", "--json").object["waiting"] == []
    enqueue(run, OperatorCommand(CommandName.ROLLBACK, "ana@bastion", "stop"), SystemClock().now())
    assert called("status", "--json").object["waiting"] == ["rollback"]
    assert "rollback said by ana@bastion waits for" in " ".join(called("status").out.split())
    (run.commands / "000-torn.json").write_text("{")
    assert called("status", "--json").object["waiting"] == ["pause", "rollback"]


def test_locks_that_cannot_be_looked_at_may_be_held(aws: Aws, place: StateDirectory) -> None:
    run = crashed_run(place, aws, Phase.BAKING)

    class Blind(RealDisk):
        def list(self, path: Path) -> tuple[str, ...]:
            if path.name == "leases":
                raise PermissionError(13, "Permission denied")
            return super().list(path)

    blind = StateDirectory(place.root, Blind())
    with pytest.raises(LeaseError, match="a process may drive run shop-1"):
        say(blind, run, OperatorCommand(CommandName.PAUSE, "ana@bastion"))
    answer = say(blind, run, OperatorCommand(CommandName.ROLLBACK, "ana@bastion"))
    assert isinstance(answer, Queued), "the lease itself decides, and a rollback is never refused"


def test_a_damaged_journal_never_refuses_a_rollback(aws: Aws, place: StateDirectory) -> None:
    run = crashed_run(place, aws, Phase.BAKING)
    damaged(run)
    assert called("rollback").code == 3
    assert aws.config().weight == 0
    assert (run.path / "journal.damaged-1.jsonl").exists()
    assert called("journal", "verify", run.id).code == 0
    assert claims(place) == []


def test_a_state_directory_that_a_group_can_write_to_refuses_a_resume_and_warns_a_rollback(
    aws: Aws, place: StateDirectory
) -> None:
    run = crashed_run(place, aws, Phase.BAKING)
    place.root.chmod(0o770)
    refused = called("resume", run.id)
    assert refused.code == 7
    assert "can be written by its group" in refused.err
    back = called("rollback", run.id)
    assert back.code == 3, back.err
    assert "warning: " in back.err
    assert "can be written by its group" in back.err
    assert not aws.config().weight


def test_a_journal_that_is_gone_never_refuses_a_rollback(aws: Aws, place: StateDirectory) -> None:
    run = crashed_run(place, aws, Phase.BAKING)
    run.journal.unlink()
    assert called("rollback", run.id).code == 3
    assert aws.config().weight == 0


def test_without_journal_and_snapshot_a_rollback_says_what_works(
    aws: Aws, place: StateDirectory
) -> None:
    run = crashed_run(place, aws, Phase.BAKING)
    run.journal.unlink()
    run.snapshot.unlink()
    shown = called("rollback", run.id)
    assert shown.code == 7
    assert "--no-run" in shown.err


def test_a_changed_plan_stops_resume_but_not_rollback(aws: Aws, place: StateDirectory) -> None:
    run = crashed_run(place, aws, Phase.BAKING)
    ends_soon(run)
    run.plan.write_text(run.plan.read_text().replace("weight: 20", "weight: 21"))
    shown = called("resume")
    assert shown.code == 7
    assert "changed" in shown.err
    assert called("rollback").code == 3


def test_a_real_run_is_never_continued_on_an_emulator(aws: Aws, place: StateDirectory) -> None:
    ends_soon(crashed_run(place, aws, Phase.BAKING, mode="live"))
    for command in ("resume", "rollback"):
        shown = called(command)
        assert shown.code == 7
        assert "never continue each other" in shown.err
    assert aws.config().weight == 50


def test_a_completed_run_can_be_finished_and_then_its_script_does_nothing(
    aws: Aws, place: StateDirectory
) -> None:
    run = crashed_run(place, aws, Phase.COMPLETED)
    assert called("resume").code == 2
    shown = called("finish", "--why", "all is well")
    assert shown.code == 0
    assert "restore.sh is disarmed" in shown.out
    assert "ignore_changes" in shown.out
    assert claims(place) == []
    script = subprocess.run(["sh", run.restore], capture_output=True, text=True, check=False)
    assert script.returncode == 1
    assert aws.config().weight == 50
    assert called("rollback", run.id).code == 2


def test_finish_refuses_drift(aws: Aws, place: StateDirectory) -> None:
    crashed_run(place, aws, Phase.COMPLETED)
    aws.set_weight(70)
    assert called("finish").code == 7


def test_a_completed_run_can_still_be_rolled_back(aws: Aws, place: StateDirectory) -> None:
    crashed_run(place, aws, Phase.COMPLETED)
    assert called("rollback").code == 3
    assert not aws.config().attached


def test_finish_means_nothing_in_the_middle_of_a_run(aws: Aws, place: StateDirectory) -> None:
    ends_soon(crashed_run(place, aws, Phase.BAKING))
    shown = called("finish")
    assert shown.code == 2
    assert "--leave-as-is" in shown.err


def test_a_held_run_can_be_left_as_it_is_with_a_reason(aws: Aws, place: StateDirectory) -> None:
    run = crashed_run(place, aws, Phase.HOLDING)
    assert called("finish", "--leave-as-is", " ").code == 2
    assert called("finish", "--leave-as-is", "EC2 is gone").code == 0
    assert phases(run)[-1] == "ABANDONED"
    assert aws.config().weight == 50


@pytest.mark.parametrize(
    ("phase", "says"),
    [
        (Phase.PREFLIGHT, "it ended before it changed anything"),
        (Phase.BAKING, "nobody watches its gates or keeps its deadlines"),
        (Phase.HOLDING, "nobody watches its gates or keeps its deadlines"),
        (Phase.ROLLING_BACK, "its rollback does not go on by itself"),
    ],
)
@pytest.mark.parametrize("command", ["pause", "approve"])
def test_a_command_that_nobody_hears_says_so_and_leaves_nothing(
    aws: Aws, place: StateDirectory, phase: Phase, says: str, command: str
) -> None:
    run = crashed_run(place, aws, phase)
    before = run.journal.read_bytes()
    said = called(command)
    assert said.code == 7
    assert "no process drives run shop-1, so nothing is" in said.err
    assert says in said.err
    assert said.out == ""
    assert list(run.commands.iterdir()) == []
    assert called(command, "--json").object["exit_code"] == 7
    assert run.journal.read_bytes() == before


@pytest.mark.parametrize("command", ["pause", "approve"])
def test_of_a_dead_run_with_damaged_files_nothing_is_claimed(
    aws: Aws, place: StateDirectory, command: str
) -> None:
    run = crashed_run(place, aws, Phase.BAKING)
    damaged(run)
    said = called(command)
    assert said.code == 7
    assert "its files cannot be believed" in said.err
    assert "changed anything" not in said.err


def test_a_run_that_never_began_offers_no_way_back_that_is_not_there(
    place: StateDirectory, minimal: Path
) -> None:
    place.prepare()
    run = place.create("shop-1", minimal.read_text())
    for command in (["pause"], ["journal", "show"], ["journal", "verify"], ["journal", "export"]):
        said = called(*command, run.id)
        assert said.code == 7
        assert "rollback" not in said.err
        assert "restore.sh" not in said.err


def test_a_hint_never_names_a_command_that_the_phase_refuses(
    aws: Aws, place: StateDirectory
) -> None:
    for phase in (Phase.PREFLIGHT, Phase.ROLLING_BACK):
        run = crashed_run(place, aws, phase, run_id=f"shop-{phase.lower().replace('_', '-')}")
        assert "--leave-as-is" not in called("finish", run.id).err
    assert called("list", "--json").objects[0]["phase"] in ("PREFLIGHT", "ROLLING_BACK")
    assert {one["phase"] for one in called("list", "--json").objects} == {
        "PREFLIGHT",
        "ROLLING_BACK",
    }


@pytest.mark.parametrize("command", ["pause", "approve", "resume"])
def test_a_completed_run_has_nothing_to_pause_or_to_approve(
    aws: Aws, place: StateDirectory, command: str
) -> None:
    run = crashed_run(place, aws, Phase.COMPLETED)
    said = called(command)
    assert said.code == 2
    assert f"run shop-1 is COMPLETED: there is nothing to {command}" in said.err
    assert list(run.commands.iterdir()) == []


def test_an_approval_that_a_dead_run_had_asked_for_waits_for_who_takes_it_up(
    aws: Aws, place: StateDirectory
) -> None:
    run = crashed_run(place, aws, Phase.HOLDING, hold="approval")
    told = called("approve", "--json").object
    assert told["became"] == "waits"
    (file,) = run.commands.iterdir()
    assert json.loads(file.read_text())["id"] == told["id"] != ""
    assert called("status", "--json").object["waiting"] == ["approve"]


@pytest.mark.parametrize("phase", [Phase.COMPLETED, Phase.BAKING, Phase.HOLDING])
def test_a_run_that_nobody_drives_never_looks_again(
    aws: Aws, place: StateDirectory, phase: Phase
) -> None:
    run = crashed_run(place, aws, phase)
    look = {"pid": 1, "last": "2026-03-02T12:00:00.000Z", "next": "2026-03-02T12:00:15.000Z"}
    run.view.write_text(json.dumps(look))
    shown = " ".join(called("status").out.split())
    assert "looks again" not in shown
    assert "12:00:15" not in shown
    assert "the last look was at 2026-03-02T12:00:00.000Z" in shown
    if phase is Phase.COMPLETED:
        assert "the run rests until somebody gives a command to it" in shown
        assert "nobody watches" not in shown
    told = called("status", "--json").object
    assert told["advance_in_ms"] is None
    assert told["hold"] is None or told["hold"]["then"] is None
    lease = locked(place, aws, run.id)
    try:
        hangs = " ".join(called("status").out.split())
        soon = wall_text(SystemClock().now().plus(60_000).wall)
        run.view.write_text(json.dumps({**look, "next": soon}))
        works = " ".join(called("status").out.split())
    finally:
        lease.close()
    assert "should have looked again at 2026-03-02T12:00:15.000Z and has not" in hangs
    assert f"looks again {soon}" in works


def test_a_process_that_does_not_hear_is_named_and_the_command_stays(
    aws: Aws, place: StateDirectory
) -> None:
    run = crashed_run(place, aws, Phase.BAKING)
    lease = locked(place, aws, run.id)
    command = OperatorCommand(CommandName.ROLLBACK, "ana@bastion")
    try:
        answer = say(place, run, command, within_ms=1)
    finally:
        lease.close()
    assert isinstance(answer, NoReply)
    assert answer.by.run == run.id
    assert len(list(run.commands.iterdir())) == 1


def test_commands_to_a_run_that_is_over_are_usage_errors(aws: Aws, place: StateDirectory) -> None:
    crashed_run(place, aws, Phase.PREFLIGHT)
    assert called("rollback").code == 7
    for command in ("pause", "approve", "resume", "finish"):
        assert called(command, "shop-1").code == 2


def test_rollback_of_a_run_that_wrote_nothing_ends_it_as_refused(
    aws: Aws, place: StateDirectory
) -> None:
    run = crashed_run(place, aws, Phase.PREFLIGHT)
    assert called("rollback", "shop-1").code == 7
    assert phases(run) == ["REFUSED"]


def test_break_glass_needs_no_run_and_reads_back_twice(
    plan: Path, aws: Aws, place: StateDirectory
) -> None:
    aws.set_weight(300)
    shown = called("rollback", "--plan", plan, "--no-run", "--json")
    assert shown.code == 3
    assert list(shown.object["restored"]) == [aws.listener]
    assert aws.config().weight == 0
    assert not place.root.exists()


def test_break_glass_and_a_run_exclude_each_other(plan: Path) -> None:
    assert called("rollback", "shop-1", "--plan", plan, "--no-run").code == 2
    assert called("rollback", "--no-run").code == 2
    assert called("rollback", "--plan", plan).code == 2


def test_status_and_list_tell_phase_weight_and_that_nobody_drives(
    aws: Aws, place: StateDirectory
) -> None:
    crashed_run(place, aws, Phase.BAKING)
    shown = called("status", "sho")
    assert shown.code == 0
    assert "BAKING at 5 %" in shown.out
    assert "nobody watches" in shown.out
    found = called("status", "--json").object
    assert (found["run"], found["phase"], found["weight_percent"]) == ("shop-1", "BAKING", 5)
    assert not found["alive"]
    assert called("list", "--json").object["phase"] == "BAKING"
    assert "shop-1" in called("list").out


def test_status_without_a_live_run_says_so_and_is_no_error() -> None:
    assert "no live run" in called("status").out
    assert called("status", "--json").object["run"] is None
    assert called("list").code == 0


def test_a_journal_is_shown_verified_exported_and_replayed(
    aws: Aws, place: StateDirectory
) -> None:
    run = crashed_run(place, aws, Phase.BAKING)
    count = len(run.journal.read_text().splitlines())
    assert "raised to 5 %" in called("journal", "show").out
    assert len(called("journal", "show", "--json").objects) == count
    assert len(called("journal", "show", "--all").out.splitlines()) == count
    assert called("journal", "export").out == run.journal.read_text()
    assert called("journal", "verify", "--json").object["records"] == count
    replayed = called("journal", "replay", "--json").object
    assert replayed["phase"] == "BAKING"
    assert replayed["doubts"] == []


def test_a_replay_doubts_a_pass_that_its_minutes_do_not_show(
    aws: Aws, place: StateDirectory
) -> None:
    run = crashed_run(place, aws, Phase.BAKING)
    comparison = plan_of_text(run.plan.read_text()).plan.comparisons[0].id
    journal = FileJournal.open_existing(run, restore_text=restore_text_of("1", "r", run.id))
    verdict = records.gate_judged("errors", comparison, "PASS", "trust me", 1)
    assert isinstance(journal.append(verdict, SystemClock().now()), Known)
    journal.close()
    shown = called("journal", "replay", "--json")
    assert shown.code == 7
    assert "errors says PASS" in shown.object["doubts"][0]


def test_a_run_is_named_by_a_unique_prefix_or_refused_with_the_candidates(
    aws: Aws, place: StateDirectory
) -> None:
    crashed_run(place, aws, Phase.BAKING, run_id="shop-1")
    crashed_run(place, aws, Phase.BAKING, run_id="shop-2")
    shown = called("status", "shop")
    assert shown.code == 2
    assert "shop-1" in shown.err
    assert "shop-2" in shown.err


def test_the_source_is_not_detached_while_it_has_traffic(aws: Aws, place: StateDirectory) -> None:
    run = crashed_run(place, aws, Phase.COMPLETED)
    assert called("finish", "--detach-source").code == 7
    assert phases(run)[-1] == "COMPLETED"
    assert called("finish", "--detach-source", "--leave-as-is", "x").code == 2


def test_a_rollback_that_cannot_have_the_lease_stays_for_whoever_gets_it(
    aws: Aws, place: StateDirectory
) -> None:
    run = crashed_run(place, aws, Phase.BAKING)
    starting = locked(place, aws, "not-yet-known")
    try:
        refused = called("rollback", run.id, "--why", "customers see errors")
    finally:
        starting.close()
    for claim in place.leases.glob("*.claim"):
        claim.unlink()
    assert refused.code == 6
    assert "the rollback stays" in refused.err
    assert len(list(run.commands.iterdir())) == 1
    assert called("resume", run.id).code == 3
    assert phases(run)[-1] == "ROLLED_BACK"
    assert not aws.config().attached
    assert list(run.commands.iterdir()) == []


def test_a_rollback_that_a_process_heard_and_died_of_is_done_by_who_said_it(
    aws: Aws, place: StateDirectory
) -> None:
    run, clock = crashed_run(place, aws, Phase.BAKING), SystemClock()
    lease = locked(place, aws, run.id)

    def dies() -> None:
        (command,) = LocalInbox(run, clock).wait(clock.now().plus(60_000))
        text = restore_text_of("1", "r", run.id)
        journal = FileJournal.open_existing(run, restore_text=text)
        journal.append(
            CommandGiven(command.name, command.who, command.why, command.source, id=command.id),
            clock.now(),
        )
        journal.close()
        lease.close()

    process = threading.Thread(target=dies)
    process.start()
    shown = called("rollback", run.id)
    process.join(60)
    assert shown.code == 3
    assert not aws.config().attached
    assert phases(run)[-1] == "ROLLED_BACK"


def test_a_rollback_that_is_refused_leaves_no_command_behind(
    aws: Aws, place: StateDirectory
) -> None:
    run = crashed_run(place, aws, Phase.BAKING, mode="live")
    assert called("rollback").code == 7
    assert list(run.commands.iterdir()) == []


def test_a_rollback_is_journalled_once_and_its_command_is_gone(
    aws: Aws, place: StateDirectory
) -> None:
    run = crashed_run(place, aws, Phase.BAKING)
    assert called("rollback", "--why", "enough").code == 3
    assert list(run.commands.iterdir()) == []
    said = [json.loads(line) for line in run.journal.read_text().splitlines()]
    assert [one["command"] for one in said if one["type"] == "command"] == ["rollback"]


def test_a_rollback_that_the_same_person_said_elsewhere_is_journalled_with_its_own_id(
    aws: Aws, place: StateDirectory
) -> None:
    run = crashed_run(place, aws, Phase.BAKING)
    other = OperatorCommand(CommandName.ROLLBACK, operator(), "enough", id="fedcba9876543210")
    enqueue(run, other, SystemClock().now())
    assert called("rollback", "--why", "enough").code == 3
    assert list(run.commands.iterdir()) == []
    said = [json.loads(line) for line in run.journal.read_text().splitlines()]
    ids = [one["id"] for one in said if one["type"] == "command"]
    assert len(set(ids)) == 2
    assert ids[1] == other.id, "who said it there waits for the record of this one"


def test_the_process_that_leaves_a_run_as_it_is_disarms_its_script_itself(
    aws: Aws, place: StateDirectory
) -> None:
    run = crashed_run(place, aws, Phase.HOLDING)
    assert is_armed(run)
    api.go_on(run, OperatorCommand(CommandName.LEAVE, "ana@bastion", "EC2 is gone"), Options())
    assert phases(run)[-1] == "ABANDONED"
    assert not is_armed(run)


def test_finish_said_again_disarms_a_script_that_a_killed_process_left_armed(
    aws: Aws, place: StateDirectory
) -> None:
    run = crashed_run(place, aws, Phase.HOLDING)
    armed = run.restore.read_bytes()
    assert called("finish", run.id, "--leave-as-is", "EC2 is gone").code == 0
    run.restore.write_bytes(armed)
    again = called("finish", run.id)
    assert again.code == 2
    assert "restore.sh is disarmed" in again.out + again.err
    assert not is_armed(run)
    assert "disarmed" not in called("finish", run.id).out


def test_a_second_rollback_of_a_damaged_run_leaves_the_first_ones_journal_where_it_is(
    aws: Aws, place: StateDirectory
) -> None:
    run = crashed_run(place, aws, Phase.BAKING)
    damaged(run)
    first: list[int] = []

    class Meanwhile(RealDisk):
        """Somebody else rolls the run back after this process has read its journal."""

        def read(self, path: Path, limit: int | None = None, *, own: bool = False) -> bytes:
            if path == run.snapshot and not first:
                first.append(called("rollback", run.id).code)
            return super().read(path, limit, own=own)

    second = RunDirectory(run.path, Meanwhile())
    with pytest.raises(UsageError, match="has ended: ROLLED_BACK"):
        api.go_on(second, OperatorCommand(CommandName.ROLLBACK, "ana@bastion"), Options())
    assert first == [3]
    assert [path.name for path in run.path.glob("journal.damaged-*")] == [
        "journal.damaged-1.jsonl"
    ]
    assert called("journal", "verify", run.id).code == 0


class Counting(RealDisk):
    """Knows how often each file was read whole."""

    def __init__(self) -> None:
        self.whole: list[Path] = []

    def read(self, path: Path, limit: int | None = None, *, own: bool = False) -> bytes:
        if limit is None:
            self.whole.append(path)
        return super().read(path, limit, own=own)


def test_a_process_that_rolls_a_run_back_reads_its_journal_once(
    aws: Aws, place: StateDirectory
) -> None:
    disk = Counting()
    run = RunDirectory(crashed_run(place, aws, Phase.BAKING).path, disk)
    command = OperatorCommand(CommandName.ROLLBACK, "ana@bastion", "enough")
    left = say(place, run, command)
    assert isinstance(left, Queued)
    api.go_on(run, command, Options())
    assert disk.whole.count(run.journal) == 1
    assert not aws.config().attached


def test_a_journal_that_somebody_wrote_to_meanwhile_is_read_again(
    aws: Aws, place: StateDirectory
) -> None:
    run = crashed_run(place, aws, Phase.BAKING)

    class Meanwhile(Counting):
        """Another process goes back, and dies, after this one has read the journal."""

        def read(self, path: Path, limit: int | None = None, *, own: bool = False) -> bytes:
            found = super().read(path, limit, own=own)
            if path == run.plan and self.whole.count(run.plan) == 1:
                text = restore_text_of("1", "eu-west-1", run.id)
                other = FileJournal.open_existing(run, restore_text=text)
                now = SystemClock().now()
                other.append(records.phase_changed("BAKING", "ROLLING_BACK", "enough", 0), now)
                other.close()
            return found

    disk = Meanwhile()
    command = OperatorCommand(CommandName.RESUME, "ana@bastion")
    ended = api.go_on(RunDirectory(run.path, disk), command, Options())
    assert disk.whole.count(run.journal) == 2
    assert ended.state.phase is Phase.ROLLED_BACK
    assert phases(run)[-2:] == ["ROLLING_BACK", "ROLLED_BACK"]


@pytest.mark.parametrize("command", [["rollback"], ["finish", "--leave-as-is", "x"]])
def test_a_process_leaves_the_view_of_the_run_that_it_ends(
    aws: Aws, place: StateDirectory, command: list[str]
) -> None:
    run = crashed_run(place, aws, Phase.HOLDING)
    called(*command)
    shown = called("status", run.id, "--json"), called("list", "--json")
    assert api.shown_run(run) is not None
    run.view.unlink()
    assert [one.out for one in shown] == [
        called("status", run.id, "--json").out,
        called("list", "--json").out,
    ]
