"""What a rule over a whole plan says: where, what is wrong, and what to write instead."""

from __future__ import annotations

from dataclasses import dataclass

Loc = tuple[str | int, ...]


@dataclass(frozen=True)
class PlanFinding:
    """One thing wrong with a plan as a whole.

    Attributes:
        loc: keys and indices from the top of the file; a last part `#key` means the key, not its value.
        message: what is wrong.
        fix: what to write instead.
        needs: the top-level sections that the rule looked at. When one of them is broken itself the
            finding is not reported: it may be a consequence.
    """

    loc: Loc
    message: str
    fix: str = ""
    needs: frozenset[str] = frozenset()
