"""docs/plan-reference.md says what the models say."""

from __future__ import annotations

from tests.generate_plan_reference import PAGE, page


def test_the_plan_reference_is_what_the_models_say() -> None:
    assert PAGE.read_text() == page(), "stale: run `python -m tests.generate_plan_reference`"


def test_every_rule_and_warning_has_its_sentence_in_the_reference() -> None:
    lists = page().split("## Rules over the whole plan")[1]
    sentences = [line for line in lists.splitlines() if line.startswith("- ")]
    assert len(sentences) == len(set(sentences)) > 20
    assert "- " not in sentences
