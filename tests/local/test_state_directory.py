"""Where runs live, who may be there, and how a person names one."""

from __future__ import annotations

import errno
import grp
import os
import pwd
import subprocess
from pathlib import Path

import pytest

from cutover.core.errors import ExitCode, NeedsHumanError, RefusedError, UsageError
from cutover.core.journal import events
from cutover.local.journal import FileJournal
from cutover.local.run_directory import RunDirectory, is_run_id, last_phase, new_run_id
from cutover.local.snapshot_file import disarm_restore, read_snapshot
from cutover.local.state_directory import StateDirectory, filesystem_of
from tests import records
from tests.local.samples import AT, EVERY_TYPE, OPEN, PREFLIGHT, SNAPSHOT, journal_of, restore_text
from tests.local.sim_disk import SimDisk


@pytest.fixture
def state(tmp_path: Path) -> StateDirectory:
    found = StateDirectory(tmp_path / "state")
    found.prepare()
    return found


def in_phase(state: StateDirectory, run_id: str, phase: str) -> RunDirectory:
    run = state.create(run_id, "version: 1\n")
    change = records.phase_changed("BAKING", phase, "", 0)
    run.journal.write_bytes(journal_of((OPEN, SNAPSHOT, PREFLIGHT, change), run=run_id))
    return run


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"CUTOVER_STATE_DIR": "/a/b", "XDG_STATE_HOME": "/x", "HOME": "/h"}, "/a/b"),
        ({"XDG_STATE_HOME": "/x", "HOME": "/h"}, "/x/cutover"),
        ({"XDG_STATE_HOME": "relative", "HOME": "/h"}, "/h/.local/state/cutover"),
        ({"CUTOVER_STATE_DIR": "", "HOME": "/h"}, "/h/.local/state/cutover"),
    ],
)
def test_the_state_directory_is_the_first_that_the_environment_names(
    environment: dict[str, str], expected: str
) -> None:
    assert StateDirectory.find(environment).root == Path(expected)


def test_without_any_home_it_says_what_to_set() -> None:
    with pytest.raises(UsageError, match="CUTOVER_STATE_DIR"):
        StateDirectory.find({})


def test_a_run_directory_and_all_above_it_are_private(state: StateDirectory) -> None:
    run = state.create("shop-1", "version: 1\n")
    for path in (state.root, state.leases, run.path.parent, run.path, run.commands):
        assert path.stat().st_mode & 0o777 == 0o700
    assert run.plan.read_text() == "version: 1\n"
    assert run.plan.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("part", ["state", "state/runs", "state/leases"])
@pytest.mark.parametrize(("mode", "who"), [(0o777, "everybody"), (0o770, "its group")])
def test_a_directory_that_others_can_write_to_is_refused(
    tmp_path: Path, part: str, mode: int, who: str
) -> None:
    StateDirectory(tmp_path / "state").prepare()
    (tmp_path / part).chmod(mode)
    with pytest.raises(RefusedError, match=f"can be written by {who}") as caught:
        StateDirectory(tmp_path / "state").prepare()
    assert caught.value.hint == f"chmod 700 {tmp_path / part}"


@pytest.mark.parametrize("mode", [0o777, 0o775])
@pytest.mark.parametrize("linked", [False, True])
def test_a_directory_above_in_which_ours_could_be_swapped_is_refused(
    tmp_path: Path, mode: int, linked: bool
) -> None:
    above = tmp_path / "shared"
    (above / "deep").mkdir(parents=True)
    root = above / "deep" / "state"
    if linked:
        (tmp_path / "link").symlink_to(above / "deep")
        root = tmp_path / "link" / "state"
    StateDirectory(root).prepare()
    above.chmod(mode)
    if os.geteuid() == 0:
        os.chown(above, -1, 12_345)
    elif mode == 0o775:
        pytest.skip("only root can give a directory to a group that it is not in")
    with pytest.raises(RefusedError, match="in the place of") as caught:
        StateDirectory(root).prepare()
    assert f"chmod go-w {above}" in caught.value.hint
    above.chmod(mode | 0o1000)
    StateDirectory(root).prepare()  # a sticky bit lets nobody rename what is not theirs


def test_a_directory_above_that_only_the_users_own_group_can_write_to_is_no_doubt(
    tmp_path: Path,
) -> None:
    user = pwd.getpwuid(os.geteuid())
    if grp.getgrgid(user.pw_gid).gr_name != user.pw_name:
        pytest.skip("a machine whose users have no private groups")
    (tmp_path / "mine").mkdir()
    os.chown(tmp_path / "mine", -1, user.pw_gid)
    (tmp_path / "mine").chmod(0o775)
    StateDirectory(tmp_path / "mine" / "state").prepare()
    assert (tmp_path / "mine" / "state" / "runs").is_dir()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a directory away")
