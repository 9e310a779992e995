from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from cutover.aws.restore import rehearsed_script, restore_script

LINES = (
    'aws elbv2 modify-rule --rule-arn arn:one --actions \'[{"a":"it\'"\'"\'s"}]\' --region eu-west-1',
    "aws elbv2 modify-listener --listener-arn arn:two --default-actions '[]' --region eu-west-1",
)
CLI = """#!/bin/sh
if [ "$1" = sts ]; then [ -n "$CALLER" ] && echo "$CALLER" && exit 0; exit 255; fi
echo "$AWS_REGION $*" >> "$LOG"
case "$*" in *"$BROKEN"*) exit 254;; esac
"""


def run(
    tmp_path: Path, script: str, caller: str = "111122223333", broken: str = "nothing"
) -> tuple[int, str, list[str]]:
    """Run the script with a command line interface that only writes down what it was asked."""
    cli, log = tmp_path / "aws", tmp_path / "log"
    cli.write_text(CLI)
    cli.chmod(0o755)
    log.write_text("")
    env = {
        "PATH": f"{tmp_path}:{os.environ['PATH']}",
        "CALLER": caller,
        "LOG": str(log),
        "BROKEN": broken,
    }
    done = subprocess.run(
        ["/bin/sh", "-c", script],
        env=env,
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    return done.returncode, done.stderr, log.read_text().splitlines()


def script(**more: str) -> str:
    return restore_script(LINES, "111122223333", "eu-west-1", "checkout-1", **more)


def test_it_runs_every_line_in_the_region_and_says_so(tmp_path: Path) -> None:
    code, said, asked = run(tmp_path, script())
    assert code == 0
    assert [line.split()[:4] for line in asked] == [
        ["eu-west-1", "elbv2", "modify-rule", "--rule-arn"],
        ["eu-west-1", "elbv2", "modify-listener", "--listener-arn"],
    ]
    assert "account 111122223333, Region eu-west-1" in said
    assert "[1/2] arn:one" in said
    assert "all 2 route(s) restored" in said
    assert '[{"a":"it\'s"}]' in asked[0]


@pytest.mark.parametrize("broken", ["arn:one", "arn:two"])
def test_it_goes_on_after_a_line_that_fails_and_ends_with_an_error(
    tmp_path: Path, broken: str
) -> None:
    code, said, asked = run(tmp_path, script(), broken=broken)
    assert code == 1
    assert len(asked) == 2
    assert "1 of 2 route(s) were NOT restored" in said


def test_it_refuses_another_account_before_any_change(tmp_path: Path) -> None:
    code, said, asked = run(tmp_path, script(), caller="999988887777")
    assert (code, asked) == (1, [])
    assert "999988887777" in said


def test_it_goes_on_when_the_account_cannot_be_read(tmp_path: Path) -> None:
    code, said, asked = run(tmp_path, script(), caller="")
    assert code == 0
    assert len(asked) == 2
    assert "warning" in said


def test_a_disarmed_script_only_says_why(tmp_path: Path) -> None:
    code, said, asked = run(tmp_path, script(disarmed="finished on 2026-03-02 by `rm -rf $HOME`"))
    assert (code, asked) == (1, [])
    assert "not armed. finished on 2026-03-02 by ?rm -rf ?HOME?" in said
    first = next(line for line in script(disarmed="x").splitlines() if not line.startswith("#"))
    assert first.endswith("exit 1")


def test_a_script_without_routes_restores_nothing_and_succeeds(tmp_path: Path) -> None:
    assert run(tmp_path, restore_script((), "111122223333", "eu-west-1", "r"))[0] == 0


def test_the_script_of_a_rehearsal_refuses_and_shows_its_lines_as_comments(tmp_path: Path) -> None:
    script = rehearsed_script(
        (*LINES, "aws elbv2 modify-rule\naws elbv2 delete-rule"), "checkout-1"
    )
    code, said, asked = run(tmp_path, script)
    assert (code, asked) == (1, [])
    assert "run checkout-1 was a rehearsal" in said
    assert "Nothing was moved" in said
    assert [line for line in script.splitlines() if "aws elbv2" in line] == [
        *(f"# {line}" for line in LINES),
        "# aws elbv2 modify-rule",
        "# aws elbv2 delete-rule",
    ]
