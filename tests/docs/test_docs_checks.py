"""The checks of the documents see what they are for."""

from __future__ import annotations

from tests import docs_checks
from tests.docs_checks import ROOT, anchors, leaks, links, tracked, unnamed


def test_every_link_of_the_readme_leads_somewhere() -> None:
    assert list(links(ROOT / "README.md")) == []


def test_a_link_that_leads_nowhere_is_named() -> None:
    page = ROOT / "docs" / "leads-nowhere.md"
    page.write_text(
        "# One\n\n[a](nowhere.md) [b](limits.md#no-such) [c](#one) [d](limits.md#not-proven)\n"
    )
    try:
        said = list(links(page))
    finally:
        page.unlink()
    assert said == [
        "docs/leads-nowhere.md: the link nowhere.md leads nowhere",
        "docs/leads-nowhere.md: limits.md has no heading for #no-such",
    ]
    assert "not-proven" in anchors(ROOT / "docs" / "limits.md")


def test_what_no_document_names_is_said() -> None:
    said = list(unnamed(""))
    assert "no document names the phase `ROLLING_BACK`" in said
    assert "no document names the command `cutover rollback" in said
    assert "no document names the record type `intent`" in said
    assert "no document names the exit code | 9 |" in said


def test_a_machine_path_and_a_registry_are_leaks() -> None:
    inside = ROOT / "tests" / "docs" / "leak.txt"
    private, host = "/" + "root" + "/x", "https:" + "//pypi.internal.example/simple"
    inside.write_text(f"{private}\nfine: a/{private}\n{host}\n", encoding="utf-8")
    try:
        said = list(leaks([inside]))
    finally:
        inside.unlink()
    assert [one.split(": ")[0] for one in said] == [
        "tests/docs/leak.txt:1",
        "tests/docs/leak.txt:3",
    ]


def test_no_tracked_file_leaks() -> None:
    assert list(leaks(tracked())) == []


def test_every_figure_of_the_benchmarks_has_an_id_of_its_own() -> None:
    found = docs_checks.figures()
    assert len(found) == len(set(found)) >= 9