def test_a_directory_above_of_another_user_is_refused(tmp_path: Path) -> None:
    (tmp_path / "theirs").mkdir()
    os.chown(tmp_path / "theirs", 12_345, -1)
    with pytest.raises(RefusedError, match="belongs to user 12345, who could put"):
        StateDirectory(tmp_path / "theirs" / "state").prepare()


def test_for_a_rollback_what_is_wrong_with_the_place_is_told_and_refuses_nothing(
    tmp_path: Path,
) -> None:
    state = StateDirectory(tmp_path / "state")
    assert state.prepare_for_rollback() == ()
    (tmp_path / "state").chmod(0o770)
    (tmp_path / "state" / "leases").chmod(0o777)
    told = [str(doubt) for doubt in state.prepare_for_rollback()]
    assert told == [
        f"{tmp_path / 'state'} can be written by its group",
        f"{tmp_path / 'state' / 'leases'} can be written by everybody on this machine",
    ]
    (tmp_path / "file").touch()
    (told_of_a_file, *_) = StateDirectory(tmp_path / "file" / "state").prepare_for_rollback()
    assert "Not a directory" in str(told_of_a_file)


def test_a_link_in_the_place_of_a_directory_is_refused(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "state").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(RefusedError, match="is a link"):
        StateDirectory(tmp_path / "state").prepare()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a directory away")
def test_a_directory_of_another_user_is_refused(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    os.chown(tmp_path / "state", 12_345, -1)
    with pytest.raises(RefusedError, match="belongs to user 12345"):
        StateDirectory(tmp_path / "state").prepare()


def test_a_file_in_the_place_of_the_directory_is_a_usage_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="Not a directory"):
        StateDirectory(tmp_path / "file" / "state").prepare()


def test_the_innermost_and_latest_mount_says_the_file_system(tmp_path: Path) -> None:
    mounts = "\n".join(  # noqa: FLY002  a table
        [
            "/dev/sda / ext4 rw 0 0",
            "filer:/x /mnt nfs4 rw 0 0",
            "//win/y /mnt/with\\040space cifs rw 0 0",
            "tmpfs /mnt/local tmpfs rw 0 0",
            "tmpfs /over tmpfs rw 0 0",
            "filer:/z /over nfs rw 0 0",
            "garbage",
        ]
    )
    assert filesystem_of(Path("/home/ops"), mounts) == "ext4"
    assert filesystem_of(Path("/mnt/state"), mounts) == "nfs4"
    assert filesystem_of(Path("/mnt/with space/state"), mounts) == "cifs"
    assert filesystem_of(Path("/mnt/local/state"), mounts) == "tmpfs"
    assert filesystem_of(Path("/mntother"), mounts) == "ext4"
    assert filesystem_of(Path("/over/state"), mounts) == "nfs", "a later mount covers an earlier"
    assert filesystem_of(Path("/"), "") == ""


def test_a_generated_id_names_plan_and_second_and_can_be_a_directory() -> None:
    run_id = new_run_id("Checkout / \u00dcber", AT)
    assert run_id.startswith("checkout-ber-20261120-120000-")
    assert len(run_id) == len("checkout-ber-20261120-120000-") + 4
    assert new_run_id("Checkout", AT) != new_run_id("Checkout", AT.plus(1))
    assert new_run_id("///", AT).startswith("run-2026")


def test_the_id_of_a_rehearsal_says_its_scenario_whatever_the_plan_is_called() -> None:
    run_id = new_run_id("c" * 90, AT, of="nobody-to-compare-with-threshold")
    assert "-nobody-to-compare-with-threshold-2026" in run_id
    assert is_run_id(run_id)
    assert is_run_id(new_run_id("c" * 90, AT, of="\u00dc/" * 90))
    assert is_run_id(new_run_id("checkout", AT, of="///"))


@pytest.mark.parametrize(
    "bad", ["", ".", "..", "../x", "a/b", "UPPER", "a b", "-a", "a-", "a\n", "a" * 101, "a\0"]
)
def test_an_id_that_could_leave_the_directory_is_refused(state: StateDirectory, bad: str) -> None:
    with pytest.raises(UsageError, match="cannot be a run id"):
        state.create(bad, "")


def test_an_id_is_used_once(state: StateDirectory) -> None:
    state.create("shop-1", "")
    with pytest.raises(UsageError, match="run shop-1 exists already"):
        state.create("shop-1", "")


def test_a_run_is_named_by_id_by_unique_prefix_or_by_being_the_only_live_one(
    state: StateDirectory,
) -> None:
    for run_id, phase in (
        ("shop-1", "ROLLED_BACK"),
        ("shop-12", "HOLDING"),
        ("cart-1", "FINISHED"),
    ):
        in_phase(state, run_id, phase)
    assert state.resolve("shop-1").id == "shop-1"
    assert state.resolve("shop-12").id == "shop-12"
    assert state.resolve("c").id == "cart-1"
    assert state.resolve(None).id == "shop-12"


