"""Every planted edit still fits the source, a hunt finds what it should, and nothing trivial counts as found."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.planted.bug import DoesNotApplyError, Edit, Planted, edited, path_in
from tests.planted.bugs import PLANTED
from tests.planted.copied import ROOT, Ran
from tests.planted.hunt import Kept, Outcome, hunted
from tests.planted.hunters import HUNTERS, Hunted, Hunter, Verdict, first_red
from tests.planted.table import BEGIN, END, failed, markdown, summary, write

BY_ID = {bug.id: bug for bug in PLANTED}


@pytest.mark.parametrize("bug", PLANTED, ids=lambda bug: bug.id)
def test_a_planted_edit_still_fits_the_source(bug: Planted) -> None:
    changed: dict[Path, str] = {}
    for edit in bug.edits:
        path = path_in(ROOT, edit)
        source = changed.get(path, path.read_text(encoding="utf-8"))
        changed[path] = edited(source, edit)
    assert changed
    assert all(text != path.read_text(encoding="utf-8") for path, text in changed.items())


@pytest.mark.parametrize("bug", PLANTED, ids=lambda bug: bug.id)
def test_the_tests_near_a_planted_bug_are_there(bug: Planted) -> None:
    assert bug.near
    assert [one for one in bug.near if not (ROOT / one).exists()] == []


def test_each_planted_bug_has_a_name_of_its_own() -> None:
    assert len(BY_ID) == len(PLANTED) >= 28


SOURCE = """\
LIMIT = 2


class Lease:
    def ends(self) -> int:
        # one limit
        return LIMIT + LIMIT
