"""What `make check` asks of the documents: links resolve, generated pages are fresh, nothing is left out.

`python -m tests.docs_checks` prints every problem and ends with 1 when there is one.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from cutover.cli import COMMANDS
from cutover.core.errors import ExitCode
from cutover.core.gates import GATES
from cutover.core.gates.api import Verdict
from cutover.core.journal.events import TYPES
from cutover.core.preflight import CHECKS
from cutover.core.state import Hold, Phase
from tests import (
    generate_architecture,
    generate_exit_codes,
    generate_explorer,
    generate_plan_reference,
    generate_preflight,
    generate_promises,
    generate_reasons,
    generate_scenarios,
    generate_state_machine,
)

ROOT = Path(__file__).resolve().parent.parent
GENERATED = {
    "docs/plan-reference.md": generate_plan_reference.page,
    "docs/state-machine.md": generate_state_machine.page,
    "docs/exit-codes.md": generate_exit_codes.page,
    "docs/reasons.md": generate_reasons.page,
    "docs/preflight.md": generate_preflight.page,
    "docs/scenarios.md": generate_scenarios.page,
    "docs/promises.md": generate_promises.page,
}
PERFORMANCE = "docs/performance.md"
_LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+\s+(.*)$", re.MULTILINE)
_FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
_HOSTS = re.compile(
    r"(?:index|registry|mirror|proxy|artifactory|nexus|pypi|npm)[\w.-]*\.[a-z]{2,}(?::\d+)?/",
    re.IGNORECASE,
)
_PUBLIC = ("pypi.org/", "registry.terraform.io/")
_PRIVATE = tuple("/" + name + "/" for name in ("work", "farm", "root"))
"""Directories of the machine that built it: no tracked file may name them."""


def problems() -> Iterator[str]:
    """Every problem of every document."""
    pages = [ROOT / "README.md", ROOT / "CHANGELOG.md"]
    pages += sorted((ROOT / "docs").glob("*.md")) + sorted((ROOT / "runbooks").glob("*.md"))
    for page in pages:
        yield from links(page)
    yield from stale()
    yield from unnamed("\n".join(page.read_text(encoding="utf-8") for page in pages))
    yield from leaks(tracked())
    if "## [Unreleased]" not in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"):
        yield "CHANGELOG.md: there is no Unreleased section"


def links(page: Path) -> Iterator[str]:
    """Links of a page that lead nowhere in this repository."""
    text = _FENCE.sub("", page.read_text(encoding="utf-8"))
    for target in _LINK.findall(text):
        if target.startswith(("https://", "http://")):
            continue
        file, _, anchor = target.partition("#")
        found = page.parent / file if file else page
        if not found.exists():
            yield f"{page.relative_to(ROOT)}: the link {target} leads nowhere"
        elif anchor and anchor not in anchors(found):
            yield f"{page.relative_to(ROOT)}: {file or 'this page'} has no heading for #{anchor}"


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    text = _FENCE.sub("", page.read_text(encoding="utf-8"))
    return {
        re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")
        for heading in _HEADING.findall(text)
    }


def stale() -> Iterator[str]:
    """Generated pages that are not what their generator makes now."""
    for name, page in GENERATED.items():
        if (ROOT / name).read_text(encoding="utf-8").strip() != page().strip():
            yield f"{name} is stale: write it again with its generator in tests/"
    yield from generate_promises.missing()
    yield from generate_explorer.stale()
    yield from generate_architecture.stale()
    written = (ROOT / PERFORMANCE).read_text(encoding="utf-8")
    for name in figures():
        if f"### {name}\n" not in written:
            yield f"{PERFORMANCE} lacks the figure {name}: python -m benchmarks --write"


def figures() -> list[str]:
    """The ids of every benchmark's figures, without measuring them."""
    text = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "benchmarks").glob("*.py"))
    return re.findall(r'\bid="([a-z0-9-]+)"', text)


def unnamed(text: str) -> Iterator[str]:
    """Things of the code that no document names."""
    wanted: dict[str, Iterable[str]] = {
        "command": (f"`cutover {name}" for name in COMMANDS if name != "abort"),
        "phase": (f"`{phase}`" for phase in Phase),
        "hold": (f"`{hold}`" for hold in Hold),
        "exit code": (f"| {int(code)} |" for code in ExitCode),
        "gate": (f"`{kind}`" for kind in GATES),
        "verdict": (f"`{verdict.name}`" for verdict in Verdict),
        "record type": (f"`{name}`" for name in TYPES),
        "check": (f"`{name}`" for name in CHECKS),
    }
    for what, names in wanted.items():
        for name in names:
            if name not in text:
                yield f"no document names the {what} {name}"


def tracked() -> list[Path]:
    """Every tracked text file, and those that are about to be."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        check=False,
    )
    names = listed.stdout.decode().split("\0") if listed.returncode == 0 else []
    paths = [ROOT / name for name in names if name]
    if not paths:  # not a clone: an unpacked archive
        paths = [path for path in ROOT.rglob("*") if ".venv" not in path.parts]
    return [path for path in paths if path.is_file()]


def leaks(paths: Iterable[Path]) -> Iterator[str]:
    """Files that name a path of the machine they were written on, or a package registry."""
    for path in paths:
        try:
            text = path.read_text(encoding="utf-8")
        except (UnicodeDecodeError, OSError):
            continue
        for number, line in enumerate(text.splitlines(), start=1):
            where = f"{path.relative_to(ROOT)}:{number}"
            if any(re.search(rf"(?<![\w./-]){private}", line) for private in _PRIVATE):
                yield f"{where}: names a path of one machine"
            host = _HOSTS.search(line)
            if host is not None and "://" in line and not host[0].endswith(_PUBLIC):
                yield f"{where}: names the registry {host[0]}"


def main() -> int:
    found = list(problems())
    for problem in found:
        print(f"error: {problem}", file=sys.stderr)
    if not found:
        print("docs: every link resolves, every generated page is fresh, nothing is unnamed")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