@pytest.mark.parametrize("phase", ["COMPLETED", "NEEDS_HUMAN", "BAKING", "ROLLING_BACK"])
def test_a_resting_run_still_counts_as_live(state: StateDirectory, phase: str) -> None:
    in_phase(state, "shop-1", phase)
    assert state.resolve(None).id == "shop-1"


def test_an_ambiguous_or_unknown_name_lists_the_candidates(state: StateDirectory) -> None:
    with pytest.raises(UsageError, match="there is no live run") as nothing:
        state.resolve(None)
    assert nothing.value.hint == "`cutover run PLAN` starts one"
    in_phase(state, "shop-1", "HOLDING")
    in_phase(state, "shop-2", "BAKING")
    for text in (None, "shop"):
        with pytest.raises(UsageError, match=r"2 (live runs|runs whose ids begin)") as caught:
            state.resolve(text)
        assert "shop-1 (HOLDING), shop-2 (BAKING)" in caught.value.hint
        assert caught.value.exit_code is ExitCode.USAGE
    with pytest.raises(UsageError, match=r"no run '\.\./x'"):
        state.resolve("../x")


def test_of_several_rehearsals_the_newest_is_meant_and_of_several_runs_none(
    state: StateDirectory,
) -> None:
    for name in ("shop-b-20260301-120000-0000", "shop-a-20260302-120000-0000"):
        state.create(name, "", rehearsal=True)
    assert state.resolve("shop").id == "shop-a-20260302-120000-0000"
    assert state.resolve("shop-b").id == "shop-b-20260301-120000-0000"
    state.create("shop-1", "")
    assert state.resolve("shop").id == "shop-1", "a run comes before every rehearsal"
    state.create("shop-2", "")
    with pytest.raises(UsageError, match="2 runs whose ids begin with"):
        state.resolve("shop")


def test_a_rehearsal_is_found_by_name_and_never_by_being_alone(state: StateDirectory) -> None:
    run = state.create("trial-1", "", rehearsal=True)
    assert state.resolve("trial").path == run.path
    assert state.list_runs(rehearsals=True) == (run,)
    with pytest.raises(UsageError, match="no live run"):
        state.resolve(None)


def test_a_run_whose_journal_cannot_be_read_counts_as_live(state: StateDirectory) -> None:
    run = state.create("shop-1", "")
    run.journal.mkdir()
    assert state.resolve(None).id == "shop-1"


def test_what_is_no_run_is_not_listed(state: StateDirectory) -> None:
    (state.root / "runs" / "notes.txt").touch()
    (state.root / "runs" / "file").touch()
    (state.root / "runs" / "Upper").mkdir()
    assert state.list_runs() == ()


def test_runs_that_cannot_be_listed_are_never_no_runs() -> None:
    disk = SimDisk()
    state = StateDirectory(Path("/state"), disk)
    assert state.list_runs() == (), "nothing ran here yet"
    disk.fail("list", errno.EACCES)
    with pytest.raises(UsageError, match="/state/runs cannot be read, so nobody knows which runs"):
        state.resolve(None)


@pytest.mark.parametrize(
    ("trouble", "mend"), [(errno.ENOSPC, "free space"), (errno.EROFS, "make /state/runs writable")]
)
def test_a_run_that_cannot_be_created_says_how_to_mend_it(trouble: int, mend: str) -> None:
    disk = SimDisk()
    state = StateDirectory(Path("/state"), disk)
    disk.make_directories(state.root / "runs")
    disk.fail("make_directory", trouble)
    with pytest.raises(UsageError) as caught:
        state.create("shop-1", "")
    assert caught.value.hint.startswith(mend)


def test_a_run_that_was_ended_before_its_first_record_is_in_nobodys_way(
    state: StateDirectory,
) -> None:
    state.create("shop-0", "")
    torn = state.create("shop-2", "")
    torn.journal.write_bytes(journal_of((OPEN,))[:-9])
    in_phase(state, "shop-1", "BAKING")
    assert state.resolve(None).id == "shop-1"
    kept = state.create("shop-3", "")
    kept.snapshot.touch()
    with pytest.raises(UsageError, match="2 live runs"):
        state.resolve(None)


def test_a_run_that_the_disk_does_not_take_leaves_nothing_behind() -> None:
    disk = SimDisk()
    state = StateDirectory(Path("/state"), disk)
    disk.make_directories(state.root / "runs")
    disk.fail("write", errno.ENOSPC)
    with pytest.raises(UsageError, match="No space left"):
        state.create("shop-1", "version: 1")
    assert state.list_runs() == ()