"""


@pytest.mark.parametrize(
    ("symbol", "old", "new", "said"),
    [
        ("m:Lease.begins", "LIMIT", "1", "no such symbol"),
        ("m:Lease.ends", "LIMIT", "1", "stands 2 times"),
        ("m:Lease.ends", "limits", "1", "stands 0 times"),
        ("m:LIMIT", "= 2", "= (", "does not compile"),
    ],
)
def test_an_edit_that_does_not_fit_is_refused(symbol: str, old: str, new: str, said: str) -> None:
    with pytest.raises(DoesNotApplyError, match=said):
        edited(SOURCE, Edit(symbol, old, new))


def test_an_edit_changes_its_own_symbol_only() -> None:
    changed = edited(SOURCE, Edit("m:LIMIT", "2", "3"))
    assert changed == SOURCE.replace("LIMIT = 2", "LIMIT = 3")


def _tests(*commands: str) -> Hunter:
    command = ("-m", "pytest", "-q", "-x", "--tb=no", "-p", "no:cacheprovider", *commands)
    needs = "tests/conftest.py"
    return Hunter(
        "suite", needs, lambda _bug, _seconds: (command,), 300, 0, first_red, adversary=False
    )


@pytest.mark.slow
def test_a_planted_bug_is_found_by_the_tests_near_it() -> None:
    outcome = hunted(
        BY_ID["rolled-back-exits-0"],
        (_tests("tests/core/engine/test_back.py"),),
        all_of_them=True,
    )
    assert outcome.unsound == ""
    assert [one.verdict for one in outcome.hunts] == [Verdict.FOUND]
    assert outcome.hunts[0].said.startswith("tests/core/engine/test_back.py::")


@pytest.mark.slow
def test_nobody_finds_a_bug_where_none_is_looked_for() -> None:
    outcome = hunted(
        BY_ID["rolled-back-exits-0"], (_tests("tests/core/test_values.py"),), all_of_them=True
    )
    assert [one.verdict for one in outcome.hunts] == [Verdict.MISSED]
    assert failed([outcome])


@pytest.mark.slow
def test_a_copy_that_does_not_even_import_is_no_find() -> None:
    edit = Edit("cutover.core.engine.routes:COMMIT", "2 * SECOND", "no_such_name")
    broken = Planted("broken", "it does not import", (edit,), near=("tests/runner",))
    outcome = hunted(broken, (_tests("tests/runner"),), all_of_them=True)
    assert "does not import" in outcome.unsound
    assert outcome.hunts == ()
    assert summary([outcome])[-1] == "0 of 1 planted"


def test_the_length_is_the_one_of_the_counterexample() -> None:
    out = "small: 300 states, 900 transitions, 20 turns deep\nP11: a move in it\n3 moves in 12 turns:\n"
    assert HUNTERS[0].judged(Ran(1, out, 1)) == Hunted(
        "explore", Verdict.FOUND, 1, 3, "P11: a move in it"
    )
    shrunk = "FAILED swarm: seed 1, commit c: P28: 0 is no exit code\n0 occurrences left of 5;\n"
    assert HUNTERS[0].judged(Ran(1, shrunk, 1)).length == 0


def test_a_hunter_that_falls_over_has_found_nothing() -> None:
    explorer = HUNTERS[0]
    assert explorer.judged(Ran(1, "Traceback ...", 1)).verdict is Verdict.BROKEN
    assert explorer.judged(Ran(None, "", 1)).verdict is Verdict.BROKEN
    assert explorer.judged(Ran(0, "", 1)).verdict is Verdict.MISSED
    assert _tests().judged(Ran(2, "ERROR tests/x.py", 1)).verdict is Verdict.BROKEN
    assert (
        _tests().judged(Ran(1, "FAILED tests/x.py::test_y - no", 1)).said == "tests/x.py::test_y"
    )


def test_a_hunter_that_this_tree_does_not_have_is_absent(tmp_path: Path) -> None:
    nobody = replace(HUNTERS[0], needs="tests/nobody/__main__.py")
    assert nobody.hunt(tmp_path, PLANTED[0]).verdict is Verdict.ABSENT


FOUND = Hunted("explore", Verdict.FOUND, 2.4, 7, "P11: a move after the rollback began")
RED = Hunted("suite", Verdict.FOUND, 9.0, None, "tests/core/engine/test_back.py::test_it[a]")
MISSED = Hunted("suite", Verdict.MISSED, 300.0)


def test_the_table_ends_with_how_many_were_found_and_names_who_found_none() -> None:
    outcomes = [Outcome(PLANTED[0], (FOUND, MISSED)), Outcome(PLANTED[1], (MISSED,))]
    assert summary(outcomes)[-2:] == [f"survived: {PLANTED[1].id}", "1 of 2 planted"]
    assert failed(outcomes)
    assert not failed(outcomes[:1])


def test_what_only_tests_found_is_told() -> None:
    bug = replace(PLANTED[0], lacks="a move that nobody makes")
    said = summary([Outcome(bug, (RED,))])
    assert said[0] == "found by an adversary: 0, explore: 0, walk: 0, swarm: 0, suite: 1"
    assert f"  {bug.id}: a move that nobody makes" in said
    missed = Hunted("swarm", Verdict.MISSED, 61.2)
    said = summary([Outcome(PLANTED[0], (missed, RED))])
    assert f"  {PLANTED[0].id}: missed by swarm in 61 s: hunt longer, or add the move" in said


def test_the_page_holds_the_table_between_its_marks(tmp_path: Path) -> None:
    page = tmp_path / "reliability.md"
    page.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n", encoding="utf-8")
    write(page, [Outcome(PLANTED[0], (FOUND, RED))])
    text = page.read_text(encoding="utf-8")
    assert text.startswith(f"before\n{BEGIN}\n")
    assert text.endswith(f"{END}\nafter\n")
    assert "old" not in text
    assert "| 7, 2 s | - | - | `core/engine/test_back.py::test_it`, 9 s |" in text
    assert "**1 of 1 planted**" in markdown([Outcome(PLANTED[0], (FOUND,))])


def test_a_hunt_goes_on_where_it_was_unless_the_edit_has_changed(tmp_path: Path) -> None:
    bug, place = PLANTED[0], tmp_path / "kept.json"
    absent = Hunted("swarm", Verdict.ABSENT, 0)
    Kept(place).keep(Outcome(bug, (FOUND, absent, MISSED)))
    assert Kept(place).known(bug) == (FOUND, MISSED)
    assert Kept(place).known(replace(bug, edits=PLANTED[1].edits)) == ()


@pytest.mark.slow
def test_a_random_walk_finds_a_step_that_is_skipped_and_makes_it_short() -> None:
    walker = replace(next(one for one in HUNTERS if one.name == "walk"), seconds=200)
    outcome = hunted(BY_ID["step-skipped"], (walker,), all_of_them=False)
    assert outcome.unsound == ""
    assert [one.verdict for one in outcome.hunts] == [Verdict.FOUND]
    assert outcome.hunts[0].said.startswith(("P3", "P4"))
    assert outcome.hunts[0].length == 0  # no move of the environment is needed
