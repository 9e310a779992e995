"""Writes docs/preflight.md from the table of checks: `python -m tests.generate_preflight`."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from cutover.core.preflight import CHECKS

PAGE = Path(__file__).resolve().parent.parent / "docs" / "preflight.md"


def page() -> str:
    """The page as it should be."""
    rows = []
    for name, check in CHECKS.items():
        what = next(
            str(getattr(check, field.name))
            for field in dataclasses.fields(check)
            if isinstance(getattr(check, field.name), str)
        )
        rows.append(f"| `{name}` | {what} | {'yes' if check.waivable else 'no'} |")
    return (
        "\n".join(
            (
                "# Preflight",
                "",
                "Made from `src/cutover/core/preflight/__init__.py` by `python -m tests.generate_preflight`; a check fails when this page is stale.",
                "",
                "`cutover plan`, `cutover preflight` and `cutover run` look at AWS read-only and ask these. A finding that blocks refuses the run",
                "with exit 7 before anything is written. A fact that can not be read blocks if its check would. Each finding says why, and the fix.",
                '`waive: [{check: NAME, why: "..."}]` in the plan turns a block into a warning, where the table says yes.',
                "",
                "They need `cloudwatch:ListMetrics` only to name what exists beside a metric without data; where it is denied they say so and go on.",
                "",
                "| Check | Asks whether | May be waived |",
                "|---|---|---|",
                *rows,
            )
        )
        + "\n"
    )


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
