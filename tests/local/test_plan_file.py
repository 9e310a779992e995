"""plan.yaml as a person writes it: what is accepted, what is refused, and in which words."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cutover.core.errors import ExitCode, PlanError, problem_lines
from cutover.local.plan_file import load_plan, plan_of_text
from cutover.local.text_file import quoted
from cutover.local.yaml_tree import resolve
from tests.plans.hostile.cases import CASES, Case, edited, spelled, write_cases

PLANS = Path(__file__).parents[2] / "plans"


def plan_text(*edits: tuple[str, str], head: str = "", tail: str = "") -> str:
    return spelled(edited(*edits, head=head, tail=tail)).decode()


def render_problems(error: PlanError) -> str:
    return "\n".join(
        line for problem in error.problems for line in problem_lines(error.file, problem)
    )


def errors_of(text: str) -> PlanError:
    with pytest.raises(PlanError) as caught:
        plan_of_text(text)
    return caught.value


def test_the_table_of_wrong_plans_is_long_enough_and_its_names_are_unique() -> None:
    assert len(CASES) >= 60
    assert len({case.name for case in CASES}) == len(CASES)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_wrong_plan_is_refused_with_every_problem_and_its_place(
    case: Case, tmp_path: Path
) -> None:
    path = tmp_path / "plan.yaml"
    path.write_bytes(case.data)
    with pytest.raises(PlanError) as caught:
        load_plan(path)
    said = tuple(f"{p.line}:{p.column}: {p.message}" for p in caught.value.problems)
    assert said == case.problems
    assert caught.value.exit_code == ExitCode.USAGE
    assert [one.name for one in tmp_path.iterdir()] == ["plan.yaml"]


def test_every_wrong_plan_can_be_rendered_without_a_character_that_moves_the_cursor(
    tmp_path: Path,
) -> None:
    for path, _ in write_cases(tmp_path):
        with pytest.raises(PlanError) as caught:
            load_plan(path)
        shown = render_problems(caught.value)
        assert all(character == "\n" or character.isprintable() for character in shown)
        assert all(len(line) < 700 for line in shown.splitlines())


def test_an_error_shows_file_line_caret_and_what_to_write() -> None:
    error = errors_of(plan_text(("managed_by", "manged_by")))
    assert render_problems(error).splitlines() == [
        "plan.yaml:14:1: error: unknown key `manged_by`",
        "   14 | manged_by: none",
        "      | ^",
        "      = did you mean `managed_by`?",
    ]


def test_a_caret_stands_under_its_column_behind_tabs_and_wide_characters() -> None:
    assert quoted("a\tb: x", 6) == ("a    b: x", 8)
    assert quoted("名前: x", 5) == ("名前: x", 6)


def test_a_long_line_is_clipped_around_the_caret() -> None:
    excerpt, caret = quoted("x" * 5_000 + "!" + "y" * 5_000, 5_001)
    assert len(excerpt) < 120
    assert excerpt[caret] == "!"
    assert excerpt.startswith("...")
    assert excerpt.endswith("...")


def test_what_cannot_be_seen_is_shown_as_an_escape() -> None:
    assert quoted("a\u202eb\x1b[2J", 1) == ("a\\u202eb\\x1b[2J", 0)


def test_a_secret_in_the_plan_is_never_printed_again() -> None:
    for receiver in ("slack: https://hooks.slack.com/services/T0/SECRET", "pagerduty: SECRET0123"):
        error = errors_of(plan_text(tail=f"notify: [{{{receiver}}}]\n"))
        assert "SECRET" not in render_problems(error)
    misspelled = errors_of(
        plan_text(tail="notify: [{slak: https://hooks.slack.com/services/T0/SECRET}]\n")
    )
    assert "SECRET" not in render_problems(misspelled)


def test_rules_over_the_whole_plan_are_asked_even_when_another_section_is_wrong() -> None:
    messages = [
        p.message
        for p in errors_of(
            plan_text(("weight: 25", "weight: 4"), ("name: shop", "name: 7"))
        ).problems
    ]
    assert messages == [
        "expected text, found the number 7",
        "weights must rise: step 2 is 4 %, after 5 %",
    ]


def test_a_rule_is_not_asked_about_a_section_that_is_wrong_itself() -> None:
    messages = [
        p.message
        for p in errors_of(plan_text(("weight: 25, bake: 10m", "weight: 4, bake: 10"))).problems
    ]
    assert messages == ["needs a unit: write for example 90s, 10m or 1h30m"]


def test_more_than_a_hundred_problems_are_counted_and_not_shown() -> None:
    error = errors_of("".join(f"key{i}: 1\n" for i in range(300)))
    assert len(error.problems) == 100
    assert error.hint == "205 more problems are not shown"


def test_a_file_that_is_absent_a_directory_or_unreadable_is_one_clear_message(
    tmp_path: Path,
) -> None:
    def message(path: Path) -> str:
        with pytest.raises(PlanError) as caught:
            load_plan(path)
        (problem,) = caught.value.problems
        return problem.message

    assert message(tmp_path / "absent.yaml") == "no such file: name the plan to read"
    assert message(tmp_path) == "this is a directory; name the plan file in it"
    assert message(Path("a\0b")).startswith("cannot be read: ")
    locked = tmp_path / "locked.yaml"
    locked.write_text("version: 1\n")
    locked.chmod(0)
    if os.geteuid() != 0:  # root reads everything
        assert message(locked) == "permission denied: this user may not read it"
    loop = tmp_path / "loop.yaml"
    loop.symlink_to(loop)
    assert message(loop).startswith("cannot be read: ")


def test_a_byte_order_mark_and_crlf_are_mended_with_a_warning_and_positions_stay(
    tmp_path: Path,
) -> None:
    path = tmp_path / "plan.yaml"
    text = plan_text(tail="hold_back: 5%\n")
    path.write_bytes(b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode())
    loaded = load_plan(path)
    assert loaded.text == text
    assert [w.message for w in loaded.warnings] == [
        "the file starts with a byte order mark",
        "lines end in CRLF",
    ]
    path.write_bytes(
        b"\xef\xbb\xbf" + plan_text(("weight: 25", "weight: 4")).replace("\n", "\r\n").encode()
    )
    with pytest.raises(PlanError) as caught:
        load_plan(path)
    assert (caught.value.problems[0].line, caught.value.problems[0].column) == (10, 14)


def test_strict_makes_errors_of_warnings() -> None:
    text = plan_text(("managed_by: none\n", ""), tail="hold_back: 5%\n")
    assert plan_of_text(text).warnings
    with pytest.raises(PlanError) as caught:
        plan_of_text(text, strict=True)
    assert {p.severity for p in caught.value.problems} == {"error"}
    assert str(caught.value) == "plan.yaml: 1 error"


def test_a_warning_says_warning() -> None:
    text = plan_text(("managed_by: none\n", ""), tail="hold_back: 5%\n")
    (warning,) = plan_of_text(text).warnings
    assert problem_lines("plan.yaml", warning)[0].startswith(
        "plan.yaml:1:1: warning: `managed_by` is absent"
    )


@pytest.mark.parametrize(
    ("plain", "value"),
    [
        ("010", "010"), ("012345678901", "012345678901"), ("-012", "-012"), ("00.5", "00.5"),
        ("on", "on"), ("yes", "yes"), ("NO", "NO"), ("y", "y"), ("12:30", "12:30"), ("1_000", "1_000"),
        ("2026-11-20", "2026-11-20"), (".nan", ".nan"), (".inf", ".inf"), ("1e999", "1e999"), ("9" * 50, "9" * 50),
        ("0", 0), ("-1", -1), ("+7", 7), ("0o17", 15), ("0x1F", 31), ("0.5", 0.5), ("1e3", 1000.0), (".5", 0.5), ("5.", 5.0),
        ("true", True), ("False", False), ("TRUE", True), ("tRue", "tRue"), ("null", None), ("~", None), ("", None),
        ("Null", None), ("٣", "٣"), ("=", "="), ("=1+1", "=1+1"),
    ],
)  # fmt: skip
def test_plain_scalars_follow_yaml_1_2_and_leading_zeros_stay_text(
    plain: str, value: object
) -> None:
    assert resolve(plain) == value
    assert type(resolve(plain)) is type(value)


def test_an_account_that_starts_with_a_zero_needs_no_quotes() -> None:
    text = (
        plan_text()
        .replace('"123456789012"', "012345678901")
        .replace("123456789012", "012345678901")
    )
    assert plan_of_text(text).plan.aws.account == "012345678901"


@pytest.mark.parametrize("path", sorted(PLANS.glob("*.yaml")), ids=lambda path: path.name)
def test_a_sample_plan_is_sound(path: Path) -> None:
    loaded = load_plan(path)
    unexpected = [w.message for w in loaded.warnings if not w.message.startswith("no `gates`")]
    assert unexpected == []
    assert bool(loaded.warnings) == (path.name == "minimal.yaml")


def test_the_checkout_plan_is_two_routes_seven_steps_six_hours_and_every_gate() -> None:
    from cutover.core.gates import GATES

    plan = load_plan(PLANS / "checkout.yaml").plan
    assert [route.kind for route in plan.routes] == ["rule", "listener"]
    assert [step.weight for step in plan.written] == [10, 50, 100, 250, 500, 750, 1000]
    assert [step.weight for step in plan.steps][-2:] == [950, 1000]
    assert sum(step.bake for step in plan.steps) == 6 * 3_600_000
    assert [gate.kind for gate in plan.gates] == list(GATES)


def test_a_plan_survives_being_written_out_and_read_again() -> None:
    import json

    for path in PLANS.glob("*.yaml"):
        plan = load_plan(path).plan
        again = plan_of_text(json.dumps(plan.data(), indent=1)).plan
        assert again == plan
        assert again.hash == plan.hash


@given(st.binary(max_size=300))
def test_no_bytes_make_the_reader_raise_anything_but_a_plan_error(
    tmp_path_factory: pytest.TempPathFactory, data: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "random.yaml"
    path.write_bytes(data)
    with pytest.raises(PlanError) as caught:
        load_plan(path)
    assert render_problems(caught.value)


YAML_PIECES = st.sampled_from(
    ["version: 1", "steps:", "gates:", "- ", "  ", "\n", "\t", ": ", "? ", "| ", "> ", "[", "]", "{", "}", ",", "&a ", "*a", "!!x ", "! ",
     "<<: ", "---\n", "...\n", "%YAML 1.1\n", "'", '"', "\\", "\\x00", "\\uD800", "\\U", "#", "@", "`", "weight: 5", "errors", "null", "~",
     "1", "1%", "é", "\u2028", "\x00", "\ufeff", "\r", "=", "rule: ", "name"]
)  # fmt: skip


@settings(max_examples=300)
@given(st.lists(YAML_PIECES, max_size=40))
def test_no_text_makes_the_reader_raise_anything_but_a_plan_error(pieces: list[str]) -> None:
    assert render_problems(errors_of("".join(pieces)))


@settings(max_examples=150)
@given(st.data())
def test_a_sound_plan_with_one_damaged_spot_loads_or_is_refused_with_a_place_in_the_file(
    data: st.DataObject,
) -> None:
    text = plan_text(tail="safety: {on_drift: hold}\nwindows: [{not: '22:00-06:00', zone: UTC}]\n")
    at = data.draw(st.integers(0, len(text) - 1))
    length = data.draw(st.integers(0, 12))
    damaged = text[:at] + data.draw(st.text(max_size=4) | YAML_PIECES) + text[at + length :]
    with suppress(PlanError):
        plan_of_text(damaged)
        return
    error = errors_of(damaged)
    lines = damaged.count("\n") + 1
    assert all(
        1 <= problem.line <= lines + 1 and problem.column >= 1 for problem in error.problems
    )
    assert render_problems(error)