def test_the_last_phase_is_the_last_whole_phase_record() -> None:
    data = journal_of(
        (OPEN, PREFLIGHT, records.note('"type":"phase"'), events.Observed("x", {"type": "phase"}))
    )
    assert last_phase(data) == "PREFLIGHT"
    assert (
        last_phase(data + journal_of((records.phase_changed("a", "FINISHED", "", 0),))[:-1])
        == "PREFLIGHT"
    )
    assert last_phase(b"") == ""
    assert last_phase(b'not json "type":"phase"\n') == ""


def test_the_snapshot_is_readable_when_the_journal_is_not(state: StateDirectory) -> None:
    run = state.create("shop-1", "")
    assert read_snapshot(run) is None
    journal = FileJournal.open_new(run, restore_text=restore_text)
    journal.append(OPEN, AT)
    journal.append(SNAPSHOT, AT)
    journal.keep_snapshot(SNAPSHOT, [])
    journal.close()
    for damage in (b"graffiti\n", b""):
        run.journal.write_bytes(damage)
        kept = read_snapshot(run)
        assert kept is not None
        assert (kept.snapshot, kept.opened) == (SNAPSHOT, OPEN)


def test_a_changed_snapshot_gives_way_to_the_journal_and_without_one_to_a_human(
    state: StateDirectory,
) -> None:
    run = state.create("shop-1", "")
    run.journal.write_bytes(journal_of(EVERY_TYPE))
    for wrong in ("{}", "null", "{", '{"hash": 1}', "\x00"):
        run.snapshot.write_text(wrong)
        kept = read_snapshot(run)
        assert kept is not None
        assert kept.snapshot == SNAPSHOT
    run.journal.write_bytes(journal_of((OPEN,)))
    run.snapshot.unlink()
    assert read_snapshot(run) is None, "an intact journal without a snapshot: nothing was changed"
    run.journal.write_bytes(journal_of((OPEN,)) + b"graffiti\n")
    with pytest.raises(NeedsHumanError, match="missing, and the journal is damaged at line 2"):
        read_snapshot(run)
    run.snapshot.touch()
    with pytest.raises(NeedsHumanError, match="not a snapshot") as caught:
        read_snapshot(run)
    assert str(run.restore) in caught.value.hint


def test_an_edited_weight_in_the_snapshot_is_not_believed(state: StateDirectory) -> None:
    run = state.create("shop-1", "")
    journal = FileJournal.open_new(run, restore_text=restore_text)
    journal.keep_snapshot(SNAPSHOT, [])
    journal.close()
    run.snapshot.write_text(run.snapshot.read_text().replace('"weight": 0', '"weight": 9'))
    with pytest.raises(NeedsHumanError, match="changed, or belongs to another run"):
        read_snapshot(run)


def test_the_snapshot_of_another_run_is_not_believed(state: StateDirectory) -> None:
    for run_id in ("shop-1", "shop-2"):
        FileJournal.open_new(state.create(run_id, ""), restore_text=restore_text).keep_snapshot(
            SNAPSHOT, []
        )
    first, second = state.resolve("shop-1"), state.resolve("shop-2")
    second.snapshot.write_bytes(first.snapshot.read_bytes())
    with pytest.raises(NeedsHumanError, match="belongs to another run"):
        read_snapshot(second)


def test_a_disarmed_restore_script_does_nothing_but_say_so(state: StateDirectory) -> None:
    run = state.create("shop-1", "")
    disarm_restore(run, "never written")
    journal = FileJournal.open_new(run, restore_text=restore_text)
    journal.keep_snapshot(SNAPSHOT, [])
    for _ in range(2):
        disarm_restore(run, "it's finished\n`reboot`")
    done = subprocess.run([run.restore], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "This script is disarmed: it?s finished??reboot?. Nothing was done.\n"
    assert "echo restored" in run.restore.read_text(), "the commands can still be read"


@pytest.mark.parametrize(
    ("said", "nothing"),
    [
        ((OPEN, PREFLIGHT), True),
        ((OPEN, PREFLIGHT, SNAPSHOT), False),
        ((OPEN, PREFLIGHT, EVERY_TYPE[5]), False),
    ],
)
def test_a_run_that_died_in_preflight_wrote_nothing(
    state: StateDirectory, said: tuple[events.Event, ...], nothing: bool
) -> None:
    run = state.create("shop-1", "")
    assert run.wrote_nothing()
    run.journal.write_bytes(journal_of(said))
    assert run.wrote_nothing() is nothing
    run.journal.write_bytes(journal_of(said) + b"graffiti\n")
    assert not run.wrote_nothing(), "a damaged journal may have said more"
