"""Writes docs/promises.md from the catalogue: `python -m tests.generate_promises`."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from pathlib import Path

from tests.promises import (
    from_bench,
    from_records,
    from_stage,
    test_claims,
    test_evidence,
    test_processes,
    test_rollback,
    test_steps,
    test_writes,
)
from tests.promises.catalogue import PROMISES
from tests.promises.promise import Promise

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "promises.md"
_CASES = (test_writes, test_evidence, test_steps, test_rollback, test_claims, test_processes)
_HEAD = """# Promises

Made from the catalogue in `tests/promises` by `python -m tests.generate_promises`; a check fails when this page is stale.

What cutover promises on one machine. Each promise of the first table is a predicate over what can be seen of a run from outside: what the journal holds, what
was read and when, what left the machine, what AWS carried out, what people said and were told, the exit code. It uses no code of the tool. A test that breaks a
promise on purpose names its id. P is an old promise, N one that an examination added.

Who asks for them:

- **fakes**: every run of the core and the runner on fakes, in every test that makes one, and the random crash lives of `make prove`.
- **processes**: every end-to-end test and every life of the kill loop, from a proxy before the emulated AWS that is on nobody's side, the journal files, exit codes and what was printed.
- **journals**: random rehearsals and the golden journals of every version, from their records alone.
- **search**: can be carried along by a search over states.

| id | promise | where it ends | asked of | shown by itself in |
|---|---|---|---|---|
"""
_OTHER_HEAD = """
## Promises that no single run can show

| id | promise | checked by |
|---|---|---|
"""
OTHERS: tuple[tuple[str, str, str], ...] = (
    ("P9", "A rollback needs the snapshot, credentials and ELBv2, and nothing else: not CloudWatch, the plan file, a terminal or a disk that takes anything.", "`tests/e2e/test_disk.py`, `tests/e2e/test_full_output.py`, `tests/core/engine/test_pace.py` (a rollback looks at nothing but the routes); N5 and P27 in every run"),
    ("P12", "Once faults stop, every route that can be restored is; while they last each route is tried for ever, at once for 10 s and then at a pace, and the exact commands stand on the screen after 60 s.", "`tests/core/engine/test_pace.py`, `tests/core/engine/test_back.py`, `tests/e2e/test_weather.py`, `tests/e2e/test_restore_sh.py`"),
    ("P16", "A clock that jumps costs a fresh bake.", "part of P3"),
    ("P17", "A process that stood still goes on with nothing that it knew: evidence starts afresh (P3), a forward write needs a fresh read (P7), and no write leaves once another process owns the run (P6).", "P3, P6 and P7; `tests/e2e/test_lost_lease.py`"),
    ("P18", "A guard on another host that takes over a run whose process is lost.", "not built: the weight stays as it is until a person says `resume` or `rollback`"),
    ("P19", "The same account and caller at every step; no raise on credentials that end within 15 minutes and do not refresh.", "`tests/core/engine/test_forward.py`, `tests/aws/test_credentials.py`, `tests/e2e/test_walls.py`"),
    ("P20", "One attempt for each write, by our own loop alone; a rollback that is refused keeps to one write a second over all routes after 10 s.", "P2 (one intent for each time that it is sent), `tests/core/engine/test_pace.py`, `tests/aws/test_retry.py`, `tests/aws/test_wire.py`"),
    ("P25", "A look changes nothing; a rehearsal's run never drives AWS and the reverse; an endpoint that is neither AWS nor this machine is refused.", "`tests/e2e/test_walls.py`, `tests/aws/test_endpoint_policy.py`"),
    ("P31", "A plan is read strictly: no duplicate keys, no aliases, no surprises of YAML 1.1, bounded in size and depth.", "`tests/local/test_plan_file.py`"),
    ("P32", "Run ids are generated and cannot leave the state directory; it is private, and a link in its place is refused.", "`tests/local/test_state_directory.py`"),
    ("P33", "An HTML report that escapes everything.", "not built: there is no HTML report"),
    ("P34", "What judges cannot write: the core has no client, and only `aws` and `rehearsal` import boto3.", "the import law in `pyproject.toml` (`make check`); no IAM policy is shipped"),
)  # fmt: skip


def page() -> str:
    """The whole page."""
    lines = [_HEAD.rstrip("\n")]
    lines += [_row(promise) for promise in PROMISES]
    lines += [_OTHER_HEAD.rstrip("\n")]
    lines += [f"| {number} | {_cell(text)} | {_cell(shown)} |" for number, text, shown in OTHERS]
    return "\n".join(lines) + "\n"


def _row(promise: Promise) -> str:
    cells = (promise.id, promise.text, promise.ends, ", ".join(_asked(promise)), _cases(promise))
    return "| " + " | ".join(map(_cell, cells)) + " |"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _asked(promise: Promise) -> Iterator[str]:
    if promise.id not in from_bench.UNSEEN:
        yield "fakes"
    if promise.id not in from_stage.UNSEEN:
        yield "processes"
    if promise in from_records.JOURNALLED:
        yield "journals"
    if promise.searched:
        yield "search"


def _cases(promise: Promise) -> str:
    for module in _CASES:
        cases = [case for case in module.CASES if case.id == promise.id]
        if cases:
            broken = sum(bool(case.because) for case in cases)
            name = Path(inspect.getfile(module)).name
            return f"`tests/promises/{name}`: {len(cases) - broken} kept, {broken} broken"
    raise LookupError(f"no test has a run for {promise.id}")


def missing() -> Iterator[str]:
    """Test files that the page names and that are not there."""
    for name in re.findall(r"`(tests/[\w/]+\.py)`", page()):
        if not (ROOT / name).exists():
            yield f"docs/promises.md names {name}, which does not exist"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
